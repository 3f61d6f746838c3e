"""The color stage from a packed folder to its files, and their readers."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.datasets import load_packed_split, write_samples
from pipeline.artifacts.files import load_artifact, save_artifact
from pipeline.artifacts.predictions import load_color_predictions
from pipeline.core.errors import ArtifactError
from pipeline.records.color import ColorResult
from pipeline.records.data import AttributeInfo
from tests import ROOT
from tests.fixtures.audit import make_info, make_split, planted
from tests.fixtures.stages import run_stage

PARAMS = ROOT / "params.yaml"
N = {"train": 240, "val": 30, "test": 90}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with params.yaml and one small packed dataset."""
    root = tmp_path_factory.mktemp("project")
    shutil.copy(PARAMS, root / "params.yaml")
    folder = root / "data" / "photo_digits" / "packed"
    folder.mkdir(parents=True)
    images, labels, _ = planted(sum(N.values()), 2, 0.9, seed=0)
    splits = np.repeat(list(N), list(N.values()))
    np.save(folder / "images.npy", images)
    np.save(folder / "masks.npy", np.full(images.shape[:3], 255, np.uint8))
    samples = pd.DataFrame(
        {
            "id": np.arange(len(labels)),
            "file": "",
            "label": labels,
            "split": splits,
            "attr_photo": np.where(labels == 1, "sea", "sky"),
        }
    )
    write_samples(folder, samples)
    attributes = [AttributeInfo(name="photo", values=["sky", "sea"], origin="annotated")]
    save_artifact(folder / "dataset.json", make_info(2, attributes))
    return root


@pytest.fixture(scope="module")
def out(project: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        run_stage("color", "photo_digits")
    return project / "audit" / "photo_digits"


def test_the_stage_writes_its_three_files(out: Path) -> None:
    assert {path.name for path in out.iterdir()} == {
        "color.json",
        "metrics.json",
        "color_predictions.parquet",
    }
    result = load_artifact(out / "color.json", ColorResult)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["color_only_kappa"] == pytest.approx(result.color_only.kappa, abs=1e-5)
    assert metrics["findings"] == len(result.findings) > 0
    assert metrics["label_given_photo_kappa"] is None  # every photo shows one label
    assert result.attributes[0].attribute == "photo"
    assert result.regions[-2:] == ["background", "foreground"]


def test_a_second_run_writes_the_same_predictions_and_one_line(
    project: Path, out: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = (out / "color_predictions.parquet").read_bytes()
    monkeypatch.chdir(project)
    with caplog.at_level(logging.INFO, logger="pipeline"):
        run_stage("color", "photo_digits")
    assert (out / "color_predictions.parquet").read_bytes() == before
    assert len(caplog.messages) == 2
    assert "shortcut-audit hygiene photo_digits" in caplog.messages[0], "copies were not looked for"
    assert "color findings in whole, ring, center, background, foreground" in caplog.messages[1]


def test_predictions_are_read_back_in_the_order_of_the_test_split(project: Path, out: Path) -> None:
    test = load_packed_split(project / "data" / "photo_digits" / "packed", "test")
    predictions = load_color_predictions(out / "color_predictions.parquet", test)
    assert len(predictions.predicted) == len(predictions.p_true) == N["test"]
    accuracy = np.mean([(predictions.predicted == test.labels)[test.labels == k].mean() for k in range(2)])
    result = load_artifact(out / "color.json", ColorResult)
    assert accuracy == pytest.approx(result.color_only_test.balanced_accuracy)


def test_predictions_of_other_data_and_missing_ones_are_refused(out: Path) -> None:
    images, labels, _ = planted(N["test"], 2, 0.5, seed=0)
    other = make_split("test", images, labels)
    with pytest.raises(ArtifactError, match="other images"):
        load_color_predictions(out / "color_predictions.parquet", other)
    with pytest.raises(ArtifactError, match=r"other data.*: dvc repro color@photo_digits"):
        load_color_predictions(out / "color_predictions.parquet", replace(other, packing="other"))
    with pytest.raises(ArtifactError, match="does not exist"):
        load_color_predictions(out / "nothing.parquet", other)
