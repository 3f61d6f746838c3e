"""Tar shards: members are read where they are, and what only extraction or unpickling could need is "
"refused."""

import io
import json
import pickle
import tarfile

import numpy as np
import pytest
import webdataset

from pipeline.core.errors import InputError, UnsafeArchiveError
from tests.fixtures.kept import as_png, load, pack


def png(i):
    return as_png(np.full((8, 8, 3), i, np.uint8))


def write(path, members):
    """A tar of (name, content) in order; a TarInfo is written as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def samples(n=12, **beside):
    found = []
    for i in range(n):
        found += [(f"{i:03}.png", png(i)), (f"{i:03}.cls", str(i % 2).encode())]
        found += [(f"{i:03}.{ending}", content) for ending, content in beside.items()]
    return found


def source(path, **changes):
    return {"kind": "webdataset", "path": str(path)} | changes


class Harm:
    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


def test_pickled_members_are_passed_over_and_never_unpickled(tmp_path):
    with webdataset.TarWriter(str(tmp_path / "000000.tar")) as writer:
        for i in range(12):
            writer.write(
                {"__key__": f"{i}", "png": png(i), "cls": i % 2, "pyd": pickle.dumps(Harm()), "pth": b"x"}
            )
    raw = load(source(tmp_path))
    assert len(pack(raw, tmp_path / "packed")) == 12
    (note,) = raw.notes
    assert note.startswith("members that were not read: ")
    assert ".pth (12)" in note
    assert ".pyd (12)" in note
    with pytest.raises(InputError, match=r"0\.pyd is no text, and nothing is unpickled"):
        load(source(tmp_path, columns={"label": "pyd"}))


def link(kind, name, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("../out.png", "outside"),
        ("/etc/out.png", "outside"),
        ("a/../../out.png", "outside"),
        ("C:\\out.png", "outside"),
        (link(tarfile.SYMTYPE, "9.png", "/etc/passwd"), "is a link"),
        (link(tarfile.SYMTYPE, "9.png", "000.png"), "is a link"),
        (link(tarfile.LNKTYPE, "9.png", "000.png"), "is a link"),
        (link(tarfile.CHRTYPE, "9.png"), "device"),
        (link(tarfile.BLKTYPE, "9.png"), "device"),
        (link(tarfile.FIFOTYPE, "9.png"), "pipe"),
        (link(tarfile.GNUTYPE_SPARSE, "9.png"), "sparse"),
    ],
)
def test_members_that_leave_the_archive_or_are_no_files_are_refused(tmp_path, member, message):
    before = sorted(tmp_path.iterdir())
    write(tmp_path / "s" / "x.tar", [*samples(), (member, b"")])
    with pytest.raises(UnsafeArchiveError, match=message):
        load(source(tmp_path / "s"))
    assert sorted(tmp_path.iterdir()) == [*before, tmp_path / "s"], "nothing was written"


def test_files_of_a_sample_that_lie_apart_and_names_that_come_twice_are_refused(tmp_path):
    path = tmp_path / "x.tar"
    write(path, [*samples(), ("000.json", b"{}")])
    with pytest.raises(InputError, match=r"sample '000' twice, at '000\.json'"):
        load(source(path))
    write(path, [("a.png", png(1)), ("a.PNG", png(2)), ("a.cls", b"0")])
    with pytest.raises(InputError, match=r"'a\.PNG' twice in one sample"):
        load(source(path))


def test_two_images_in_one_sample_ask_which_one(tmp_path):
    write(tmp_path / "x.tar", samples(**{"seg.png": png(200), "jpg": png(3)}))
    with pytest.raises(InputError, match=r"several images \(png, jpg\).*--file-column png"):
        load(source(tmp_path))
    found = pack(load(source(tmp_path, columns={"image": "seg.png"})), tmp_path / "packed")
    assert {np.frombuffer(pixels, np.uint8)[0] for pixels in found} == {200}


def test_missing_labels_and_images_are_said(tmp_path):
    members = [member for member in samples() if member[0] not in ("003.cls", "005.png")]
    write(tmp_path / "x.tar", members)
    with pytest.raises(InputError, match=r"'cls' is empty in 1 rows \(first: x\.tar/003\.png\)"):
        load(source(tmp_path))
    write(tmp_path / "x.tar", [member for member in samples() if member[0] != "005.png"])
    raw = load(source(tmp_path))
    assert len(raw.rows) == 11
    assert "1 samples without an image were left out: x.tar/005" in raw.notes
    write(tmp_path / "x.tar", [("0.txt", b"a")])
    with pytest.raises(InputError, match="hold no image"):
        load(source(tmp_path))
    write(tmp_path / "x.tar", samples(json=b'{"place": "sea"}'))
    with pytest.raises(InputError, match=r"no column 'plce'; did you mean 'place'"):
        load(source(tmp_path, columns={"attributes": ["plce"]}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", r"000\.json: not JSON"),
        (b"[1]", "a JSON list"),
        (b"[" * 90_000, "not JSON"),
        (b"\xff\xfe\x00", "no UTF-8"),
    ],
)
def test_json_that_is_none_is_named(tmp_path, content, message):
    write(tmp_path / "x.tar", samples(json=content))
    with pytest.raises(InputError, match=message):
        load(source(tmp_path, columns={"label": "name"}))


def test_json_cells_are_text_as_a_table_has_them(tmp_path):
    beside = json.dumps({"label": True, "n": 3, "empty": None, "deep": {"a": [1]}}).encode()
    write(tmp_path / "x.tar", samples(json=beside))
    row = load(source(tmp_path, columns={"attributes": ["label", "n", "empty", "deep"]})).rows[0]
    assert row.attributes == {"label": "True", "n": "3", "empty": "(missing)", "deep": '{"a": [1]}'}


def test_cut_packed_and_foreign_files_are_told_apart(tmp_path):
    path = write(tmp_path / "x.tar", samples())
    whole = path.read_bytes()
    for content in (whole[:1700], whole[: 512 * 5], b"no tar at all" * 100):
        path.write_bytes(content)
        with pytest.raises(InputError, match="no tar, or cut or damaged"):
            load(source(path))
    with tarfile.open(tmp_path / "y.tar.gz", "w:gz"):
        pass
    with pytest.raises(InputError, match=r"compressed tar.*gunzip .*y\.tar\.gz"):
        load(source(tmp_path / "y.tar.gz"))
    path.write_bytes(whole)
    raw = load(source(path))
    path.write_bytes(whole[:700])  # between listing and packing
    with pytest.raises(InputError, match="cannot be read"):
        pack(raw, tmp_path / "packed")


def test_a_size_that_no_image_has_is_not_read_into_memory(tmp_path):
    info = tarfile.TarInfo("0.png")
    info.size = 1 << 40
    path = tmp_path / "x.tar"
    with path.open("wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.write(bytes(2048))
    with pytest.raises(InputError, match="cut or damaged"):
        load(source(path))
