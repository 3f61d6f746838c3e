"""A network of our own, given as somebody else's: every stage says of it what it says of the method."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from scipy.special import softmax

from pipeline.artifacts.checkpoints import load_weights
from pipeline.artifacts.datasets import load_samples, load_split
from pipeline.artifacts.files import load_artifact
from pipeline.artifacts.maps import load_maps
from pipeline.artifacts.not_trained import why_not_trained
from pipeline.artifacts.paths import data_folders
from pipeline.models.fused import fuse_for_prediction
from pipeline.models.predict import predict_logits
from pipeline.records.attribution import AttributionResult
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.indicators import Indicator, IndicatorsResult
from pipeline.records.report import Report
from pipeline.verdict.phrases import why_not_by_validation
from tests.fixtures.demo import write_params
from tests.fixtures.readme import yaml_blocks
from tests.fixtures.stages import run_stage

pytestmark = pytest.mark.slow
DATASET, CLASSES = "photo_digits", ["digits 0-4", "digits 5-9"]
NETS = """
from torch import nn
from pipeline.models.registry import build_model

def own():
    return build_model(
        "small_resnet", n_classes=2, width=4, stem_stride=2, image_size=32, pretrained=False,
        mean=[0] * 3, std=[1] * 3, seed=1,
    )

class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        net = own()
        self.mean, self.std = nn.Buffer(net.mean), nn.Buffer(net.std)
        self.stages, self.head = net.stages, net.head

    def forward(self, x):
        return {"logits": self.head(self.stages((x - self.mean) / self.std).mean((2, 3)))}
