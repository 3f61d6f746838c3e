"""Which files are a stage's code, on a package made for it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.core.errors import InputError
from pipeline.plan import fingerprint
from pipeline.plan.fingerprint import NOT_HASHED, Code
from tests import ROOT

FILES = {
    "__init__.py": '"""A house."""\n',
    "stages/__init__.py": "",
    "stages/cook.py": "from house.kitchen.oven import bake\n",
    "stages/sleep.py": "def run():\n    from house.rooms.bed import lie\n",
    "kitchen/__init__.py": '"""Has code."""\nimport warnings\n',
    "kitchen/oven.py": "import house.rooms.registry\n",
    "kitchen/recipes/bread.txt": "flour",
    "kitchen/py.typed": "",
    "rooms/__init__.py": '"""Only words."""\n',
    "rooms/bed.py": "x = 1\n",
    "rooms/registry.py": "import house.rooms.bed\n",
    "rooms/lamp.svg": "<svg/>",
}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "house" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(fingerprint.NOT_HASHED, "house.rooms.registry", "names rooms")
    importlib.invalidate_caches()
    return tmp_path / "house"


def hashed(house: Path, *roots: str) -> set[str]:
    return {path.relative_to(house).as_posix() for path in Code("house", folder=house).files(*roots)}


def test_imports_in_functions_packages_with_code_and_files_beside_modules_count(house: Path) -> None:
    cook = {"stages/cook.py", "kitchen/__init__.py", "kitchen/oven.py", "kitchen/recipes/bread.txt"}
    assert hashed(house, "house.stages.cook") == cook, "not what the registry alone imports"
    sleep = {"stages/sleep.py", "rooms/bed.py", "rooms/lamp.svg"}
    assert hashed(house, "house.stages.sleep") == sleep
    assert hashed(house, "house.stages.cook", "house.rooms.bed") == cook | {"rooms/bed.py", "rooms/lamp.svg"}


@pytest.mark.parametrize(
    ("edit", "stages"),
    [
        (lambda house: (house / "kitchen/recipes/bread.txt").write_text("rye"), {"cook"}),
        (lambda house: (house / "kitchen/recipes/cake.txt").write_text(""), {"cook"}),
        (lambda house: (house / "kitchen/recipes/bread.txt").rename(house / "kitchen/bread.txt"), {"cook"}),
        (lambda house: (house / "rooms/bed.py").write_text("x = 1  # a comment\n"), {"sleep"}),
        (lambda house: (house / "rooms/lamp.svg").unlink(), {"sleep"}),
        (lambda house: (house / "__init__.py").write_text('"""A tall house."""\n'), set()),
        (lambda house: (house / "__init__.py").write_text("import os\n"), {"cook", "sleep"}),
        (lambda house: (house / "rooms/registry.py").write_text("import house.rooms.bed, os\n"), set()),
        (lambda house: (house / "rooms/sofa.py").write_text("y = 2  # imported by nobody"), set()),
        (lambda house: (house / "kitchen/__pycache__").mkdir(), set()),
        (lambda house: (house / "kitchen/.oven.py.swp").write_text("an editor's"), set()),
        (lambda house: (house / "kitchen/recipes/bread.txt~").write_text("flour"), set()),
        (lambda house: (house / "rooms/.DS_Store").write_text("a file manager's"), set()),
    ],
)
def test_an_edit_changes_the_fingerprints_of_those_who_import_it(
    house: Path, edit: Callable[[Path], object], stages: set[str]
) -> None:
    def all_of_them() -> dict[str, str]:
        code = Code("house", folder=house)
        return {stage: code.fingerprint(f"house.stages.{stage}") for stage in ("cook", "sleep")}

    before = all_of_them()
    edit(house)
    after = all_of_them()
    assert {stage for stage in before if before[stage] != after[stage]} == stages


def test_a_file_that_is_not_python_is_named(house: Path) -> None:
    (house / "rooms/sofa.py").write_text("a sofa")
    with pytest.raises(InputError, match=r"rooms/sofa\.py, line 1: a sofa\. Nothing was run\. Mend"):
        hashed(house, "house.stages.sleep")


def test_a_module_that_no_graph_of_imports_holds_is_refused(house: Path) -> None:
    (house / "attic").mkdir()
    (house / "attic/chest.py").write_text("")
    with pytest.raises(
        InputError, match=r"attic/chest\.py lies in a folder without .* \(touch .*attic/__init"
    ):
        hashed(house, "house.stages.sleep")
    (house / "attic").rename(house / ".attic")
    assert hashed(house, "house.stages.sleep"), "hidden ones are nobody's"


def test_what_is_left_out_is_there() -> None:
    for module in NOT_HASHED:
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists(), module


def test_no_stage_imports_the_command_line_the_planning_or_another_stage() -> None:
    code = Code()
    for path in (ROOT / "pipeline" / "stages").glob("[a-z]*.py"):
        if path.stem == "plan":
            continue
        files = code.files(f"pipeline.stages.{path.stem}")
        found = {file.relative_to(ROOT / "pipeline").as_posix() for file in files}
        assert not {file for file in found if file.startswith(("cli/", "plan/"))}
        assert {file for file in found if file.startswith("stages/")} == {f"stages/{path.name}"}


@pytest.mark.parametrize(
    ("stage", "sections"),
    [
        ("color", {"audit"}),
        ("hygiene", {"hygiene"}),
        ("groups", {"groups", "titles", "train", "models"}),
        ("data", {"data", "sources"}),
        ("evaluate", {"evaluation", "models"}),
        ("gradcam", {"gradcam", "models"}),
        ("attribute", {"attribution", "models"}),
        ("retrain", {"retrain", "train", "models"}),
    ],
)
def test_a_stage_imports_no_settings_of_others(stage: str, sections: set[str]) -> None:
    # `models`: a network that was trained elsewhere is rebuilt from its entry there
    shared = {"base", "parsing", "methods", "moved", "__init__"}
    found = {file.stem for file in Code().files(f"pipeline.stages.{stage}") if file.parent.name == "settings"}
    assert found - shared == sections
