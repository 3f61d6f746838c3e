"""The shipped params.yaml with a demo small enough for a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests import ROOT

METHODS = ("erm", "group_dro", "dfr")
EXPLAINED = METHODS[:2]


def write_params(folder: Path, *, train: dict[str, Any] | None = None, **source: Any) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((ROOT / "params.yaml").read_text())
    params["active_methods"], params["explained_methods"] = list(METHODS), list(EXPLAINED)
    demo = params["datasets"]["photo_digits"]
    small = {"n_train": 1600, "n_val": 240, "n_test": 480, "contrast": 1.0, "label_noise": 0.02}
    demo["source"] |= small | source
    # one seed: with two, Student intervals are too wide for any verdict
    demo["train"] |= {"seeds": [0], "epochs": 4, "precision": "fp32", "device": "cpu"} | (train or {})
    demo["color"] = {"permutations": 199}
    demo["attribute"] |= {"proj_dim": 512, "max_train": 700, "targets_per_group": 12}
    demo["retrain"] = {"subsets": 6}
    demo["gradcam"] = {"images_per_group": 20, "overlays": 2}
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)
