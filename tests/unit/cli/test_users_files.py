"""A user's files are refused as outputs and sources before a stage or DVC can touch them."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from dvc.exceptions import DvcException
from dvc.repo import Repo
from ruamel.yaml import YAML

from pipeline.artifacts.files import sweep_leftovers, write_text
from pipeline.artifacts.outputs import DATASET_STAGES, METHOD_STAGES, check_outputs, stage_outputs
from pipeline.artifacts.overlap import describe_overlap, written_folders
from pipeline.artifacts.predictions import save_table
from pipeline.artifacts.running import exclusive
from pipeline.cli.main import main
from pipeline.core.errors import InputError
from pipeline.plan.params import Params
from pipeline.plan.source_overlap import check_sources
from tests import ROOT
from tests.fixtures.data import add_dataset, save_classes, save_image


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(ROOT / "params.yaml", folder)
    monkeypatch.chdir(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def shipped() -> dict[str, Any]:
    params: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
    return params


def with_dataset(params: dict[str, Any], name: str, source: dict[str, Any]) -> Params:
    return Params.model_validate(params | {"datasets": params["datasets"] | {name: {"source": source}}})


# --- what stages write -----------------------------------------------------------------------


def declared(stage: dict[str, Any]) -> Iterator[str]:
    for key in ("outs", "metrics", "plots"):
        for out in stage.get(key, []):
            yield re.sub(
                r"\$\{item\.?(\w*)\}",
                lambda m: m[1] or "dataset",
                out if isinstance(out, str) else next(iter(out)),
            )


def test_dvc_knows_the_same_outputs_and_removes_no_folder_of_a_users() -> None:
    """DVC removes all of an out before the stage runs: files, or folders nobody else would make."""
    stages = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text())["stages"]
    folders = set()
    for name, stage in stages.items():
        names = (
            ("dataset", "method") if name in METHOD_STAGES else ("dataset",) if name in DATASET_STAGES else ()
        )
        outputs = stage_outputs(name, *names)
        assert sorted(declared(stage.get("do", stage))) == sorted(str(o.path) for o in outputs), name
        folders |= {str(output.path) for output in outputs if output.holds}
    assert folders == {".plan", "models/dataset/method/weights", "gradcam/dataset/method/overlays"}


def make_record(folder: Path, name: str = "dataset.json") -> None:
    write_text(folder / name, '{"schema_version": 1, "provenance": {}}')


def test_outputs_of_its_own_are_replaced(project: Path) -> None:
    for stage in DATASET_STAGES:
        check_outputs(stage, "birds")
    write_text(Path("data/birds/packed/images.npy"), "pixels")
    make_record(Path("data/birds/packed"))
    write_text(Path("data/birds/packed/notes.txt"), "of no concern: the stage replaces its own files")
    check_outputs("data", "birds")
    write_text(Path("models/birds/erm/weights/seed_0_epoch_3.safetensors"), "w")
    check_outputs("train", "birds", "erm")
    Path("elsewhere").write_text("in a cache of links each file is one")
    Path("data/birds/packed/images.npy").unlink()
    Path("data/birds/packed/images.npy").symlink_to(project / "elsewhere")
    check_outputs("data", "birds")


@pytest.mark.parametrize(
    ("stage", "names", "path"),
    [
        ("data", ["birds"], "data/birds/packed/images.npy"),
        ("data", ["birds"], "data/birds/packed/masks.npy"),
        ("data", ["birds"], "data/birds/facts.parquet"),
        ("report", ["birds"], "reports/birds.html"),
        ("report", ["birds"], "reports/birds.json"),
        ("train", ["birds", "erm"], "models/birds/erm/weights/resnet50.pt"),
        ("gradcam", ["birds", "erm"], "gradcam/birds/erm/overlays/deep/a.txt"),
    ],
)
def test_a_users_file_in_an_outputs_place_stops_the_stage(
    project: Path, stage: str, names: list[str], path: str
) -> None:
    write_text(Path(path), '{"mine": 1}')
    with pytest.raises(InputError, match=rf"{path} was not written by this pipeline.*mv {path} ELSEWHERE"):
        check_outputs(stage, *names)


def names_of(stage: str) -> list[str]:
    return ["birds", "erm"] if stage in METHOD_STAGES else ["birds"] if stage in DATASET_STAGES else []


@pytest.mark.parametrize("stage", [*DATASET_STAGES, *METHOD_STAGES, "index"])
def test_every_output_is_told_from_a_users_beside_results_of_ours(project: Path, stage: str) -> None:
    """By hand nothing looks first: the stage has to look at each of its files."""
    names = names_of(stage)
    outputs = [output.path for output in stage_outputs(stage, *names) if output.holds is None]
    with exclusive(stage, *names):
        for path in outputs:
            text = '{"schema_version": 1, "provenance": {}}' if path.suffix == ".json" else f"ours: {path}"
            write_text(path, text)
    check_outputs(stage, *names)
    for path in outputs:
        ours = path.read_bytes()
        path.write_text("my own notes")
        with (
            pytest.raises(InputError, match=f"{path} was not written by this .*mv {path} "),
            exclusive(stage, *names),
        ):
            path.unlink()
        assert path.read_text() == "my own notes"
        path.write_bytes(ours)  # copied along with the project: another time, the same bytes
        os.utime(path, (1, 1))
        check_outputs(stage, *names)


def test_a_stage_goes_on_where_a_killed_one_or_dvc_left_its_files(project: Path) -> None:
    folder = Path("evaluation/birds/erm")
    note = Path(".scratch/written/evaluate-birds-erm.json")
    with exclusive("evaluate", "birds", "erm"):
        make_record(folder, "evaluation.json")
        write_text(folder / "predictions.parquet", "first")
        unfinished = note.read_text()
    finished = note.read_text()
    (folder / "evaluation.json").unlink()
    write_text(folder / "predictions.parquet", "second, and then a kill")
    note.write_text(unfinished)
    check_outputs("evaluate", "birds", "erm")
    note.write_text(finished)
    with pytest.raises(InputError, match=r"predictions\.parquet was not written by this pipeline"):
        check_outputs("evaluate", "birds", "erm")
    md5 = hashlib.md5((folder / "predictions.parquet").read_bytes()).hexdigest()
    Path("dvc.lock").write_text(f"outs:\n- path: {folder}/predictions.parquet\n  md5: {md5}\n  size: 1\n")
    check_outputs("evaluate", "birds", "erm")
    note.unlink()  # pulled, on another machine
    check_outputs("evaluate", "birds", "erm")
    make_record(folder, "evaluation.json")
    (folder / "predictions.parquet").write_text("a user's, and dvc.lock has other bytes")
    with pytest.raises(InputError, match=r"predictions\.parquet was not written by this pipeline"):
        check_outputs("evaluate", "birds", "erm")
    (folder / "evaluation.json").write_text("a user's in a killed run's place")
    Path("dvc.lock").unlink()
    note.write_text(unfinished)
    with pytest.raises(InputError, match=r"evaluation\.json was not written by this pipeline"):
        check_outputs("evaluate", "birds", "erm")


def test_facts_lie_where_a_user_keeps_files_and_have_to_say_themselves_that_they_are_ours(
    project: Path,
) -> None:
    """Beside the packed folder, so that its record does not vouch for them."""
    make_record(Path("data/birds/packed"))
    path = Path("data/birds/facts.parquet")
    for theirs in (pd.DataFrame({"fact": [1]}), None):
        write_text(path, "my own notes") if theirs is None else theirs.to_parquet(path)
        with pytest.raises(InputError, match=rf"{path} was not written by this pipeline.*mv {path} "):
            check_outputs("data", "birds")
    save_table(path, pd.DataFrame({"id": [0]}), "digest")
    check_outputs("data", "birds")  # of another machine, or after `.scratch/` was deleted


def test_a_stage_by_hand_leaves_a_users_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for stage, name in (("color", "color.json"), ("hygiene", "hygiene.json")):
        path = Path("audit/photo_digits") / name
        write_text(path, "my own notes")
        assert main([stage, "photo_digits"]) == 1
        assert f"{path} was not written by this pipeline" in capsys.readouterr().err
        assert path.read_text() == "my own notes"
    assert main(["plan"]) == 1


@pytest.mark.parametrize("link", ["data", "data/birds", "data/birds/packed", "reports"])
@pytest.mark.parametrize("is_dangling", [False, True])
def test_links_and_files_where_folders_belong_are_named(project: Path, link: str, is_dangling: bool) -> None:
    target = project / "other"
    if not is_dangling:
        target.mkdir()
    Path(link).parent.mkdir(parents=True, exist_ok=True)
    Path(link).symlink_to(target)
    stage = "report" if link == "reports" else "data"
    with pytest.raises(InputError, match=rf"^{link} is a link to .*other.*rm {link}\)"):
        check_outputs(stage, "birds")
    Path(link).unlink()
    Path(link).write_text("a file")
    with pytest.raises(InputError, match=rf"^{link} is a file, but .* needs a folder here.*mv {link} "):
        check_outputs(stage, "birds")


def test_only_leftovers_of_killed_runs_are_swept(tmp_path: Path) -> None:
    names = [".packed.ab12_9xy.part", ".packed.backup", ".packed.old.part", ".packed", ".packed.12345678"]
    for name in names:
        (tmp_path / name / "deep").mkdir(parents=True)
    sweep_leftovers(tmp_path / "packed")
    assert sorted(os.listdir(tmp_path)) == sorted(names[1:])


# --- where sources may lie -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".", "holds audit"),
        ("/", "holds audit"),
        ("data", "holds data/birds/packed"),
        ("data/birds", "holds data/birds/packed"),
        ("data/../data/birds/", "holds data/birds/packed"),
        ("data/birds/packed", "is data/birds/packed"),
        ("data/birds/packed/images.npy", "lies in data/birds/packed"),
        ("REPORTS/pictures", "lies in reports"),  # neither is there: the disk may ignore case
        ("data/Gulls/packed", None),  # another folder than data/gulls on a disk that tells them apart
        ("data/birds/raw", None),
        ("data/birds/packed_by_me", None),
        ("data/gulls", None),
        ("downloads/cifar-100-python.tar.gz", None),
        ("../birds", None),
        ("models", "is models"),
        ("reports/pictures", "lies in reports"),
        (".dvc/cache/files", "lies in .dvc"),
        ("link_to_packed", "is data/birds/packed"),
        ("data/birds/packed/link_to_gulls", "lies in data/birds/packed"),
    ],
)
def test_paths_are_compared_by_what_they_are(project: Path, path: str, found: str | None) -> None:
    for folder in ("data/birds/packed", "data/birds/raw", "data/gulls", "data/Gulls/packed"):
        Path(folder).mkdir(parents=True)
    Path("link_to_packed").symlink_to("data/birds/packed")
    Path("data/birds/packed/link_to_gulls").symlink_to("../../gulls")
    for form in (Path(path), project / path):
        assert describe_overlap(form, written_folders(["birds", "none"])) == found


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "folder", "path": "data/mine"},
        {"kind": "folder", "path": "data/photo_digits/packed"},  # another dataset's output
        {"kind": "cifar100", "path": "models/cifar-100-python.tar.gz"},
        {"kind": "table", "path": "ok", "columns": {"file": "f", "label": "l"}, "table": "../reports/t.csv"},
        {"kind": "table", "path": "ok", "columns": {"file": "f", "label": "l"}, "images": "../audit"},
        {
            "kind": "table",
            "path": "ok",
            "columns": {"file": "f", "label": "l"},
            "masks": "../gradcam/mine/erm",
        },
        {"kind": "python", "class": "mine:Mine", "options": {"deep": {"folder": "data"}}},
        {"kind": "python", "class": "mine:Mine", "options": {"folders": ["ok", "reports"]}},
        {"kind": "python", "class": "mine:Mine", "options": {"where": "data/mine"}},
    ],
)
def test_paths_of_every_kind_of_source_are_looked_at(
    project: Path, shipped: dict[str, Any], source: dict[str, Any]
) -> None:
    """Of datasets that are not active as well: a run of another would delete their files."""
    save_image(project / "data" / "mine" / "cat" / "1.png")
    with pytest.raises(InputError, match=r"datasets\.mine\.source\..*Nothing was touched"):
        check_sources(with_dataset(shipped, "mine", source))


def test_every_command_that_reads_params_refuses(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_dataset("mine", {"kind": "folder", "path": "data/mine"})
    for command in (["check"], ["plan"], ["data", "photo_digits"]):
        assert main(command) == 1
        assert "datasets.mine.source.path" in capsys.readouterr().err


def test_options_that_are_no_paths_are_let_through(project: Path, shipped: dict[str, Any]) -> None:
    options = {"separator": "/", "mode": "models", "folder": "../pictures", "split": "data", "n": 3}
    check_sources(with_dataset(shipped, "mine", {"kind": "python", "class": "mine:Mine", "options": options}))


def test_new_dataset_refuses_before_it_reads_or_writes_anything(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = save_classes(project / "data" / "mine")
    before = contents(project)
    for name, path in (("mine", "data/mine"), ("x", "."), ("x", "/"), ("x", "data")):
        assert main(["new-dataset", name, path, "--activate"]) == 1
        assert "DVC deletes" in capsys.readouterr().err
    write_text(project / "data/theirs/packed/images.npy", "a user's")
    assert main(["new-dataset", "theirs", "data/mine"]) == 1
    assert "data/theirs/packed/images.npy was not written by this pipeline" in capsys.readouterr().err
    assert contents(project) == before | {str(project / "data/theirs/packed/images.npy"): b"a user's"}
    assert main(["new-dataset", "other_name", str(images)]) == 0


def test_a_table_that_names_images_among_outputs_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(8):
        save_image(project / f"gradcam/birds/erm/overlays/{i}.png")
    rows = "".join(f"../gradcam/birds/erm/overlays/{i}.png,{i % 2}\n" for i in range(8))
    write_text(project / "lists/t.csv", "file,label\n" + rows)
    columns = {"file": "file", "label": "label"}
    add_dataset("mine", {"kind": "table", "path": "lists", "table": "t.csv", "columns": columns}, active=True)
    assert main(["data", "mine"]) == 1
    assert "overlays, with images or masks of mine, lies in gradcam" in capsys.readouterr().err


@pytest.mark.slow
def test_dvc_deletes_nothing_of_a_users(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The real dvc.yaml: refused as written by hand; under another name packed beside a user's files."""
    shutil.copytree(ROOT / "pipeline", project / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".dvcignore", project)
    stages = (ROOT / "dvc.yaml").read_text()
    write_text(project / "dvc.yaml", re.sub(r".*shortcut-audit preflight.*\n", "", stages))  # it takes time
    images = save_classes(project / "data" / "mine")
    for path in ("data/other/raw/1.txt", "data/.packed.backup", "data/other/.packed.old", "reports/notes.md"):
        write_text(project / path, "a user's")
    before = contents(project / "data") | contents(project / "reports")
    add_dataset("mine", {"kind": "folder", "path": "data/mine"}, active=True)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    with Repo.init(no_scm=True) as repo:
        with pytest.raises(DvcException):
            repo.reproduce("data@mine")
        assert "source.path = 'data/mine' holds data/mine/packed" in capfd.readouterr().err
        assert contents(project / "data") | contents(project / "reports") == before
        shutil.copy(ROOT / "params.yaml", project)
        add_dataset("other", {"kind": "folder", "path": str(images)}, active=True)
        repo.reproduce("data@other")
    after = contents(project / "data") | contents(project / "reports")
    packed = {str(project / output.path) for output in stage_outputs("data", "other")}
    assert {path: text for path, text in after.items() if path not in packed} == before
    assert packed <= set(after)
