"""Extraction: what is refused, what is reported, and that nothing partial is ever left."""

import io
import pickle
import stat
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import InputError, UnsafeArchiveError
from pipeline.data.fetch import archives
from pipeline.data.fetch.archives import extract
from pipeline.data.fetch.safe_pickle import load_pickle

FILES = {"set/a.txt": b"alpha", "set/deep/b.bin": bytes(range(256)) * 400}


def make_tar(
    path: Path, mode: str, files: dict[str, bytes] = FILES, extra: tarfile.TarInfo | None = None
) -> Path:
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        if extra is not None:
            tar.addfile(extra)
    return path


def make_zip(path: Path, files: dict[str, bytes] = FILES) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return path


def member(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def assert_nothing_left(folder: Path, archive: Path) -> None:
    assert [path for path in folder.iterdir() if path != archive] == []


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz", "zip"])
def test_extracts_every_kind_whatever_its_name(tmp_path, mode):
    path = tmp_path / "archive.data"
    archive = make_zip(path) if mode == "zip" else make_tar(path, mode)
    target = tmp_path / "out"
    target.mkdir()
    extract(archive, target)
    found = {p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*") if p.is_file()}
    assert found == FILES
    with pytest.raises(InputError, match="out holds set, which this pipeline did not write"):
        extract(archive, target)


def test_link_inside_is_kept(tmp_path):
    archive = make_tar(tmp_path / "a.tar", "w:", extra=member("set/deep/c", tarfile.SYMTYPE, "../a.txt"))
    assert (extract(archive, tmp_path / "out") / "set/deep/c").read_bytes() == b"alpha"


@pytest.mark.parametrize(
    "name", ["../evil", "set/../../evil", "/etc/evil", "..\\evil", "C:/evil", "set/x/../../../evil"]
)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_names_that_leave_the_target_are_refused(tmp_path, kind, name):
    files = {**FILES, name: b"x"}
    archive = tmp_path / "a"
    make_tar(archive, "w:gz", files) if kind == "tar" else make_zip(archive, files)
    with pytest.raises(UnsafeArchiveError, match="evil"):
        extract(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


@pytest.mark.parametrize(
    "bad",
    [
        member("set/link", tarfile.SYMTYPE, "../../outside"),
        member("set/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("set/link", tarfile.LNKTYPE, "../outside"),
        member("set/link", tarfile.CHRTYPE),
        member("set/link", tarfile.FIFOTYPE),
    ],
)
def test_links_outside_and_devices_are_refused(tmp_path, bad):
    archive = make_tar(tmp_path / "a", "w:gz", extra=bad)
    with pytest.raises(UnsafeArchiveError, match="set/link"):
        extract(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


def test_link_in_zip_is_refused(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        info = zipfile.ZipInfo("set/link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        zipped.writestr(info, "/etc/passwd")
    with pytest.raises(UnsafeArchiveError, match="set/link"):
        extract(archive, tmp_path / "out")


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz", "zip"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.8])
def test_truncated_archives_are_reported_and_leave_nothing(tmp_path, mode, share):
    noise = np.random.default_rng(0).bytes(60_000)
    files = {f"set/{i}": noise[i * 6000 : (i + 1) * 6000] for i in range(10)}
    archive = tmp_path / "a"
    make_zip(archive, files) if mode == "zip" else make_tar(archive, mode, files)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"truncated|neither"):
        extract(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


def test_plain_tar_cut_at_a_member_boundary_is_noticed(tmp_path):
    archive = make_tar(tmp_path / "a", "w:", {"x": b"1" * 512, "y": b"2" * 512})
    archive.write_bytes(archive.read_bytes()[:1024])
    with pytest.raises(InputError, match="truncated"):
        extract(archive, tmp_path / "out")


def test_damage_in_a_zip_member_is_noticed(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("x", b"1" * 5000)
    content = bytearray(archive.read_bytes())
    content[1000] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        extract(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


@pytest.mark.parametrize("mode", ["w:gz", "zip"])
def test_bombs_are_refused(tmp_path, monkeypatch, mode):
    monkeypatch.setattr(archives, "MIN_LIMIT", 100_000)
    files = {"zeros": bytes(2_000_000)}
    archive = tmp_path / "a"
    make_zip(archive, files) if mode == "zip" else make_tar(archive, mode, files)
    with pytest.raises(UnsafeArchiveError, match="unfolds"):
        extract(archive, tmp_path / "out")
    assert_nothing_left(tmp_path, archive)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"<html>login</html>", "web page"),
        (b"\x00" * 99, "neither"),
        (b"PK\x03\x04xx", "truncated"),
    ],
)
def test_other_files_are_called_what_they_are(tmp_path, content, message):
    archive = tmp_path / "a"
    archive.write_bytes(content)
    with pytest.raises(InputError, match=message):
        extract(archive, tmp_path / "out")
    with pytest.raises(InputError, match="does not exist"):
        extract(tmp_path / "none", tmp_path / "out")


# --- pickles --------------------------------------------------------------------------------


class _Evil:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_pickle_that_asks_for_code_is_not_loaded(tmp_path, capsys, protocol):
    path = tmp_path / "p"
    path.write_bytes(pickle.dumps({"data": _Evil()}, protocol=protocol))
    with pytest.raises(UnsafeArchiveError, match=r"builtin.*print"):
        load_pickle(path)
    assert "executed" not in capsys.readouterr().out


def test_arrays_and_labels_are_loaded(tmp_path):
    data = np.arange(12, dtype=np.uint8).reshape(3, 4)
    (tmp_path / "p").write_bytes(
        pickle.dumps({"data": data, b"fine_labels": [1, 2, 3], "n": b"x"}, protocol=2)
    )
    content = load_pickle(tmp_path / "p")
    np.testing.assert_array_equal(content["data"], data)
    assert content["fine_labels"] == [1, 2, 3]
    assert content["n"] == b"x"


def test_damaged_pickles_are_input_errors(tmp_path):
    good = pickle.dumps({"data": np.zeros(100, np.uint8)}, protocol=2)
    for i, content in enumerate([good[:-20], b"", b"\x80\x02garbage", pickle.dumps([1])]):
        (tmp_path / str(i)).write_bytes(content)
        with pytest.raises(InputError):
            load_pickle(tmp_path / str(i))
    with pytest.raises(InputError, match="does not exist"):
        load_pickle(tmp_path / "none")
