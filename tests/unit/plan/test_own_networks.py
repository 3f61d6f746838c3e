"""`train.model: models.<name>`: what stages are told, what trains again, and what wrong entries are told."""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML
from safetensors.torch import save_file

from pipeline.cli.main import main
from pipeline.core.errors import InputError
from pipeline.plan.params import Params
from pipeline.plan.resolve import resolve
from pipeline.plan.schema import params_schema
from pipeline.settings.base import deciding
from pipeline.settings.parsing import deep_merge, parse
from tests import ROOT
from tests.fixtures.own_networks import NETS

DATASET = "photo_digits"
NET: dict[str, Any] = {"kind": "python", "path": "nets.py:small", "classes": ["digits 0-4", "digits 5-9"]}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NETS)
    for name in ("a", "b"):
        save_file({"x": torch.zeros(1)}, f"{name}.safetensors")
    return tmp_path


@functools.cache
def shipped() -> dict[str, Any]:
    """With two of its datasets: others ask timm for their networks."""
    raw: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
    return raw | {"datasets": {name: raw["datasets"][name] for name in (DATASET, "cifar100")}}


def raw_params(
    *, entry: dict[str, Any] = NET, active: tuple[str, ...] = ("erm", "jtt", "repair"), **train: Any
) -> dict[str, Any]:
    """The demo with a method of each sort, trained with an entry of `models`."""
    raw = copy.deepcopy(shipped()) | {"active_methods": list(active), "explained_methods": [active[0]]}
    raw["models"] = {
        "mine": entry,
        "other": {**NET, "path": "nets.py:NoHead"},
        "table": {"kind": "predictions", "path": "table.csv"},
    }
    methods = train.pop("methods", {})
    demo = {"train": {"model": "models.mine", **train}, "methods": methods}
    raw["datasets"][DATASET] = deep_merge(raw["datasets"][DATASET], demo)
    return raw


def write(**changes: Any) -> None:
    with Path("params.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump(raw_params(**changes), file)


def told(stage: str, method: str | None = "erm", **changes: Any) -> dict[str, Any]:
    found = resolve(parse(Params, raw_params(**changes)), stage, DATASET, *([method] if method else []))
    assert found is not None
    return deciding(found)


def test_every_stage_that_trains_is_told_all_of_the_network(place: Path) -> None:
    networks = [
        told("train")["train"],
        told("train", "repair")["base"]["train"],
        told("train", "jtt")["further"]["identification"],
        told("retrain")["train"],
        told("groups", None)["base"]["train"],
    ]
    for train in networks:
        assert train["network"]["entry"]["path"] == "nets.py:small"
        assert list(train["network"]["files"]) == ["nets.py"]
        assert train["model"] == "models.mine"
    assert json.loads(json.dumps(networks[0])) == networks[0]


def test_a_method_may_train_another_network_or_the_embedded_one(place: Path) -> None:
    methods = {"jtt": {"train": {"model": "models.other"}}, "erm": {"train": {"model": "small_resnet"}}}
    assert told("train", "jtt", methods=methods)["train"]["network"]["entry"]["path"] == "nets.py:NoHead"
    assert told("train", "erm", methods=methods)["train"]["network"] is None
    assert told("train", "repair", methods=methods)["base"]["train"]["network"] is None


@pytest.mark.parametrize(
    ("changed", "is_other"),
    [
        ({"entry": {**NET, "args": {"n_out": 2}}}, True),
        ({"entry": {**NET, "mean": [0.5] * 3}}, True),
        ({"entry": {**NET, "layer": "net.0", "datasets": [DATASET]}}, False),
        ({"entry": {**NET, "weights": ["a.safetensors"]}}, False),
        ({"entry": {**NET, "weights": ["a.safetensors"]}, "pretrained": True}, True),
    ],
)
def test_what_decides_the_network_trains_again_and_nothing_else(
    place: Path, changed: dict[str, Any], is_other: bool
) -> None:
    assert (told("train", **changed) != told("train")) == is_other


def test_an_edited_file_trains_again(place: Path) -> None:
    def plans() -> list[dict[str, Any]]:
        first = {"entry": {**NET, "weights": ["a.safetensors", "b.safetensors"]}}
        return [
            told("train"),
            told("train", **first, pretrained=True),
            told("train", pretrained="a.safetensors"),
            told("retrain", **first, pretrained=True),
        ]

    before = plans()
    save_file({"x": torch.ones(1)}, "a.safetensors")
    other_weights = plans()
    assert [a != b for a, b in zip(before, other_weights, strict=True)] == [False, True, True, True]
    Path("nets.py").write_text(NETS + "\n")
    assert all(a != b for a, b in zip(other_weights, plans(), strict=True))


def test_maps_are_of_the_layer_that_the_entry_names(place: Path) -> None:
    plan = told("gradcam", entry={**NET, "layer": "net.0"})
    assert plan["gradcam"]["layer"] == "net.0"
    methods = {"erm": {"train": {"model": "small_resnet"}}}
    assert told("gradcam", entry={**NET, "layer": "net.0"}, methods=methods)["gradcam"]["layer"] == "auto"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"model": "models.mini"},
            r"train.model = models.mini: there is no such entry; did you mean 'mine'\?.*new-model NAME",
        ),
        ({"model": "mine"}, r"train.model = mine is not known. Write train.model: models.mine."),
        ({"model": "mnie"}, r"mnie is not known; did you mean 'mine'\? Write models. before the name"),
        ({"model": "models.table"}, r"models.table is a table of predictions, and a network is needed"),
        (
            {"entry": {**NET, "datasets": ["waterbirds"]}},
            r"models.mine is a model of waterbirds \(models.mine.datasets\), not of photo_digits. Add",
        ),
        (
            {"model_args": {"depth": 2}},
            r"train.model_args = .*of timm's networks.*into its entry \(models.mine.args",
        ),
        ({"input_size": 64}, r"train.input_size = 64 .* Write input_size: null, .*models.mine.input_size"),
        ({"network": None}, r"train.network is not yours to write.*train: { model: models.NAME }"),
        (
            {"methods": {"erm": {"train": {"network": {}}}}},
            r"methods.erm.train.network is not yours to write",
        ),
        (
            {"methods": {"jtt": {"identification": {"model": "models.x"}}}},
            r"models.x: there is no such entry",
        ),
        (
            {"networks": 1},
            r"train.networks is not a known key; did you mean 'workers'\? Allowed here: model, model_args,",
        ),
    ],
)
def test_wrong_entries_are_said_with_the_remedy(place: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=f"(?s){says}"):
        parse(Params, raw_params(**changes)).dataset(DATASET)


