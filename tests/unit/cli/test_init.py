"""`shortcut-audit init`: a project in anyone's folder, and nothing that is there is written over."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from pipeline.cli.main import main
from pipeline.project import set_up as setting_up
from pipeline.project.shipped import COPIES, FILES, shipped
from tests import ROOT

THEIRS = (
    "stages:\n  train:\n    cmd: python train.py\n    outs: [model.pt]\n  plot:\n    cmd: python plot.py\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "theirs"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file that people would see."""
    files = [path for path in folder.rglob("*") if path.is_file() and "tmp" not in path.parts]
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files
    }


def init(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert main(["init", *arguments]) == status
    said = capsys.readouterr()
    return said.out + said.err


@pytest.mark.parametrize("name", COPIES)
def test_what_is_shipped_is_what_this_repository_runs(name: str) -> None:
    assert shipped(name) == (ROOT / name).read_text(), "run: make shipped"


def test_no_file_of_the_package_is_one_that_dvc_would_run() -> None:
    """DVC collects every `dvc.yaml` below its root: in an environment there, too."""
    assert {path.name for path in FILES.iterdir()} == set(COPIES.values())
    assert "dvc.yaml" not in COPIES.values()


def test_a_folder_without_git_becomes_a_project_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "notes.txt").write_text("mine")
    said = init(capsys)
    assert "wrote dvc.yaml" in said
    assert "dvc init --no-scm" in said
    assert not (folder / ".gitignore").exists()
    assert all((folder / name).read_text() == shipped(name) for name in COPIES)
    with Repo() as repo:
        assert repo.config["core"]["analytics"] is False
        assert repo.config["core"]["check_update"] is False
        assert repo.config["plots"]["html_template"] == "plots_page.html"
        assert "plan" in {stage.addressing for stage in repo.index.stages}
    before = tree(folder)
    assert "nothing was changed" in init(capsys)
    assert tree(folder) == before
    assert main(["check"]) == 0
    assert "warning" not in capsys.readouterr().out


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "end"])
def test_git_ignores_what_dvc_does_not_name_behind_the_users_own_lines(
    folder: Path, capsys: pytest.CaptureFixture[str], end: str, last: str
) -> None:
    git("init", "-q")
    own = f"*.pyc{end}/downloads/{end if last else ''}".encode()
    (folder / ".gitignore").write_bytes(own)
    said = init(capsys)
    assert ".gitignore (added /.scratch/  /dvc_plots/)" in said
    found = (folder / ".gitignore").read_bytes()
    assert found.startswith(own)
    assert found.decode().count(end) == found.decode().count("\n")
    assert found.decode().split(end)[1] == "/downloads/"
    (folder / ".scratch").mkdir()
    (folder / ".scratch" / "half.npy").write_text("")
    assert ".scratch" not in git("status", "--porcelain")
    assert "nothing was changed" in init(capsys)
    assert (folder / ".gitignore").read_bytes() == found


def test_a_gitignore_that_is_a_link_is_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git("init", "-q")
    (folder.parent / "common").write_text("*.o\n")
    (folder / ".gitignore").symlink_to(folder.parent / "common")
    assert "is no plain file and stays as it is. Add: /.scratch/" in init(capsys)
    assert (folder.parent / "common").read_text() == "*.o\n"


