"""`check` tells edited sources from touched ones, whatever the edit does to sizes and times."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from pipeline.cli import check as checking
from pipeline.core.errors import InputError
from tests import ROOT
from tests.fixtures.data import add_dataset, noise, save_classes, save_image
from tests.fixtures.stages import run_stage

AS_PACKED, CHANGED = "as they were packed", "changed since they were packed"


def keep_times(path: Path, content: bytes) -> None:
    """As an editor does not, and a malicious or careless program may."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def relabel(source: Path) -> None:
    path = source / "list.csv"
    text = path.read_bytes()
    keep_times(path, text.replace(b"cat0.png,cat", b"cat0.png,dog"))
    assert len(text) == path.stat().st_size


def repaint(source: Path) -> None:
    path = source / "cat" / "cat3.png"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    keep_times(path, bytes(content))


def touch(source: Path) -> None:
    os.utime(source / "cat" / "cat3.png")
    (source / "cat" / "cat4.png").chmod(0o600)


def copy_back(source: Path) -> None:
    source.rename(source.with_name("before"))
    shutil.copytree(source.with_name("before"), source, copy_function=shutil.copyfile)


def add_unrelated(source: Path) -> None:
    (source / "notes.txt").write_text("no image")


def unlist(source: Path) -> None:
    path = source / "list.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


@pytest.fixture(params=["folder", "table"])
def packed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A packed dataset `mine`; its source."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    source = save_classes(tmp_path / "source")
    names = [path.relative_to(source) for path in sorted(source.rglob("*.png"))]
    (source / "list.csv").write_text("file,label\n" + "".join(f"{name},{name.parent}\n" for name in names))
    entry = {"kind": request.param, "path": "source"}
    if request.param == "table":
        for name in names:
            save_image(tmp_path / "elsewhere" / name, noise(0)[:, :, 0])
        entry |= {"table": "list.csv", "columns": {"file": "file", "label": "label"}, "masks": "../elsewhere"}
    add_dataset("mine", entry, active=True)
    run_stage("data", "mine")
    return source


def check(capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    checking.run()
    return capsys.readouterr().out


@pytest.mark.parametrize("packed", ["table"], indirect=True)
def test_edits_of_a_table_show_and_nothing_else_does(
    packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for harmless in (lambda _: None, touch, copy_back, add_unrelated):
        harmless(packed)
        assert AS_PACKED in check(capsys), harmless
    table = (packed / "list.csv").read_bytes()
    mask = packed.parent / "elsewhere" / "dog" / "dog3.png"
    drawn = mask.read_bytes()
    edits: tuple[Callable[[Path], object], ...] = (
        relabel,
        unlist,
        lambda _: save_image(mask, noise(1)[:, :, 0]),
    )
    for edit in edits:
        edit(packed)
        assert f"below source {CHANGED}: raise datasets.mine.source.version by one" in check(capsys), edit
        (packed / "list.csv").write_bytes(table)
        mask.write_bytes(drawn)
        assert AS_PACKED in check(capsys)
    (packed / "cat" / "cat1.png").unlink()
    assert f"{CHANGED} (1 of 40 images" in check(capsys)


@pytest.mark.parametrize("packed", ["folder"], indirect=True)
def test_edits_of_a_folder_show_and_nothing_else_does(
    packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for harmless in (touch, copy_back):
        harmless(packed)
        assert AS_PACKED in check(capsys), harmless
    pixels = (packed / "cat" / "cat3.png").read_bytes()
    repaint(packed)
    assert CHANGED in check(capsys)
    (packed / "cat" / "cat3.png").write_bytes(pixels)
    (packed / "cat" / "cat3.png").rename(packed / "dog" / "cat3.png")
    assert CHANGED in check(capsys)


@pytest.mark.parametrize("packed", ["folder"], indirect=True)
def test_untouched_files_are_not_read_again(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise InputError("read")

    monkeypatch.setattr(checking, "fingerprint_files", refuse)
    assert checking._compare("mine", checking.read_params().dataset("mine").source).endswith(AS_PACKED)


def edit_demo(**sections: dict[str, Any]) -> None:
    params = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
    for key, change in sections.items():
        params["datasets"]["photo_digits"][key].update(change)
    with Path("params.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump(params, file)


def test_check_says_what_cannot_run_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    edit_demo(train={"device": "cuda"}, attribute={"estimator": "ekfac"})
    add_dataset("lost", {"kind": "folder", "path": "nowhere/pictures"}, active=True)
    with pytest.raises(InputError, match=r"lost\.source\.path = 'nowhere/pictures' does not exist"):
        checking.run()
    edit_demo(train={"device": "cuda"}, attribute={"estimator": "ekfac"})
    with pytest.raises(
        InputError, match=r"(?s)photo_digits: train\.device = cuda, but.*pip install '.*ekfac"
    ):
        checking.run()
    edit_demo(train={}, retrain={"methods": ["erm", "rwg"], "subsets": 2})
    add_dataset("lost", {"kind": "cifar100", "path": "nowhere.tar.gz"})
    checking.run()
    out = capsys.readouterr().out
    assert "lost is not active: datasets.lost.source.path = 'nowhere.tar.gz' does not exist." in out
    assert "warning: photo_digits: retrain.methods names rwg, not among active_methods" in out
    edit_demo(retrain={"methods": ["erm", "rwg"], "subsets": 0, "thin_keep": []})
    checking.run()
    assert "warning" not in capsys.readouterr().out


def test_a_title_of_what_the_data_lack_is_an_error_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    save_classes(tmp_path / "source")
    entry = {"kind": "folder", "path": "source"}
    add_dataset("mine", entry, active=True, groups={"from": "never"}, titles={"classes": {"cat": "tabby"}})
    run_stage("data", "mine")
    run_stage("groups", "mine")
    checking.run()
    add_dataset("mine", entry, active=True, groups={"from": "never"}, titles={"classes": {"cats": "tabby"}})
    wrong = r"datasets\.mine\.titles\.classes names 'cats'; did you mean 'cat'\? The data have cat, dog"
    with pytest.raises(InputError, match=wrong):
        checking.run()
    with pytest.raises(InputError, match=wrong):
        run_stage("groups", "mine")


def test_edits_inside_of_a_file_that_holds_the_images_show(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    images, labels = np.stack([noise(i) for i in range(40)]), np.arange(40) % 2
    np.savez("mine.npz", images=images, labels=labels)
    add_dataset("mine", {"kind": "npz", "path": "mine.npz"}, active=True)
    run_stage("data", "mine")
    assert AS_PACKED in check(capsys)
    images[7, 0, 0, 0] ^= 1
    np.savez("mine.npz", images=images, labels=labels)
    assert f"of mine.npz {CHANGED}: raise datasets.mine.source.version by one" in check(capsys)
    Path("mine.npz").write_bytes(Path("mine.npz").read_bytes()[:-9])
    assert f"{CHANGED} (mine.npz is no .npz, or damaged" in check(capsys)
