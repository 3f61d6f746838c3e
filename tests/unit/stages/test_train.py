"""Stage `train`: when it takes ERM's model from disk, and that it makes no difference."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from pipeline.artifacts.checkpoints import load_weights
from pipeline.artifacts.datasets import load_split
from pipeline.artifacts.dynamics import load_dynamics
from pipeline.artifacts.files import load_artifact
from pipeline.artifacts.paths import data_folders
from pipeline.artifacts.trained import earlier_checkpoints
from pipeline.core.errors import ArtifactError
from pipeline.methods import on_disk
from pipeline.plan import write
from pipeline.plan.fingerprint import Code
from pipeline.records.training import TrainHistory
from tests import ROOT
from tests.fixtures.demo import write_params
from tests.fixtures.stages import run_stage

pytestmark = pytest.mark.slow

FROM_DISK = "starts from the trained ERM model"


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # 90 %: the smallest group has enough images
    write_params(tmp_path, train={"epochs": 1, "width": 4}, n_train=400, n_val=100, n_test=40, strength=0.9)
    run_stage("data", "photo_digits")
    run_stage("groups", "photo_digits")
    return tmp_path


def weights(method: str) -> dict[str, torch.Tensor]:
    return load_weights(Path(f"models/photo_digits/{method}/weights/seed_0.safetensors")).state_dict()


def history(method: str) -> TrainHistory:
    return load_artifact(Path(f"models/photo_digits/{method}/history.json"), TrainHistory)


def change(folder: Path, place: str, value: Any) -> None:
    """Set one key of params.yaml."""
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((folder / "params.yaml").read_text())
    *parents, last = place.split(".")
    target = params
    for key in parents:
        target = target[key]
    target[last] = value
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)


def test_dfr_gives_the_same_with_and_without_erms_model_on_disk(
    demo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    run_stage("train", "photo_digits", "dfr")
    assert FROM_DISK not in caplog.text
    alone, key = weights("dfr"), history("dfr").provenance.params_hash
    run_stage("train", "photo_digits", "erm")
    run_stage("train", "photo_digits", "dfr")
    assert caplog.text.count(FROM_DISK) == 1
    assert history("dfr").provenance.params_hash == key
    for name, value in weights("dfr").items():
        assert torch.equal(value, alone[name]), name
        assert torch.equal(value, weights("erm")[name]) == (not name.startswith("head.")), name


def test_an_erm_model_of_other_settings_is_not_used_and_changes_the_key(
    demo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    run_stage("train", "photo_digits", "erm")
    run_stage("train", "photo_digits", "dfr")
    assert FROM_DISK in caplog.text
    before = history("dfr").provenance.params_hash
    caplog.clear()
    change(demo, "datasets.photo_digits.methods.erm", {"selection": "last", "train": {"weight_decay": 0.01}})
    run_stage("train", "photo_digits", "dfr")
    assert FROM_DISK not in caplog.text
    assert history("dfr").provenance.params_hash != before


def test_an_erm_model_of_other_code_is_not_used(
    demo: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    run_stage("train", "photo_digits", "erm")
    shutil.copytree(ROOT / "pipeline", demo / "edited", ignore=shutil.ignore_patterns("__pycache__"))
    with (demo / "edited" / "train" / "loop.py").open("a") as file:
        file.write("# steps are taken otherwise\n")
    monkeypatch.setattr(write, "_code", lambda: Code(folder=demo / "edited"))
    run_stage("train", "photo_digits", "dfr")
    assert FROM_DISK not in caplog.text


def test_other_seeds_of_erm_leave_its_key_and_a_missing_seed_is_trained(
    demo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    run_stage("train", "photo_digits", "erm")
    change(demo, "datasets.photo_digits.train.seeds", [0, 5])
    run_stage("train", "photo_digits", "dfr")
    assert f"seed 0: {FROM_DISK}" in caplog.text
    assert f"seed 5: {FROM_DISK}" not in caplog.text
    assert "dfr seed 5 erm: epoch 0 selected" in caplog.text


def test_a_history_does_not_outlive_the_weights_it_describes(
    demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_stage("train", "photo_digits", "erm")
    change(demo, "datasets.photo_digits.train.lr", 0.03)

    def killed(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(on_disk, "train_method", killed)
    with pytest.raises(KeyboardInterrupt):
        run_stage("train", "photo_digits", "erm")
    assert not Path("models/photo_digits/erm/history.json").exists()


def test_margins_and_further_epochs_are_written_and_dfr_takes_erms_margins(demo: Path) -> None:
    change(demo, "datasets.photo_digits.train.epochs", 3)
    change(demo, "datasets.photo_digits.train.checkpoints", 1)
    run_stage("train", "photo_digits", "erm")
    found = load_dynamics(Path("models/photo_digits/erm/dynamics.parquet"))
    split = load_split(data_folders("photo_digits"), "train")
    assert list(found) == [0]
    np.testing.assert_array_equal(found[0].ids, split.ids)
    assert (found[0].n_drawn == 3).all()
    assert np.isfinite(found[0].aum).all()
    assert history("erm").checkpoints == {"0": [1]}
    assert history("erm").no_aum_reason is None
    (network,) = earlier_checkpoints("photo_digits", "erm", [0], torch.device("cpu"))[0]
    weights = Path("models/photo_digits/erm/weights")
    assert sorted(path.name for path in weights.iterdir()) == [
        "seed_0.safetensors",
        "seed_0_epoch_1.safetensors",
    ]
    early, chosen = network.state_dict(), load_weights(weights / "seed_0.safetensors").state_dict()
    assert not all(torch.equal(value, chosen[key]) for key, value in early.items())
    run_stage("train", "photo_digits", "dfr")
    assert history("dfr").checkpoints == {}
    again = load_dynamics(Path("models/photo_digits/dfr/dynamics.parquet"))
    np.testing.assert_array_equal(again[0].aum, found[0].aum)


def test_dynamics_that_are_not_there_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"not a table of training dynamics.*dvc repro"):
        load_dynamics(tmp_path / "dynamics.parquet")


def test_repair_leaves_controls_beside_its_weights_and_erm_where_it_chose_nothing(demo: Path) -> None:
    change(demo, "datasets.photo_digits.methods.repair", {"fractions": [0.2], "curve_seeds": 1})
    run_stage("train", "photo_digits", "repair")
    removal = history("repair").removal
    assert removal is not None
    assert removal.tried[0] == 0
    assert {point.kind for point in removal.points} == {"repair", "random", "balanced"}
    names = {path.stem for path in Path("models/photo_digits/repair/weights").iterdir()}
    controls = {"random_0", "balanced_0"} if removal.chosen else set()
    assert names == {"seed_0"} | controls
    assert sum(removal.removed_by_group) == removal.chosen
    assert not Path(".scratch/train/photo_digits/repair").exists()


def test_settings_of_attribution_are_part_of_repairs_key_alone(demo: Path) -> None:
    change(demo, "datasets.photo_digits.methods.repair", {"fractions": [0.2], "controls": False})
    keys = []
    for ridge in (1.0, 2.0):
        change(demo, "datasets.photo_digits.attribute.ridge", ridge)
        for method in ("erm", "repair"):
            run_stage("train", "photo_digits", method)
            keys.append(history(method).provenance.params_hash)
    assert keys[0] == keys[2]
    assert keys[1] != keys[3]
