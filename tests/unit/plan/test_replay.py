"""Edits, replayed: whose plan becomes another one, and so what `dvc repro` runs again.

**A new stage adds its lines to `EDITS`.** Stages of which only inputs change run when a file they read has
changed; here it is asked what the edit itself reruns.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.artifacts.outputs import DATASET_STAGES, METHOD_STAGES
from pipeline.artifacts.plans import StagePlan
from pipeline.plan.fingerprint import Code
from pipeline.plan.params import Params
from pipeline.plan.resolve import make_plan, resolve
from pipeline.plan.write import every_plan
from tests import ROOT

METHODS = ("erm", "group_dro", "subg", "dfr", "jtt", "repair")
ALL = {
    "index",
    *DATASET_STAGES,
    *(f"{stage}-{method}" for stage in METHOD_STAGES for method in METHODS),
}


def of_all(*stages: str) -> set[str]:
    """The stages, of every method where they have one."""
    return {name for name in ALL if name.split("-")[0] in stages}


def set_key(params: dict[str, Any], place: str, value: Any) -> None:
    *parents, last = place.split(".")
    for key in parents:
        params = params.setdefault(key, {})
    params[last] = value


class House:
    """A copy of the code and of params.yaml, to edit."""

    def __init__(self, folder: Path, code: Code) -> None:
        self.folder, self.code = folder, code
        self.params: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
        self.before: dict[Path, str] = {}

    def append(self, file: str, text: str) -> None:
        path = self.folder / file
        self.before[path] = path.read_text()
        path.write_text(path.read_text() + text)
        self.code = Code(folder=self.folder)

    def set(self, place: str, value: Any) -> None:
        set_key(self.params, place, value)

    def plans(self) -> dict[str, Any]:
        """By dataset, stage and method."""
        found = every_plan(Params.model_validate(self.params), self.code)
        return {path.with_suffix("").relative_to(".plan").as_posix(): plan for path, plan, _ in found}


DEMO = "datasets.photo_digits"
EDITS: dict[str, tuple[Callable[[House], None], set[str]]] = {
    "a comment in a page template": (
        lambda house: house.append("report/page/templates/section_color.html.j2", "{# a comment #}"),
        {"report", "index"},
    ),
    "a style": (
        lambda house: house.append("report/page/templates/style.css", "/* wide */"),
        {"report", "index"},
    ),
    "a statistic that only the verdict uses": (
        lambda house: house.append("statistics/cues/interaction.py", "# a comment\n"),
        {"verdict"},  # report and index follow where it decides otherwise
    ),
    "a rung of the verdict": (lambda house: house.append("verdict/harm/paying.py", "# x\n"), {"verdict"}),
    "how training goes": (
        lambda house: house.append("train/loop.py", "# x\n"),
        of_all("train", "retrain") | {"groups"},  # which asks a model
    ),
    "how a method trains, and its words": (
        lambda house: house.append("methods/jtt.py", "# x\n"),
        {"train-jtt", "retrain-jtt", "verdict", "report"},
    ),
    "the base that some start from": (
        lambda house: house.append("methods/erm.py", "# x\n"),
        {"groups", "train-erm", "train-dfr", "train-repair", "retrain-erm", "verdict", "report"},
    ),
    "how attribution scores, which one method learns from": (
        lambda house: house.append("attribution/estimators/trak.py", "# x\n"),
        of_all("attribute") | {"train-repair", "retrain-repair"},
    ),
    "how maps are made": (lambda house: house.append("explain/cam/run.py", "# x\n"), of_all("gradcam")),
    "how groups are made": (lambda house: house.append("groups/make.py", "# x\n"), {"groups"}),
    "what forms groups": (
        lambda house: house.set(f"{DEMO}.groups.from", "border"),
        {"groups", "report"},
    ),
    "train.workers": (lambda house: house.set("defaults.train.workers", 2), set()),
    "train.checkpoint_seconds": (lambda house: house.set(f"{DEMO}.train.checkpoint_seconds", 5), set()),
    "where retraining runs": (
        lambda house: house.set(f"{DEMO}.retrain.executor", "slurm"),
        set(),
    ),
    "thresholds of the gate": (lambda house: house.set("defaults.gate.max_gap", 0.1), set()),
    "the gate's line in a chart": (
        lambda house: house.set("defaults.gate.min_worst_group", 0.8),
        {"report"},
    ),
    "methods.repair": (
        lambda house: house.set(f"{DEMO}.methods.repair.fractions", [0.1]),
        {"train-repair", "report"} | {"retrain-repair"},
    ),
    "training of methods.jtt": (
        lambda house: house.set(f"{DEMO}.methods.jtt.train.epochs", 6),
        {"train-jtt", "retrain-jtt", "indicators-jtt", "report"},  # whose weights are others anyway
    ),
    "methods.erm, which some start from": (
        lambda house: house.set(f"{DEMO}.methods.erm.selection", "average"),
        {"groups", "train-erm", "train-dfr", "train-repair", "retrain-erm", "report"},
    ),
    "a method that is not active": (
        lambda house: house.set("defaults.methods.rwg.selection", "last"),
        set(),
    ),
    "a default that the entry overrides": (lambda house: house.set("defaults.train.epochs", 3), set()),
    "another seed": (
        lambda house: house.set(f"{DEMO}.train.seeds", [0, 1, 2, 3, 4, 5]),
        of_all("train", "indicators") | {"report"},
    ),
    "what attribution goes by": (
        lambda house: house.set(f"{DEMO}.attribute.ridge", 2.0),
        of_all("attribute") | {"train-repair", "report"},
    ),
    "a method more that is retrained": (
        lambda house: house.set("defaults.retrain.methods", ["erm", "subg"]),
        {"retrain-subg", "report"},
    ),
    "a method more": (
        lambda house: house.set("active_methods", [*METHODS, "rwy"]),
        {"verdict", "report"} | {f"{stage}-rwy" for stage in METHOD_STAGES},
    ),
    "the code of the plan itself": (lambda house: house.append("plan/write.py", "# x\n"), set()),
    "the command line": (lambda house: house.append("cli/main.py", "# x\n"), set()),
    "progress bars": (lambda house: house.append("core/progress.py", "# x\n"), set()),
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("house") / "pipeline"
    shutil.copytree(ROOT / "pipeline", folder, ignore=shutil.ignore_patterns("__pycache__"))
    return House(folder, Code(folder=folder))


@pytest.fixture(scope="module")
def before(original: House) -> dict[str, Any]:
    return original.plans()


@pytest.fixture
def house(original: House) -> Iterator[House]:
    house = House(original.folder, original.code)
    yield house
    for path, text in house.before.items():
        path.write_text(text)


def test_every_stage_has_its_plan(before: dict[str, Any]) -> None:
    assert {name.removeprefix("photo_digits/") for name in before} == ALL


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_reruns_what_it_decides_and_nothing_else(
    house: House, before: dict[str, Any], edit: str
) -> None:
    apply, reruns = EDITS[edit]
    apply(house)
    after = house.plans()
    assert {n.removeprefix("photo_digits/") for n in after if before.get(n) != after[n]} == reruns


def test_a_new_dataset_runs_its_own_stages(house: House, before: dict[str, Any]) -> None:
    house.params["datasets"]["birds"] = {"source": {"kind": "folder", "path": "birds"}}
    assert house.plans() == before, "not before it is active"
    house.params["active"] = ["photo_digits", "birds"]
    after = house.plans()
    assert {n for n in after if before.get(n) != after[n]} == {f"birds/{stage}" for stage in ALL - {"index"}}


def test_a_plugin_is_code_of_its_dataset_alone(house: House) -> None:
    for name in ("roads", "birds"):
        source = {"kind": "python", "class": f"{name}:Loader"}
        house.params["datasets"][name] = {"source": source}
    params = Params.model_validate(house.params)

    def data_plans() -> list[StagePlan]:
        code = Code(folder=house.folder)
        code._graph.add_module("pipeline.data.plugins.roads")  # as where the package is imported from here
        return [make_plan(resolve(params, "data", name), code, "data", name) for name in ("roads", "birds")]

    plugin = house.folder / "data" / "plugins" / "roads.py"
    plugin.write_text("class Loader: ...\n")
    roads, birds = data_plans()
    plugin.write_text("class Loader: ...  # edited\n")
    edited, same = data_plans()
    plugin.unlink()
    assert edited.code != roads.code
    assert same == birds, "whose plugin is not there: its stage says so"


def test_a_loader_of_the_projects_own_is_code_of_its_dataset(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    house.params["datasets"]["roads"] = {"source": {"kind": "python", "class": "roads:Loader"}}
    params = Params.model_validate(house.params)

    def codes() -> list[str]:
        names = (("data", "roads"), ("data", "photo_digits"), ("color", "roads"))
        return [make_plan(resolve(params, *name), house.code, *name).code for name in names]

    without = codes()
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "roads.py").write_text("class Loader: ...\n")
    first = codes()
    (tmp_path / "plugins" / "roads.py").write_text("class Loader: ...  # edited\n")
    edited = codes()
    assert len({without[0], first[0], edited[0]}) == 3
    assert without[1:] == first[1:] == edited[1:]