def test_an_entry_for_other_datasets_may_be_the_default_of_those(place: Path) -> None:
    found = raw_params(entry={**NET, "datasets": [DATASET]})
    found["defaults"]["train"]["model"] = "models.mine"
    wide = parse(Params, found)
    wide.check()
    with pytest.raises(
        InputError, match=r"not of cifar100. Add cifar100 there, or set datasets.cifar100.train"
    ):
        wide.dataset("cifar100")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"entry": {**NET, "path": "no.py:make"}}, "models.mine.path: no.py does not exist. Give the file"),
        (
            {"entry": {**NET, "weights": ["no.safetensors"]}, "pretrained": True},
            "models.mine.weights: no.safetensors does not exist",
        ),
        ({"pretrained": "no"}, "train.pretrained = no does not exist. Give a file of weights, or a folder"),
        ({"entry": {"kind": "timm", "path": "no"}}, "models.mine.path: no does not exist. Give the folder"),
    ],
)
def test_missing_files_are_said_before_anything_runs(
    place: Path, changes: dict[str, Any], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(**changes)
    for command in ("check", "plan"):
        assert main([command]) == 1
        assert says in capsys.readouterr().err
    entry = {**NET, "weights": ["no.safetensors"]}
    assert told("train", entry=entry), "weights that nothing starts from may be gone"


@pytest.mark.slow
def test_preflight_times_it_and_says_where_it_cannot(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for entry, says in (
        (NET, "time on this machine"),
        (
            {**NET, "classes": ["a", "b"]},
            "a training step of erm fails with these settings: models.mine: the model has no output for",
        ),
    ):
        write(active=("erm",), entry=entry)
        assert main(["preflight", DATASET]) == 0
        assert says in capsys.readouterr().out


def test_editors_are_not_offered_what_nobody_writes() -> None:
    schema = params_schema()
    assert "network" not in schema["$defs"]["TrainSettings"]["properties"]
    assert "OwnNetwork" not in schema["$defs"]