"""


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("brought")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_params(folder, train={"epochs": 2, "width": 4}, n_train=500, n_val=100, n_test=200)
        (folder / "nets.py").write_text(NETS)
        for stage in ("data", "hygiene", "color", "cues", "groups"):
            run_stage(stage, DATASET)
        _activate(folder, {})
        for stage in ("train", "evaluate", "indicators", "retrain", "attribute", "gradcam"):
            run_stage(stage, DATASET, "erm")
        _write_table()
        _write_probabilities()
        written, _ = yaml_blocks("Your own model")
        _activate(folder, written["models"], written)
        _audit("mine")
        shutil.copy(f"reports/{DATASET}.json", "readme.json")
        weights = f"models/{DATASET}/erm/weights/seed_0.safetensors"
        network = {"kind": "python", "weights": weights, "classes": CLASSES}
        models = {
            "same": network | {"path": "nets.py:own"},
            "plain": network | {"path": "nets.py:Plain"},
            "table": {"kind": "predictions", "path": "predictions.csv"},
            "sure": {"kind": "predictions", "path": "probabilities.csv"},
        }
        _activate(folder, models)
        _audit(*models)
        yield folder


def _audit(*names: str) -> None:
    for name in names:
        for stage in ("train", "evaluate", "indicators", "retrain", "attribute", "gradcam"):
            run_stage(stage, DATASET, name)
    run_stage("verdict", DATASET)
    run_stage("report", DATASET)


def _activate(folder: Path, models: dict[str, Any], written: Mapping[str, Any] = {}) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((folder / "params.yaml").read_text())
    params |= {
        "active_methods": ["erm", *models],
        "explained_methods": ["erm", *models],
        "models": models,
    }
    params |= written
    params["datasets"][DATASET]["retrain"] = {"subsets": 0}
    params["datasets"][DATASET]["gradcam"] |= {
        "faithfulness_images": 20,
        "faithfulness_steps": 4,
        "sanity_images": 10,
    }
    params["datasets"][DATASET]["evaluate"] = {"max_images": 100}
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)


def _write_table() -> None:
    found = pd.read_parquet(f"evaluation/{DATASET}/erm/predictions.parquet")
    found = found.merge(load_samples(data_folders(DATASET).packed)[["id", "file"]], on="id")
    names = [CLASSES[k] for k in found["predicted"]]
    pd.DataFrame({"file": found["file"], "predicted": names}).to_csv("predictions.csv", index=False)


def _write_probabilities() -> None:
    """Of the network, as somebody would write them."""
    net = fuse_for_prediction(load_weights(Path(f"models/{DATASET}/erm/weights/seed_0.safetensors")))
    parts = []
    for split in (load_split(data_folders(DATASET), name) for name in ("val", "test")):
        logits_NK = predict_logits(net, np.asarray(split.images))
        sure_NK = softmax(logits_NK.astype(np.float64), axis=1)
        parts.append(
            pd.DataFrame(
                {"id": split.ids, **{f"prob_{c}": p for c, p in zip(CLASSES, sure_NK.T, strict=True)}}
            )
        )
    pd.concat(parts).to_csv("probabilities.csv", index=False)


def evaluation(name: str) -> EvaluationResult:
    return load_artifact(Path(f"evaluation/{DATASET}/{name}/evaluation.json"), EvaluationResult)


def attribution(name: str) -> AttributionResult:
    return load_artifact(Path(f"attribution/{DATASET}/{name}/attribution.json"), AttributionResult)


@pytest.mark.parametrize("name", ["same", "plain", "table", "sure"])
def test_accuracies_are_the_same_to_the_last_digit(audited: Path, name: str) -> None:
    ours, theirs = evaluation("erm"), evaluation(name)
    assert theirs.test == ours.test
    assert theirs.val == ours.val
    assert theirs.class_skill == ours.class_skill
    assert theirs.color_agreement == ours.color_agreement
    assert theirs.is_brought
    assert theirs.optimism is None, "which validation images it has seen is not known"


def _calibration(name: str) -> Indicator:
    found = load_artifact(Path(f"indicators/{DATASET}/{name}/indicators.json"), IndicatorsResult)
    return next(indicator for indicator in found.indicators if indicator.name == "calibration")


def test_calibration_is_the_same_to_the_last_digit_and_classes_alone_have_none(audited: Path) -> None:
    ours, same, sure, table = (_calibration(name) for name in ("erm", "same", "sure", "table"))
    assert ours.overall is not None
    assert same == sure == ours
    assert table.overall is None
    assert table.why_not == "The table of predictions has no probabilities."


@pytest.mark.parametrize("name", ["same", "plain"])
def test_what_changed_images_do_is_the_same(audited: Path, name: str) -> None:
    ours, theirs = evaluation("erm"), evaluation(name)
    assert theirs.interventions == ours.interventions
    assert theirs.cue_use == ours.cue_use


@pytest.mark.parametrize("name", ["same", "plain"])
def test_attributions_are_the_same(audited: Path, name: str) -> None:
    ours, theirs = attribution("erm"), attribution(name)
    scores = [[influence.score for influence in found.most_harmful_to_worst] for found in (ours, theirs)]
    np.testing.assert_allclose(scores[1], scores[0], rtol=1e-5)
    assert [i.id for i in theirs.most_harmful_to_worst] == [i.id for i in ours.most_harmful_to_worst]
    if name == "same":
        assert theirs.groups == ours.groups


def test_maps_are_the_same(audited: Path) -> None:
    ours, theirs, plain = (
        load_maps(Path(f"gradcam/{DATASET}/{m}/maps.npz")) for m in ("erm", "same", "plain")
    )
    np.testing.assert_array_equal(theirs.maps_SNhw, ours.maps_SNhw)
    # of a network whose stages nobody named the last map that is large enough lies within a stage
    assert plain.maps_SNhw.shape == ours.maps_SNhw.shape
    assert (plain.maps_SNhw.max(axis=(2, 3)) > 0).mean() > 0.8


def test_a_table_says_what_it_cannot_answer(audited: Path) -> None:
    theirs = evaluation("table")
    assert theirs.only_predictions
    assert theirs.interventions == []
    for stage in ("attribute", "gradcam"):
        assert "is a table of predictions" in str(why_not_trained(stage, DATASET, "table"))
    report = Report.model_validate_json(Path(f"reports/{DATASET}.json").read_text())
    used = report.verdict.methods["table"].used
    assert used.status == "insufficient"
    assert "use is not tested" in used.evidence
    parts = {(part.stage, part.method) for part in report.verdict.missing}
    assert parts == {(stage, name) for stage in ("attribute", "gradcam") for name in ("table", "sure")}
    page = Path(f"reports/{DATASET}.html").read_text()
    assert "is a table of predictions" in page
    assert json.loads(Path(f"models/{DATASET}/table/metrics.json").read_text()) == {}


def test_a_table_as_in_the_readme_is_a_report_of_its_own(audited: Path) -> None:
    report = Report.model_validate_json(Path("readme.json").read_text())
    assert list(report.methods) == ["mine"]
    assert report.methods["mine"].test == evaluation("erm").test
    answers = {rung.rung: rung.status for rung in report.verdict.rungs}
    assert answers["used"] == "insufficient"
    assert answers["available"] == "yes"


def test_a_model_that_may_have_seen_validation_images_is_not_chosen_by_them(audited: Path) -> None:
    report = Report.model_validate_json(Path(f"reports/{DATASET}.json").read_text())
    advised = report.verdict.recommendation
    assert advised.method not in ("same", "plain", "table", "sure")
    assert all(candidate.why_not for candidate in advised.validation.candidates)
    assert why_not_by_validation(evaluation("same")).startswith("it was trained elsewhere")
