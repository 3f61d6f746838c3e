"""The house rules that a linter does not know: what stages depend on, and what DVC is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grimp
import pytest
from ruamel.yaml import YAML

from pipeline.artifacts.files import save_artifact
from pipeline.artifacts.plans import plan_path
from pipeline.cli.main import DATASET_STAGES, METHOD_STAGES
from pipeline.plan.fingerprint import Code
from tests import ROOT
from tests.fixtures.fresh_process import run_fresh
from tests.fixtures.report import build_report, photo_birds


def read_yaml(name: str) -> Any:
    return YAML(typ="safe", pure=True).load((ROOT / name).read_text())


OUTS = ("outs", "metrics", "plots")
STAGES: dict[str, Any] = read_yaml("dvc.yaml")["stages"]


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("pipeline", cache_dir=None)


def stage_body(name: str) -> dict[str, Any]:
    body: dict[str, Any] = STAGES[name]
    return body.get("do", body)


@pytest.mark.parametrize("stage", sorted(set(STAGES) - {"plan"}))
def test_a_stage_goes_by_its_plan_and_by_files_of_other_stages(stage: str) -> None:
    """Settings and code reach DVC through the plan alone, so that nothing else can make a stage run again."""
    item = {"matrix": "${item.dataset}"}.get(next(iter(STAGES[stage])), "${item}")
    names = [item, "${item.method}"] if stage in METHOD_STAGES else [item] if stage in DATASET_STAGES else []
    assert stage_body(stage)["params"] == [{str(plan_path(stage, *names)): None}]
    assert not [dep for dep in stage_body(stage).get("deps", []) if dep.startswith(("pipeline", "params"))]


def test_the_plan_is_looked_at_in_every_run_and_lists_no_folder_of_this_repository() -> None:
    """Where the package is installed there is no such folder, and DVC sees no update of it."""
    assert STAGES["plan"]["deps"] == ["params.yaml"]
    assert STAGES["plan"]["always_changed"] is True
    assert not [dep for stage in STAGES for dep in stage_body(stage).get("deps", []) if "pipeline" in dep]


def test_no_stage_takes_a_folder_of_the_users_for_this_package() -> None:
    """`python -m` looks in the working directory first, where a `pipeline` is common."""
    for stage in STAGES:
        commands = stage_body(stage)["cmd"]
        lines = [commands] if isinstance(commands, str) else commands
        assert all(line.split()[0] == "shortcut-audit" for line in lines), stage


def test_every_stage_is_a_command_and_the_other_way_round() -> None:
    assert set(STAGES) == {*DATASET_STAGES, *METHOD_STAGES, "plan", "index"}


def test_other_groups_repack_nothing_and_leave_color_and_hygiene() -> None:
    changed, waiting = {"groups"}, set(STAGES) - {"groups"}
    while later := {stage for stage in waiting if any(_reads(stage, of) for of in changed)}:
        changed |= later
        waiting -= later
    assert waiting == {"plan", "data", "color", "hygiene", "cues"}


def _reads(stage: str, earlier: str) -> bool:
    body = stage_body(earlier)
    made = [next(iter(o)) if isinstance(o, dict) else o for key in OUTS for o in body.get(key, [])]
    read = [dep.replace(".dataset}", "}") for dep in stage_body(stage).get("deps", [])]
    return any(f"{out.replace('.dataset}', '}')}/".startswith(f"{dep}/") for out in made for dep in read)


def test_no_module_is_named_after_nothing() -> None:
    vague = {"utils", "helpers", "manager", "base_utils", "misc", "common"}
    names = {path.stem for path in (ROOT / "pipeline").rglob("*.py")}
    assert not names & vague


def first_to_load(*modules: str) -> dict[str, str]:
    """Which of these modules of the pipeline is the first to load a library, in a process of its own."""
    script = (
        f"import importlib, sys\nseen = set()\nfor module in {modules}:\n"
        "    importlib.import_module(f'pipeline.{module}')\n"
        "    for library in {'numpy', 'torch', 'torchvision'} & set(sys.modules) - seen:\n"
        "        print(library, module)\n"
        "    seen |= set(sys.modules)"
    )
    return dict(line.split() for line in run_fresh(script).splitlines())


def test_nobody_waits_for_torch_or_torchvision_who_does_not_use_it() -> None:
    """Half of a report's memory and of its time was torch, and torchvision takes longer to load than torch,
    in each of the processes that train side by side.
    """
    without = ("core.errors", "core.types", "stages.plan", "stages.verdict", "stages.report", "stages.index")
    without += ("cli.compare", "cli.gate", "cli.export", "cli.init", "audit")
    # the first two are what is found of what is loaded
    without += ("stages.groups", "stages.retrain")  # where none is asked for
    found = first_to_load(*without, "stages.train", "methods.workers")
    assert found == {"numpy": "core.types", "torch": "stages.train"}


LOADED_LATE = {
    "scipy.stats",
    "scipy.optimize",
    "sklearn",
    "torch",
    "torchvision",
    "pytorch_grad_cam",
    "matplotlib",
}
USED_BY_ALL = {  # whatever else is slow to load loads where it is called, which may be never
    "color": {"scipy.stats", "scipy.optimize", "sklearn"},
    "train": {"torch"},
    "evaluate": {"torch"},
    "attribute": {"torch"},
    "gradcam": {"torch"},
    "indicators": {"torch"},
}


def test_a_stage_begins_without_the_slow_libraries_that_it_may_not_use() -> None:
    """A stage is a process of its own, and a run has dozens: each of these libraries is a second or more."""
    for stages in (set(STAGES) - set(USED_BY_ALL), *({stage} for stage in USED_BY_ALL)):
        modules = sorted(f"pipeline.stages.{stage}" for stage in stages)
        script = f"import importlib, sys\nfor module in {modules}: importlib.import_module(module)\n"
        loaded = run_fresh(f"{script}print(*{LOADED_LATE} & set(sys.modules))").split()
        assert set(loaded) == USED_BY_ALL.get(min(stages), set()), stages


def test_the_report_decides_nothing(graph: grimp.ImportGraph) -> None:
    """An edit of a statistic reruns no page that it does not change, and no edit of a page a bootstrap."""
    for stage in ("report", "index"):
        files = Code().files(f"pipeline.stages.{stage}")
        rooms = {path: path.relative_to(ROOT / "pipeline").parts[0] for path in files}
        judging = [path.name for path, room in rooms.items() if room in ("statistics", "verdict")]
        assert set(judging) <= {"phrases.py"}, stage
    verdict = graph.find_upstream_modules("pipeline.stages.verdict")
    assert not {module for module in verdict if module.startswith("pipeline.report")}


def test_the_gate_waits_for_no_library_of_statistics(tmp_path: Path) -> None:
    """What it asks is in the report; it shall answer within a second."""
    report = tmp_path / "birds.json"
    save_artifact(report, build_report(photo_birds()))
    script = (
        "import sys; from pipeline.cli.main import main\n"
        f"status = main(['gate', {str(report)!r}, '--min-worst-group', '0.3', '--max-gap', '0.9', "
        "'--max-flip-rate', '1', '--max-leaking', '1', '--forbid', 'harmful', '--method', 'all'])\n"
        "print(status, *sorted({'torch', 'matplotlib', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    assert run_fresh(script).splitlines()[-1] == "1"
