"""Networks of a user's own through every stage: trained again from one recipe, and repaired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML
from safetensors.torch import load_file

from pipeline.artifacts.checkpoints import load_weights
from pipeline.artifacts.datasets import load_info
from pipeline.artifacts.files import load_artifact
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
FOUND = {"erm": "small_resnet", "embedded": "models.embedded"}  # folder kept -> network
CHAINS = {"hf": ["hf", "erm", "repair"], "wrapped": ["erm", "repair"]}  # network -> methods


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
        for network, methods in CHAINS.items():
            _activate(f"models.{network}", methods, explained=methods[:1], seeds=[0])
            for method in methods:
                for stage in ("train", "evaluate", "indicators"):
                    run_stage(stage, DATASET, method)
            for stage in ("retrain", "attribute", "gradcam"):
                run_stage(stage, DATASET, methods[0])
            run_stage("verdict", DATASET)
            run_stage("report", DATASET)
            for ending in ("json", "html"):
                Path(f"reports/{DATASET}.{ending}").rename(f"{network}.{ending}")
        yield folder


def _activate(
    network: str, methods: list[str], *, explained: Sequence[str] = (), seeds: Sequence[int] = SEEDS
) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(Path("params.yaml").read_text())
    info = load_info(data_folders(DATASET))
    args = {"mean": list(info.channel_mean), "std": list(info.channel_std), "stride": 2}
    python = {"kind": "python", "classes": CLASSES}
    params["models"] = {
        "embedded": {**python, "path": "nets.py:embedded", "args": args},
        "wrapped": {**python, "path": "nets.py:Wrapped"},
        "hf": {"kind": "huggingface", "path": "hf", "input_size": 32},
    }
    params |= {"active_methods": methods, "explained_methods": list(explained) or methods}
    demo = params["datasets"][DATASET]
    demo["train"] |= {"model": network, "seeds": list(seeds)}
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
    fields = ("test", "val", "interventions", "cue_use", "color_agreement")
    assert all(getattr(ours, key) == getattr(theirs, key) for key in fields)
    pd.testing.assert_frame_equal(
        *(pd.read_parquet(f"evaluation_{name}/predictions.parquet") for name in ("erm", "embedded"))
    )


@pytest.mark.parametrize("network", CHAINS)
def test_a_networks_recipe_is_repeated_and_repaired_beside_it(audited: Path, network: str) -> None:
    report = Report.model_validate_json(Path(f"{network}.json").read_text())
    assert list(report.methods) == CHAINS[network]
    models = {name: history.model for name, history in report.training.items()}
    assert {models.pop("hf", None), *models.values()} <= {
        None,
        "ResNetForImageClassification",
        f"models.{network}",
    }
    assert (models["erm"], models["repair"]) == (f"models.{network}",) * 2
    assert len({history.n_parameters for history in report.training.values()}) == 1
    assert report.training["repair"].removal is not None
    assert report.verdict.missing == []
    says_nothing = "its function says nothing of preprocessing"
    assert not any(says_nothing in note for note in report.training["erm"].notes), "trained as it is shown"
    page = Path(f"{network}.html").read_text()
    assert f"models.{network}" in page
    assert ("huggingface: hf" if network == "hf" else "python: nets.py:Wrapped") in page
    assert says_nothing not in page


def test_weights_are_read_back_only_with_the_function_that_the_plan_names(audited: Path) -> None:
    weights = Path(f"models/{DATASET}/erm/weights/seed_0.safetensors")
    history = load_artifact(Path("models_embedded/history.json"), TrainHistory)
    assert history.model == "models.embedded"
    own = Path("models_embedded/weights/seed_0.safetensors").read_bytes()
    _activate("models.embedded", ["erm"], seeds=[0])
    run_stage("train", DATASET, "erm")
    assert weights.read_bytes() == own, "the same bytes again, whichever other seeds there are"
    assert load_weights(weights).n_classes == 2
    source = Path("nets.py").read_text()
    Path("nets.py").write_text(f"{source}\n")
    with pytest.raises(InputError, match=r"nets.py:embedded was changed since .* Run `dvc repro`"):
        load_weights(weights)
    _activate("models.wrapped", ["erm"], seeds=[0])
    run_stage("train", DATASET, "erm")
    weights.write_bytes(own)
    with pytest.raises(
        ArtifactError, match=r"asks for the function 'nets.py:embedded', which was not called"
    ):
        load_weights(weights)
