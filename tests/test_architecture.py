"""The house rules that a linter does not know: what stages depend on, and what DVC is told."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import grimp
import pytest
from ruamel.yaml import YAML

from pipeline.cli.main import DATASET_STAGES, METHOD_STAGES
from pipeline.settings.params import SECTIONS
from tests import ROOT

# Reading settings, taking locks and formatting small tables decide no number; listing these files as
# dependencies would rerun every stage when one is touched.
NOT_TRACKED = {
    "pipeline",
    "pipeline.stages",
    "pipeline.artifacts.params_file",
    "pipeline.artifacts.running",
    "pipeline.artifacts.source_overlap",
}


def read_yaml(name: str) -> Any:
    return YAML(typ="safe", pure=True).load((ROOT / name).read_text())


STAGES: dict[str, Any] = read_yaml("dvc.yaml")["stages"]


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("pipeline", cache_dir=None)


def stage_body(name: str) -> dict[str, Any]:
    body: dict[str, Any] = STAGES[name]
    return body.get("do", body)


def module_path(module: str) -> str:
    path = ROOT / module.replace(".", "/")
    return str((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).relative_to(ROOT))


@pytest.mark.parametrize("stage", STAGES)
def test_stage_lists_every_module_it_imports(stage: str, graph: grimp.ImportGraph) -> None:
    entry = f"pipeline.stages.{stage}"
    imported = graph.find_upstream_modules(entry) | {entry}
    deps = [dep for dep in stage_body(stage)["deps"] if dep.startswith("pipeline")]
    missing = [
        module_path(module)
        for module in sorted(imported - NOT_TRACKED)
        if not any(module_path(module) == dep or module_path(module).startswith(dep + "/") for dep in deps)
    ]
    assert not missing, f"dvc.yaml: stage {stage} imports these but does not depend on them: {missing}"


@pytest.mark.parametrize("stage", STAGES)
def test_stage_lists_no_module_it_does_not_import(stage: str, graph: grimp.ImportGraph) -> None:
    entry = f"pipeline.stages.{stage}"
    imported = {module_path(m) for m in graph.find_upstream_modules(entry) | {entry}}
    idle = [
        dep
        for dep in stage_body(stage)["deps"]
        if dep.startswith("pipeline")
        and not any(path == dep or path.startswith(dep + "/") for path in imported)
    ]
    assert not idle, f"dvc.yaml: stage {stage} reruns needlessly when these change: {idle}"


def test_every_stage_is_a_command_and_the_other_way_round() -> None:
    assert set(STAGES) == {*DATASET_STAGES, *METHOD_STAGES, "guard", "index"}


def test_every_settings_section_is_tracked_with_its_defaults() -> None:
    tracked = {param for stage in STAGES for param in stage_body(stage).get("params", [])}
    assert {"defaults", "datasets.${item}"} <= tracked, "the report prints and hashes all settings"
    for section in set(SECTIONS) - {"report"}:
        assert any(f".{section}" in param and param.startswith("datasets.") for param in tracked), section
        assert any(param.startswith(f"defaults.{section}") for param in tracked), section


def test_stages_depend_on_their_own_file() -> None:
    for stage in STAGES:
        assert f"pipeline/stages/{stage}.py" in stage_body(stage)["deps"]


def test_no_module_is_named_after_nothing() -> None:
    vague = {"utils", "helpers", "manager", "base_utils", "misc", "common"}
    names = {path.stem for path in (ROOT / "pipeline").rglob("*.py")}
    assert not names & vague


@pytest.mark.parametrize("module", ["stages.report", "stages.index", "cli.compare", "cli.gate", "cli.export"])
def test_what_only_formats_does_not_wait_for_torch(module: str) -> None:
    """Half of a report's memory and of its time was torch, which it does not use."""
    script = f"import sys, pipeline.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
