"""Commands before a run, in a project whose models were trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.cli.main import main
from tests import ROOT
from tests.fixtures.brought import save_timm
from tests.fixtures.data import save_classes


def activate(models: dict[str, Any], *methods: str) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((ROOT / "params.yaml").read_text())
    params |= {"models": models, "active_methods": list(methods), "explained_methods": list(methods)}
    with Path("params.yaml").open("w") as file:
        yaml.dump(params, file)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save_timm(tmp_path / "net", names=["digits 0-4", "digits 5-9"])
    return tmp_path


NET = {"kind": "timm", "path": "net"}


@pytest.mark.parametrize("methods", [("mine",), ("erm", "mine"), ("mine", "dfr")])
def test_check_and_preflight_take_them(
    place: Path, methods: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    activate({"mine": NET}, *methods)
    assert main(["check"]) == 0
    assert "params.yaml is valid" in capsys.readouterr().out
    assert main(["preflight", "photo_digits", "--no-timing"]) == 0
    said = capsys.readouterr().out
    assert "what the report can answer" in said
    assert "mine was trained elsewhere: train.seeds does nothing for it" in said
    assert ("the answers above are of erm" in said) == (methods == ("mine",))


def test_preflight_says_what_a_table_cannot_be_asked(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    activate({"mine": {"kind": "predictions", "path": "table.csv"}}, "mine")
    assert main(["preflight", "photo_digits", "--no-timing"]) == 0
    assert "mine is a table of predictions: 2 used and 4 caused by cannot be asked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"kind": "predictions", "path": "no.csv"}, "models.mine.path: no.csv does not exist. Give a table"),
        ({"kind": "timm", "path": "no"}, "models.mine.path: no does not exist. Give the folder"),
        ({"kind": "huggingface", "path": "."}, "models.mine.path: . has no config.json. Give the folder"),
        ({"kind": "python", "path": "no.py:make"}, "models.mine.path: no.py does not exist. Give the file"),
        ({**NET, "weights": ["net"]}, "models.mine.weights: net is a folder. Give a file of weights"),
        ({**NET, "weights": ["a.safetensors"]}, "models.mine.weights: a.safetensors does not exist"),
        (
            {**NET, "checkpoints": [["a.safetensors"]]},
            "models.mine.checkpoints: a.safetensors does not exist",
        ),
    ],
)
def test_what_is_not_there_is_said_before_anything_runs(
    place: Path, entry: dict[str, Any], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    activate({"mine": entry}, "erm", "mine")
    for command in ("check", "plan"):
        assert main([command]) == 1
        assert says in capsys.readouterr().err


def test_a_new_dataset_is_added_beside_them_and_activated_without_models_of_others(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_classes(place / "photos")
    activate({"mine": {**NET, "datasets": ["photo_digits"]}, "other": NET}, "mine", "other")
    assert main(["new-dataset", "photos", "photos", "--activate", "--no-timing"]) == 0
    assert "left out of active_methods: mine. It is a model of photo_digits" in capsys.readouterr().out
    params = YAML(typ="safe", pure=True).load(Path("params.yaml").read_text())
    assert params["active_methods"] == ["other"] == params["explained_methods"]
