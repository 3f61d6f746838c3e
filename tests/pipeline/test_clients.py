"""Networks as timm and transformers save them, through every stage; and one of a method's, saved by timm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from ruamel.yaml import YAML
from timm.models import save_for_hf

from pipeline.artifacts.checkpoints import load_weights, weights_path
from pipeline.artifacts.files import load_artifact
from pipeline.artifacts.maps import load_maps
from pipeline.models.adapted import Adapted
from pipeline.records.attribution import AttributionResult
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.indicators import IndicatorsResult
from pipeline.records.report import Report
from tests.fixtures.brought import save_huggingface, save_timm
from tests.fixtures.demo import write_params
from tests.fixtures.readme import yaml_blocks
from tests.fixtures.stages import run_stage

pytestmark = pytest.mark.slow
DATASET, CLASSES = "photo_digits", ["digits 0-4", "digits 5-9"]
CLIENTS = {  # each family once
    "timm": ["test_convnext", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"],
    "huggingface": ["resnet", "deit", "efficientnet", "mobilenet_v2"],
}
FIXED = ("vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "deit")  # in the size of their images
NAMES = [name for names in CLIENTS.values() for name in names]
OWN = {"embed_dim": 16, "depth": 2, "num_heads": 2, "patch_size": 8, "img_size": 32}
FEW = {"faithfulness_images": 8, "faithfulness_steps": 4, "sanity_images": 4}
STAGES = ("train", "evaluate", "indicators", "retrain", "attribute", "gradcam")


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The demo with a transformer that our training made, and with everybody's."""
    folder = tmp_path_factory.mktemp("clients")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        network = {"model": "timm/vit_tiny_patch16_224", "model_args": OWN}
        write_params(folder, train={"epochs": 1, **network}, n_train=100, n_val=40, n_test=48)
        models = {
            name: {"kind": kind, "path": f"nets/{name}", "input_size": None if name in FIXED else 32}
            for kind, names in CLIENTS.items()
            for name in names
        }
        (_, written) = yaml_blocks("Your own model")
        models |= written["models"]
        for kind, names in CLIENTS.items():
            for name in names:
                save = save_timm if kind == "timm" else save_huggingface
                save(Path("nets") / name, name, names=CLASSES)
        _activate(folder, written | {"models": models})
        for stage in ("data", "hygiene", "color", "cues", "groups"):
            run_stage(stage, DATASET)
        for name in ("erm", *models):
            for stage in STAGES:
                run_stage(stage, DATASET, name)
                if (name, stage) == ("erm", "train"):
                    _export()
        run_stage("verdict", DATASET)
        run_stage("report", DATASET)
        yield folder


def _activate(folder: Path, written: dict[str, Any]) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((folder / "params.yaml").read_text())
    others = [name for name in written["models"] if name not in written["active_methods"]]
    params |= written | {key: [*written[key], *others] for key in ("active_methods", "explained_methods")}
    params["datasets"][DATASET] |= {
        "retrain": {"subsets": 0},
        "gradcam": {"images_per_group": 2, "overlays": 1, **FEW},
        "attribute": {"proj_dim": 128, "targets_per_group": 2},
    }
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)


def _export() -> None:
    """What a user of timm would save of the network that the method trained."""
    trained = load_weights(weights_path(Path(f"models/{DATASET}/erm/weights"), 0))
    assert isinstance(trained, Adapted)
    net: Any = timm.create_model("vit_tiny_patch16_224", num_classes=2, **OWN)
    net.load_state_dict({**trained.net.state_dict(), **trained.head.state_dict(prefix="head.")})
    door = {"mean": trained.mean.flatten().tolist(), "std": trained.std.flatten().tolist(), "crop_pct": 1.0}
    save_for_hf(
        net,
        "my_folder",
        model_config={"label_names": CLASSES},
        model_args=OWN,
        data_config={"input_size": (3, 32, 32), **door},
        safe_serialization=True,
    )


def evaluation(name: str) -> EvaluationResult:
    return load_artifact(Path(f"evaluation/{DATASET}/{name}/evaluation.json"), EvaluationResult)


def attribution(name: str) -> AttributionResult:
    return load_artifact(Path(f"attribution/{DATASET}/{name}/attribution.json"), AttributionResult)


@pytest.mark.parametrize("name", NAMES)
def test_every_stage_answers_for_it(audited: Path, name: str) -> None:
    found, traced = evaluation(name), attribution(name)
    assert found.is_brought
    assert len(found.interventions) == len(evaluation("erm").interventions) > 0
    assert found.cue_use is not None
    assert found.cue_use.exchanges[0].n_images == 48
    scores = [influence.score for influence in traced.most_harmful_to_worst]
    assert np.isfinite(scores).all()
    assert np.std(scores) > 0
    maps = load_maps(Path(f"gradcam/{DATASET}/{name}/maps.npz")).maps_SNhw
    assert np.isfinite(maps).all()
    path = Path(f"indicators/{DATASET}/{name}/indicators.json")
    indicators = load_artifact(path, IndicatorsResult)
    assert not [i.name for i in indicators.indicators if "gradient" in i.why_not]
    for needed in ("sensitivity", "sharpness", "norms", "critical_samples"):
        assert indicators.find(needed) is not None, needed


def test_the_report_has_them_all_and_lacks_nothing(audited: Path) -> None:
    report = Report.model_validate_json(Path(f"reports/{DATASET}.json").read_text())
    assert set(report.methods) == {"erm", "mine", *NAMES}
    assert report.verdict.missing == []
    page = Path(f"reports/{DATASET}.html").read_text()
    for name in NAMES:
        assert name in page
    assert "it was made for 64 px: the packed images of 32 px are resized for it" in page


def test_a_network_that_timm_saved_named_as_in_the_readme_gives_what_the_method_gives(audited: Path) -> None:
    ours, theirs = evaluation("erm"), evaluation("mine")
    assert theirs.test == ours.test
    assert theirs.val == ours.val
    assert theirs.interventions == ours.interventions
    assert theirs.cue_use == ours.cue_use
    assert theirs.cues == ours.cues
    scores = [
        [influence.score for influence in attribution(name).most_harmful_to_worst] for name in ("erm", "mine")
    ]
    np.testing.assert_array_equal(*scores)
    assert attribution("mine").groups == attribution("erm").groups
    maps = [load_maps(Path(f"gradcam/{DATASET}/{name}/maps.npz")).maps_SNhw for name in ("erm", "mine")]
    np.testing.assert_array_equal(*maps)
    assert torch.isfinite(torch.from_numpy(maps[0])).all()
