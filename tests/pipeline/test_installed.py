"""The wheel in an environment of its own, and an audit in a repository that is somebody else's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.project.shipped import COPIES
from tests import ROOT

LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info")


def call(*command: str | Path, folder: Path, **environment: str) -> str:
    """What a command prints, both streams, as somebody types it who knows nothing of this checkout."""
    known = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "DVC_STAGE")}
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=known | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


class Installed:
    """An environment that has the wheel; its libraries are those of the tests."""

    def __init__(self, folder: Path) -> None:
        source, self.root = folder / "source", folder / "env"
        source.mkdir()
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        shutil.copytree(ROOT / "pipeline", source / "pipeline", ignore=LEFT_OUT)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
        options = ("--no-deps", "--no-index")
        call(*pip, "wheel", source, *options, "--no-build-isolation", "-w", folder, folder=folder)
        venv.create(self.root, symlinks=True)
        self.python = self.root / "bin" / "python"
        (wheel,) = folder.glob("*.whl")
        call(*pip, "--python", self.python, "install", *options, wheel, folder=folder)
        self.site = Path(
            sysconfig.get_path("purelib", vars={"base": str(self.root), "platbase": str(self.root)})
        )
        # a line of a .pth runs no other .pth: the editable installation of the tests stays out
        (self.site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def call(self, command: str, *arguments: str, folder: Path) -> str:
        path = f"{self.root / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return call(self.root / "bin" / command, *arguments, folder=folder, PATH=path)

    def repro(self, target: str, folder: Path) -> set[str]:
        """The stages that ran."""
        said = self.call("python", "-P", "-m", "dvc", "repro", target, folder=folder)
        return {line.split("'")[1] for line in said.splitlines() if line.startswith("Running stage")}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"))


def files_below(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if "__pycache__" not in path.parts}


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package(installed: Installed) -> None:
    assert files_below(installed.site / "pipeline") == files_below(ROOT / "pipeline")


@pytest.mark.slow
def test_an_audit_runs_in_anyones_repository_and_an_update_reruns_what_it_changed(
    installed: Installed, tmp_path: Path
) -> None:
    """With a package `pipeline` of the user's own, which must never be taken for this one."""
    call("git", "init", "-q", folder=tmp_path)
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "__init__.py").write_text("raise SystemExit('a user\\'s own')\n")
    said = installed.call("shortcut-audit", "init", folder=tmp_path)
    assert "pipeline is your own package" in said
    for name in COPIES:
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes(), name
    make_small(tmp_path)
    assert "params.yaml is valid" in installed.call("shortcut-audit", "check", folder=tmp_path)
    first = installed.repro("hygiene@photo_digits", tmp_path)
    assert first == {"plan", "data@photo_digits", "hygiene@photo_digits"}
    assert installed.repro("hygiene@photo_digits", tmp_path) == {"plan"}
    update = installed.site / "pipeline" / "data_audit" / "hygiene" / "audit.py"
    update.write_text(update.read_text() + "# another version\n")
    assert installed.repro("hygiene@photo_digits", tmp_path) == {"plan", "hygiene@photo_digits"}
    assert "nothing was changed" in installed.call("shortcut-audit", "init", folder=tmp_path)
    status = call("git", "status", "--porcelain", "--untracked-files=all", folder=tmp_path)
    assert not [
        line
        for line in status.splitlines()
        if line.endswith((".npy", ".parquet", ".lock", ".part")) and "dvc.lock" not in line
    ]


def make_small(folder: Path) -> None:
    """Few images, and no look ahead at what they cost, which takes longest."""
    stages = (folder / "dvc.yaml").read_text()
    (folder / "dvc.yaml").write_text(re.sub(r".*shortcut-audit preflight.*\n", "", stages))
    yaml, params = YAML(), folder / "params.yaml"
    values = yaml.load(params.read_text())
    values["datasets"]["photo_digits"]["source"] |= {"n_train": 300, "n_val": 80, "n_test": 120}
    with params.open("w") as file:
        yaml.dump(values, file)
