"""Stage `retrain`: what it leaves, that it goes on after a kill, and that workers change nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from pipeline.artifacts.datasets import load_split
from pipeline.artifacts.paths import data_folders
from pipeline.artifacts.retrained import load_retrained
from pipeline.core.errors import ArtifactError
from pipeline.statistics.retrained.subsets import training_rows
from tests.fixtures.demo import run_and_kill, write_params
from tests.fixtures.stages import run_stage

OUT = Path("retrained/photo_digits/erm")


def ask(folder: Path, **settings: Any) -> None:
    """Set keys of the demo's `retrain`."""
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((folder / "params.yaml").read_text())
    params["datasets"]["photo_digits"]["retrain"] = settings
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, train={"epochs": 1, "width": 4}, n_train=400, n_val=100, n_test=60)
    run_stage("data", "photo_digits")
    run_stage("groups", "photo_digits")
    return tmp_path


def test_nothing_asked_leaves_an_empty_record_with_the_reason(demo: Path) -> None:
    ask(demo)
    run_stage("retrain", "photo_digits", "erm")
    result, margins = load_retrained(OUT, load_split(data_folders("photo_digits"), "test"))
    assert not result.asked
    assert "retrain.subsets is 0" in str(result.reason)
    assert result.trainings == []
    assert margins.margins_MN.shape == (0, 60)


@pytest.mark.slow
def test_kills_and_workers_change_nothing(demo: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked: dict[str, Any] = {"subsets": 2, "repeats": 1, "thin_keep": [0.5], "thin_repeats": 2}
    ask(demo, **asked, workers=1)
    scratch = Path(".scratch/retrain")
    run_and_kill(["retrain", "photo_digits", "erm"], lambda: any(scratch.rglob("*.npz")), demo)
    kept = list(scratch.rglob("*.npz"))
    assert kept, "finished trainings outlive the kill"
    assert not (OUT / "retrained.json").exists()
    caplog.set_level("INFO")
    run_stage("retrain", "photo_digits", "erm")
    assert f"found {len(kept)} of 12 trainings" in caplog.text, "and computes the others"
    files = [OUT / "retrained.json", OUT / "margins.npz"]
    whole = [path.read_bytes() for path in files]
    assert not any(scratch.rglob("*.npz")), "deleted on success"

    ask(demo, **asked, workers=2)
    run_stage("retrain", "photo_digits", "erm")
    assert [path.read_bytes() for path in files] == whole

    train, test = (load_split(data_folders("photo_digits"), name) for name in ("train", "test"))
    result, margins = load_retrained(OUT, test)
    assert result.asked
    assert [t.kind for t in result.trainings] == ["subset"] * 2 + ["thinned"] * 8 + ["all"] * 2
    assert margins.margins_MN.shape == (12, 60)
    assert (np.ptp(margins.margins_MN, axis=0) > 0).all()
    for training in result.trainings:
        rows = training_rows(training, train.groups, share=result.share, seed=result.seed)
        assert training.n_images == len(rows)
        assert training.accuracy is not None
    with pytest.raises(ArtifactError, match="other test images"):
        load_retrained(OUT, replace(test, ids=test.ids[::-1]))
    with pytest.raises(ArtifactError, match=r"other data.*: dvc repro retrain@photo_digits-erm"):
        load_retrained(OUT, replace(test, digest="other"))
    (OUT / "margins.npz").write_bytes(b"half")
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_retrained(OUT, test)
