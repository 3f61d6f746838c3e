"""DVC itself and the shipped dvc.yaml: what runs after an edit. The work of the stages alone is left out."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from pipeline.artifacts.outputs import DATASET_STAGES, METHOD_STAGES, stage_outputs
from tests import ROOT
from tests.unit.plan.test_replay import set_key

# every output holds what the stage was told, so that another plan gives other files
STUB = """
import json, pathlib, sys
told = pathlib.Path(".plan", *sys.argv[2:3], "-".join([sys.argv[1], *sys.argv[3:]]) + ".json").read_text()
for name in json.loads(pathlib.Path("outputs.json").read_text())[" ".join(sys.argv[1:])]:
    path = pathlib.Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{name} {told}")
"""
METHODS = ("erm", "repair")
LOOKED_AT = {"plan": ["always changed"]}  # all that is to do where nothing is


def write_outputs() -> None:
    """The files that each stage writes; of a folder of files one file."""
    names = [("index",), *((stage, "photo_digits") for stage in DATASET_STAGES)]
    names += [(stage, "photo_digits", method) for stage in METHOD_STAGES for method in METHODS]
    in_folders = {"weights": "seed_0.safetensors", "overlays": "worst.png"}
    outputs = {
        " ".join(name): [str(path / in_folders.get(path.name, "")) for path, _ in stage_outputs(*name)]
        for name in names
    }
    Path("outputs.json").write_text(json.dumps(outputs))


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repo]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "installed"))  # before what is installed with the tests
    shutil.copytree(ROOT / "pipeline", "installed/pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".dvcignore", "params.yaml"):
        shutil.copy(ROOT / name, name)
    stages = re.sub(r".*shortcut-audit preflight.*\n", "", (ROOT / "dvc.yaml").read_text())
    Path("dvc.yaml").write_text(re.sub(r"shortcut-audit (?!plan\b)", "python stub.py ", stages))
    Path("stub.py").write_text(STUB)
    write_outputs()
    edit({"active_methods": list(METHODS), "explained_methods": ["erm"]})
    with Repo.init(no_scm=True) as found:
        found.config["core"]["analytics"] = False
        yield found


def edit(values: dict[str, Any]) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(Path("params.yaml").read_text())
    for place, value in values.items():
        set_key(params, place, value)
    with Path("params.yaml").open("w") as file:
        yaml.dump(params, file)


def ran(repo: Repo) -> set[str]:
    return {stage.addressing for stage in repo.reproduce()}


@pytest.mark.slow
def test_dvc_runs_what_an_edit_decides_and_nothing_else(repo: Repo) -> None:
    assert ran(repo) == {stage.addressing for stage in repo.index.stages}
    assert repo.status() == LOOKED_AT
    lock = Path("dvc.lock").read_bytes()
    assert ran(repo) == {"plan"}, "it looks, and nothing is out of date"
    assert Path("dvc.lock").read_bytes() == lock
    style = Path("installed/pipeline/report/page/templates/style.css")
    style.write_text(style.read_text() + "/* a comment */")
    edit({"datasets.photo_digits.train.workers": 2})
    assert ran(repo) == {"plan", "report@photo_digits", "index"}
    assert repo.status() == LOOKED_AT
