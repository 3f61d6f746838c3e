"""What installing, the checks before a commit and `make` promise."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from tests import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = chain.from_iterable(PROJECT["optional-dependencies"].values())
REQUIREMENTS = [Requirement(line) for line in (*PROJECT["dependencies"], *EXTRAS)]
PINS = {
    canonicalize_name(name): version
    for name, version in (line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_every_dependency_has_a_lower_bound_that_admits_its_pin(requirement: Requirement) -> None:
    assert [specifier.operator for specifier in requirement.specifier] == [">="]
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])


def test_the_checks_before_a_commit_are_those_of_make() -> None:
    recipe = (ROOT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0]
    hooks = YAML(typ="safe").load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [hook["entry"].removeprefix(".venv/bin") for hook in hooks] == re.findall(
        r"\$\(BIN\)(.*)",
        recipe,
    )


def test_the_version_has_a_dated_section() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## {re.escape(PROJECT['version'])} \(\d{{4}}-\d\d-\d\d\)$", changes, re.MULTILINE)


IMPORTED_AS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "sklearn": "scikit-learn",
    "trak": "traker",
} | {
    "pytorch_grad_cam": "grad-cam",
    "ruamel": "ruamel.yaml",
    "curvlinops": "curvlinops-for-pytorch",
}


def test_what_the_code_imports_is_installed_with_it() -> None:
    """Also what another library happens to bring along today."""
    imported = set()
    for path in (ROOT / "pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).partition(".")[0])
    others = imported - sys.stdlib_module_names - {"pipeline"}
    declared = {canonicalize_name(requirement.name) for requirement in REQUIREMENTS}
    assert {canonicalize_name(IMPORTED_AS.get(name, name)) for name in others} <= declared


def test_files_that_contributing_names_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = {path for path in re.findall(r"`([a-zA-Z_]+/[^` ]*)`", text) if "NAME" not in path}
    assert len(paths) > 40
    assert not [path for path in sorted(paths) if not (ROOT / path).exists()]
    templates = ROOT / "pipeline/report/page/templates"
    assert all((templates / name).exists() for name in re.findall(r"`([a-z]+\.html\.j2)`", text))


def interpreter(folder: Path, name: str, version: str, *, has_venv: bool = True) -> None:
    """A stand-in for an interpreter: it answers what the search asks."""
    major, minor, micro = map(int, version.split("."))
    is_old = (major, minor, micro) < (3, 11, 4)
    script = folder / name
    script.write_text(
        "#!/bin/sh\n"
        f'case "$2" in *print*) echo {version};; *exit*) exit {int(is_old)};; '
        f"*ensurepip*) exit {int(not has_venv)};; *) exit 9;; esac\n"
    )
    script.chmod(0o755)


def find(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(ROOT / ".ci" / "find_python.sh"), *arguments],
        env=os.environ | {"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_usual_python_is_taken_where_it_fits(tmp_path: Path) -> None:
    interpreter(tmp_path, "python3", "3.11.4")
    interpreter(tmp_path, "python3.13", "3.13.0")
    assert find(tmp_path).stdout == "python3\n"


def test_a_newer_python_is_taken_where_the_usual_one_is_too_old(tmp_path: Path) -> None:
    """Debian 12 with a second interpreter."""
    interpreter(tmp_path, "python3", "3.11.2")
    interpreter(tmp_path, "python3.11", "3.11.2")
    interpreter(tmp_path, "python3.12", "3.12.1")
    assert find(tmp_path).stdout == "python3.12\n"


def test_a_newer_python_without_venv_is_passed_over(tmp_path: Path) -> None:
    interpreter(tmp_path, "python3", "3.11.2")
    interpreter(tmp_path, "python3.13", "3.13.0", has_venv=False)
    interpreter(tmp_path, "python3.12", "3.12.1")
    assert find(tmp_path).stdout == "python3.12\n"


def test_the_interpreter_that_was_named_wins_or_is_refused(tmp_path: Path) -> None:
    interpreter(tmp_path, "python3", "3.12.1")
    interpreter(tmp_path, "mine", "3.13.0")
    interpreter(tmp_path, "old", "3.9.18")
    assert find(tmp_path, "mine").stdout == "mine\n"
    refused = find(tmp_path, "old")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "old is 3.9.18" in refused.stderr


def test_without_any_it_is_said_in_one_line_how_to_get_one(tmp_path: Path) -> None:
    interpreter(tmp_path, "python3", "3.11.2")
    interpreter(tmp_path, "python3.13", "3.13.0", has_venv=False)
    found = find(tmp_path)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.count("\n") == 1
    for part in ("python3 is 3.11.2", "apt install python3.13-venv", "uv python install", "make PYTHON="):
        assert part in found.stderr


def test_no_python_at_all_is_said(tmp_path: Path) -> None:
    found = find(tmp_path)
    assert found.returncode == 1
    assert "python3 is not installed" in found.stderr


def test_make_asks_for_the_interpreter_that_was_named() -> None:
    """What `make install` would do, in a folder where nothing is installed yet."""
    planned = subprocess.run(
        ["make", "-n", "install", "VENV=not_there", "PYTHON=mine"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "find_python.sh mine" in planned.stdout