def test_settings_of_a_dvc_project_stay_and_it_is_said_what_to_add(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(folder.parent / "nobody"))
    with Repo.init(no_scm=True) as repo, repo.config.edit("repo") as config:
        config["core"]["analytics"] = True
    (folder / ".dvcignore").write_text("/raw/\n.venv/\n")
    (folder / ".dvc" / "plots").mkdir()
    (folder / ".dvc" / "plots" / "method_groups.json").write_text("{}")
    own = {name: entry for name, entry in tree(folder).items() if name.startswith(".dvc")}
    said = init(capsys)
    assert {name: entry for name, entry in tree(folder).items() if name in own} == own
    assert "dvc config core.check_update false; dvc config plots.html_template plots_page.html" in said
    assert "dvc config core.analytics" not in said, "that is decided"
    assert "DVC does not look there: /.scratch/  /downloads/" in said
    assert "`shortcut-audit init --show .dvc/plots/method_groups.json`" in said
    assert (folder / ".dvc" / "plots" / "method_curves.json").exists()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "dvc.yaml",
            THEIRS,
            ("stages train, plot (an audit has stages of these names, too: train)", "Or add"),
        ),
        ("dvc.yaml", "stages:\n  plan: {cmd: python plan.py}\n", ("stage plan (an audit has", "Or add")),
        ("dvc.yaml", "plots:\n  - a.csv\n", ("no stage that could be read", "Or add")),
        ("dvc.yaml", "stages: [", ("no stage that could be read",)),
        ("dvc.yaml", "", ("no stage that could be read",)),
        ("dvc.yaml", "\x00", ("no stage that could be read",)),
        ("params.yaml", "train: {lr: 0.1}\nseed: 3\n", ("keys train, seed: an audit's holds its own alone",)),
        ("params.yaml", "active: [x]\ndatasets: {}\n", ("keys active, datasets",)),
        ("params.yaml", "- 1\n", ("no key that could be read",)),
    ],
)
def test_another_projects_files_are_refused_before_anything_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, says: tuple[str, ...]
) -> None:
    git("init", "-q")
    (folder / name).write_text(text)
    before = tree(folder)
    said = init(capsys, status=1)
    for part in (*says, "shortcut-audit init audit\n  cd audit && dvc repro"):
        assert part in said
    assert name == "dvc.yaml" or "Or add" not in said, "two kinds of settings cannot share a file"
    assert tree(folder) == before


