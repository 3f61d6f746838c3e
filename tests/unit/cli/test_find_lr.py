"""`find-lr`: what it prints can be written into params.yaml, and nothing is written by it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.cli import find_lr
from pipeline.cli.main import main
from pipeline.plan.params_file import read_params
from pipeline.settings.parsing import deep_merge
from pipeline.train import range_test
from tests.fixtures.demo import write_params
from tests.fixtures.stages import run_stage

pytestmark = pytest.mark.slow


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(find_lr, "N_SEEDS", 1)  # quicker, and rougher
    monkeypatch.setattr(range_test, "N_RATES", 50)
    monkeypatch.setattr(range_test, "WIDTH", 2.0)
    write_params(tmp_path, train={"width": 4, "epochs": 2}, n_train=400, n_val=100, n_test=40, strength=0.9)
    run_stage("data", "photo_digits")
    run_stage("groups", "photo_digits")
    return tmp_path


def files(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def add(folder: Path, entry: dict[str, Any]) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((folder / "params.yaml").read_text())
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(deep_merge(params, entry), file)


def test_the_suggestion_is_typed_as_printed_and_nothing_is_written(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(demo)
    said = {}
    for method in ("erm", "group_dro"):
        if method == "group_dro":  # with a rate of its own
            add(demo, {"datasets": {"photo_digits": {"methods": {method: {"train": {"lr": 0.007}}}}}})
            before = files(demo)
        assert main(["find-lr", "photo_digits", method]) == 0
        said[method] = capsys.readouterr().out
        assert files(demo) == before
    for method, now in (("erm", 0.02), ("group_dro", 0.007)):
        assert f"train.lr is {now:g} now" in said[method]
        suggested = float(re.search(r"suggested: ([^,]+),", said[method]).group(1))  # type: ignore[union-attr]
        assert 1e-4 < suggested < 1
        add(demo, YAML(typ="safe", pure=True).load(said[method].partition("In params.yaml:\n")[2]))
        assert read_params().dataset("photo_digits").train_for(method).lr == suggested
    assert main(["find-lr", "photo_digits", "dfr"]) == 0, "it has ERM's network"
    assert capsys.readouterr().out.startswith("photo_digits, erm: ")
    assert main(["find-lr", "photo_digits", "jtt"]) == 0
    assert "jtt draws images by what another network says" in capsys.readouterr().out


def test_what_it_needs_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path)
    assert main(["find-lr", "photo_digits", "erm"]) == 1
    assert "dataset.json does not exist. Run `dvc repro`" in capsys.readouterr().err
