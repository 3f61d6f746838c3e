"""`params.schema.json`: what editors accept and refuse, and that it is of this code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from pipeline.cli.main import main
from pipeline.plan.schema import SCHEMA_PATH, is_stale, params_schema
from tests import ROOT


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = params_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture
def raw() -> dict[str, Any]:
    values: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
    return values


def test_the_shipped_schema_is_of_this_code_and_params_names_it() -> None:
    assert not is_stale(ROOT / SCHEMA_PATH), "run: python -m pipeline check --write-schema"
    first = (ROOT / "params.yaml").read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={SCHEMA_PATH}"


def test_the_shipped_params_fit(validator: Draft202012Validator, raw: dict[str, Any]) -> None:
    assert [error.message for error in validator.iter_errors(raw)] == []


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("train", {"epoch": 3}),
        ("train", {"epochs": 0}),
        ("train", {"epochs": "many"}),
        ("train", {"model": 18}),
        ("trian", {}),
        ("methods", {"irm": {}}),
        ("methods", {"jtt": {"train": {"lrr": 1}}}),
        ("methods", {"jtt": {"identification": {"epochs": 0}}}),
        ("source", {"kind": "table", "path": "x"}),
        ("source", {"kind": "folder", "path": "x", "pth": "y"}),
        ("gate", {"use": "hope"}),
        ("train", None),
    ],
)
def test_what_check_refuses_editors_underline(
    validator: Draft202012Validator, raw: dict[str, Any], section: str, value: Any
) -> None:
    raw["datasets"]["photo_digits"][section] = value
    assert list(validator.iter_errors(raw))


@pytest.mark.parametrize("name", ["Birds", "a-b"])
def test_names_are_checked(validator: Draft202012Validator, raw: dict[str, Any], name: str) -> None:
    raw["datasets"][name] = {"source": {"kind": "folder", "path": "x"}}
    assert list(validator.iter_errors(raw))


def test_editors_show_what_a_key_means(validator: Draft202012Validator) -> None:
    width = params_schema()["$defs"]["TrainSettings"]["properties"]["width"]
    assert width["description"] == "first stage's channels of small_resnet"


def test_check_says_when_it_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    assert main(["check"]) == 0
    assert "schema" not in capsys.readouterr().out, "who has none misses none"
    SCHEMA_PATH.write_text("{}")
    assert main(["check"]) == 0
    assert "warning: params.schema.json" in capsys.readouterr().out
    assert main(["check", "--write-schema"]) == 0
    assert "warning" not in capsys.readouterr().out
    assert json.loads(SCHEMA_PATH.read_text())["$defs"]