def test_the_way_out_names_a_folder_that_is_free(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dvc.yaml").write_text(THEIRS)
    (folder / "audit").mkdir()
    assert "shortcut-audit init shortcut_audit" in init(capsys, status=1)


def test_a_link_to_nowhere_is_another_projects(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "params.yaml").symlink_to("gone.yaml")
    assert "another project's" in init(capsys, status=1)
    assert (folder / "params.yaml").is_symlink()


def test_stages_that_a_user_added_to_theirs_are_recognized(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    yaml = YAML(typ="safe", pure=True)
    both = yaml.load(shipped("dvc.yaml"))
    both["stages"]["theirs"] = {"cmd": "python train.py"}
    with (folder / "dvc.yaml").open("w") as file:
        yaml.dump(both, file)
    before = (folder / "dvc.yaml").read_bytes()
    said = init(capsys)
    assert "note: dvc.yaml" not in said
    assert (folder / "dvc.yaml").read_bytes() == before
    assert (folder / "params.yaml").exists()


def test_stages_of_another_version_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = shipped("dvc.yaml").replace(
        "shortcut-audit plan\n    always_changed: true", "python -m pipeline plan\n    #"
    )
    (folder / "dvc.yaml").write_text(old.replace("shortcut-audit index", "python -m pipeline index"))
    said = init(capsys)
    assert "dvc.yaml stays as it is, but its stages plan, index differ from this version's" in said
    assert "init --show dvc.yaml" in said


def test_settings_that_were_edited_are_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edited = shipped("params.yaml").replace("epochs: 10", "epochs: 3")
    (folder / "params.yaml").write_text(edited)
    init(capsys)
    assert (folder / "params.yaml").read_text() == edited


def test_a_part_of_a_git_repository_gets_dvc_of_its_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git("init", "-q")
    (folder / "dvc.yaml").write_text(THEIRS)
    said = init(capsys, "audit")
    assert "cd audit, then  dvc repro" in said
    assert {path.name for path in folder.iterdir()} == {".git", "dvc.yaml", "audit"}
    assert (folder / "audit" / ".dvc").is_dir()
    assert (folder / "audit" / ".gitignore").exists()
    before = tree(folder)
    assert "nothing was changed" in init(capsys, "audit")
    assert tree(folder) == before


def test_a_part_of_a_dvc_repository_belongs_to_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git("init", "-q")
    with Repo.init():
        (folder / "dvc.yaml").write_text(THEIRS)
    init(capsys, "audit")
    assert not (folder / "audit" / ".dvc").exists()
    assert (folder / ".dvc" / "plots" / "method_curves.json").exists()
    with Repo() as repo:
        stages = {stage.addressing: stage for stage in repo.index.stages}
        assert {"train", "audit/dvc.yaml:plan"} <= set(stages)
        assert Path(stages["audit/dvc.yaml:plan"].wdir) == folder / "audit"
        (out,) = stages["audit/dvc.yaml:plan"].outs
        assert Path(out.fs_path) == folder / "audit" / ".plan"


def test_a_folder_that_git_ignores_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git("init", "-q")
    (folder / ".gitignore").write_text("/audit/\n")
    said = init(capsys, "audit", status=1)
    assert "ignored by your SCM tool" in said
    assert not (folder / "audit").exists()
    (folder / "audit").mkdir()
    (folder / "audit" / "mine.txt").write_text("")
    init(capsys, "audit", status=1)
    assert [path.name for path in (folder / "audit").iterdir()] == ["mine.txt"]


def test_a_file_is_no_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "audit").write_text("")
    assert "audit is a file. Name a folder" in init(capsys, "audit", status=1)
    assert "one of the folders in this path is a file" in init(capsys, "audit/deeper", status=1)


@pytest.mark.parametrize("way", ["reports/index.html", "data -> elsewhere", "models"])
def test_files_of_a_users_where_stages_write_are_seen_first(
    folder: Path, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    name, is_link, target = way.partition(" -> ")
    (folder / name).parent.mkdir(exist_ok=True)
    if is_link:
        (folder.parent / target).mkdir()
        (folder / name).symlink_to(folder.parent / target)
    else:
        (folder / name).write_text("mine")
    said = init(capsys, status=1)
    assert name.split("/")[0] in said
    assert "shortcut-audit init shortcut_audit" in said
    assert not (folder / "dvc.yaml").exists()
    assert not (folder / ".dvc").exists()


def test_a_killed_init_leaves_nothing_half_written_and_goes_on(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write, calls = setting_up.write_text, []

    def dies(path: Path, text: str) -> None:
        calls.append(path)
        if len(calls) == stops_at:
            raise KeyboardInterrupt
        write(path, text)

    for stops_at in (1, 3, 6):
        calls.clear()
        monkeypatch.setattr(setting_up, "write_text", dies)
        place = folder / str(stops_at)
        assert main(["init", str(place)]) == 130
        monkeypatch.setattr(setting_up, "write_text", write)
        left = [path for path in place.rglob("*") if path.is_file() and ".dvc" not in path.parts]
        assert all(path.read_text() == shipped(path.name) for path in left)
        init(capsys, str(place))
        assert all((place / name).read_text() == shipped(name) for name in COPIES)


@pytest.mark.parametrize(
    ("file", "is_shadow"),
    [("pipeline/__init__.py", True), ("pipeline.py", True), ("pipeline/notes.md", False)],
)
def test_a_namesake_that_python_would_find_first_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], file: str, is_shadow: bool
) -> None:
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text("")
    assert ("is your own package" in init(capsys)) is is_shadow


def test_a_command_that_dvc_would_not_find_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert "PATH, which lacks it: activate the environment" in init(capsys)
    other = folder / "shortcut-audit"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    assert f"PATH, which has {other}" in init(capsys)


def test_files_can_be_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(capsys, "--show", "dvc.yaml") == (ROOT / "dvc.yaml").read_text()
    assert init(capsys, "--show", "params.schema.json") == (ROOT / "params.schema.json").read_text()
    assert "init writes no file 'dvc.lock'. It writes: dvc.yaml, params.yaml" in init(
        capsys, "--show", "dvc.lock", status=1
    )
    assert not list(folder.iterdir())
