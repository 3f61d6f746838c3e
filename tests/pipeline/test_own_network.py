"""Networks of a user's own through every stage: trained again from one recipe, and repaired."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML
from safetensors.torch import load_file

from pipeline.artifacts.checkpoints import load_weights
from pipeline.artifacts.datasets import load_info
from pipeline.artifacts.files import load_artifact
from pipeline.artifacts.not_trained import why_not_trained
from pipeline.artifacts.paths import data_folders
from pipeline.core.errors import ArtifactError, InputError
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.report import Report
from pipeline.records.training import TrainHistory
from tests.fixtures.brought import save_huggingface
from tests.fixtures.demo import write_params
from tests.fixtures.own_networks import NETS
from tests.fixtures.stages import run_stage

pytestmark = pytest.mark.slow
DATASET, CLASSES = "photo_digits", ["digits 0-4", "digits 5-9"]
SEEDS = [0, 1]
FOUND = {"erm": "small_resnet", "embedded": "models.embedded", "hf": "models.hf"}  # folder kept -> network


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """ERM of each network, kept aside; then a brought network beside ERM and repair with it."""
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train = {"epochs": 1, "width": 4, "stem_stride": 2, "seeds": SEEDS, "workers": 1}
        write_params(folder, train=train, n_train=200, n_val=60, n_test=100)
        Path("nets.py").write_text(NETS)
        save_huggingface(folder / "hf", "resnet", names=CLASSES)
        for stage in ("data", "hygiene", "color", "cues", "groups"):
            run_stage(stage, DATASET)
        for name, network in FOUND.items():
            _activate(network, ["erm"])
            for stage in ("train", "evaluate"):
                run_stage(stage, DATASET, "erm")
            for part in ("models", "evaluation"):
                Path(part, DATASET, "erm").rename(f"{part}_{name}")
        _activate("models.hf", ["hf", "erm", "repair"])
        for method in ("hf", "erm", "repair"):
            for stage in ("train", "evaluate", "retrain", "attribute", "gradcam"):
                run_stage(stage, DATASET, method)
        run_stage("verdict", DATASET)
        run_stage("report", DATASET)
        yield folder


def _activate(network: str, methods: list[str]) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(Path("params.yaml").read_text())
    info = load_info(data_folders(DATASET))
    args = {"mean": list(info.channel_mean), "std": list(info.channel_std), "stride": 2}
    python = {"kind": "python", "classes": CLASSES}
    params["models"] = {
        "embedded": {**python, "path": "nets.py:embedded", "args": args},
        "hf": {"kind": "huggingface", "path": "hf", "input_size": 32},
    }
    params["active_methods"] = params["explained_methods"] = methods
    demo = params["datasets"][DATASET]
    demo["train"]["model"] = network
    demo["methods"]["repair"] = {"fractions": [0.2], "curve_seeds": 1, "controls": False}
    demo |= {"retrain": {"subsets": 0}, "evaluate": {"max_images": 100}}
    demo["attribute"] |= {"proj_dim": 128, "targets_per_group": 2}
    few = {"faithfulness_images": 8, "faithfulness_steps": 4, "sanity_images": 4}
    demo["gradcam"] = {"images_per_group": 2, "overlays": 1, **few}
    with Path("params.yaml").open("w") as file:
        yaml.dump(params, file)


def test_the_embedded_network_as_a_function_is_trained_to_the_last_digit(audited: Path) -> None:
    for seed in SEEDS:
        ours, theirs = (
            load_file(f"models_{name}/weights/seed_{seed}.safetensors") for name in ("erm", "embedded")
        )
        assert list(ours) == list(theirs)
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    ours, theirs = (
        load_artifact(Path(f"evaluation_{name}/evaluation.json"), EvaluationResult)
        for name in ("erm", "embedded")
    )
    fields = ("test", "val", "calibration", "interventions", "cue_use", "color_agreement")
    assert all(getattr(ours, key) == getattr(theirs, key) for key in fields)
    pd.testing.assert_frame_equal(
        *(pd.read_parquet(f"evaluation_{name}/predictions.parquet") for name in ("erm", "embedded"))
    )


def test_a_networks_recipe_is_repeated_and_repaired_beside_it(audited: Path) -> None:
    report = Report.model_validate_json(Path(f"reports/{DATASET}.json").read_text())
    assert list(report.methods) == ["hf", "erm", "repair"]
    histories = report.training
    assert {name: h.model for name, h in histories.items()} == {
        "hf": "ResNetForImageClassification",
        "erm": "models.hf",
        "repair": "models.hf",
    }
    assert len({h.n_parameters for h in histories.values()}) == 1
    assert histories["repair"].removal is not None
    assert report.verdict.missing == []
    assert not any(why_not_trained(stage, DATASET, "erm") for stage in ("attribute", "gradcam"))
    note = "it was made for 64 px"
    assert not any(note in text for text in histories["erm"].notes), "input_size says 32"
    page = Path(f"reports/{DATASET}.html").read_text()
    assert "models.hf" in page
    assert "huggingface: hf" in page


def test_weights_are_read_back_only_with_the_function_that_the_plan_names(audited: Path) -> None:
    weights = Path(f"models/{DATASET}/erm/weights/seed_0.safetensors")
    history = load_artifact(Path("models_embedded/history.json"), TrainHistory)
    assert history.model == "models.embedded"
    kept, own = weights.read_bytes(), Path("models_embedded/weights/seed_0.safetensors").read_bytes()
    _activate("models.embedded", ["erm"])
    run_stage("train", DATASET, "erm")
    assert weights.read_bytes() == own
    assert load_weights(weights).n_classes == 2
    source = Path("nets.py").read_text()
    Path("nets.py").write_text(f"{source}\n")
    with pytest.raises(InputError, match=r"nets.py:embedded was changed since .* Run `dvc repro`"):
        load_weights(weights)
    _activate("models.hf", ["erm"])
    run_stage("train", DATASET, "erm")
    assert weights.read_bytes() == kept
    weights.write_bytes(own)
    with pytest.raises(
        ArtifactError, match=r"asks for the function 'nets.py:embedded', which was not called"
    ):
        load_weights(weights)
    weights.write_bytes(kept)
    Path("nets.py").write_text(source)
