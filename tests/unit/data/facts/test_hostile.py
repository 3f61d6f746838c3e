"""Files made to harm: what cannot be read is null, nothing raises, and nothing takes long or fills memory."""

from __future__ import annotations

import io
import random
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from pipeline.data.decoding.decode import UnreadableError, decode
from pipeline.data.decoding.depth import Ranges
from pipeline.data.facts.exif import ExifFacts, attempt, parse_date, shorten
from pipeline.data.facts.read import MAX_FRAMES, FileFacts
from tests.fixtures.data import noise

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of EXIF
PICTURE = Image.fromarray(noise(0, 16))
BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
MAKE, ORIENTATION, DATE, EXIF, GPS = 0x010F, 0x0112, 0x0132, 0x8769, 0x8825
Tag = tuple[int, int, int, bytes]  # number, type, count, four bytes: a value or where it stands


def place(offset: int) -> bytes:
    return struct.pack("<L", offset)


def directory(*tags: Tag, following: int = 0) -> bytes:
    entries = b"".join(struct.pack("<HHL", *tag[:3]) + tag[3] for tag in tags)
    return struct.pack("<H", len(tags)) + entries + place(following)


def exif(*tags: Tag, tail: bytes = b"", following: int = 0) -> bytes:
    """EXIF whose first directory, at byte 8, is of these tags; `tail` stands behind it."""
    return b"Exif\0\0II*\0" + place(8) + directory(*tags, following=following) + tail


def after(n_tags: int) -> int:
    """Where the tail of `exif` begins."""
    return 8 + 2 + 12 * n_tags + 4


def png_with(path: Path, kind: bytes, content: bytes) -> Path:
    """A PNG with one more chunk before its pixels, which can have any length."""
    file = io.BytesIO()
    PICTURE.save(file, "PNG")
    data, start = file.getvalue(), 33
    body = kind + content
    chunk = struct.pack(">L", len(content)) + body + struct.pack(">L", zlib.crc32(body))
    path.write_bytes(data[:start] + chunk + data[start:])
    return path


def jpeg_with(path: Path, *markers: bytes) -> Path:
    """A JPEG with more segments in front: each is a marker's byte and its content."""
    file = io.BytesIO()
    PICTURE.save(file, "JPEG")
    data = file.getvalue()
    parts = b"".join(b"\xff" + part[:1] + struct.pack(">H", len(part) + 1) + part[1:] for part in markers)
    path.write_bytes(data[:2] + parts + data[2:])
    return path


def read(path: Path) -> FileFacts | None:
    """None: the image cannot be read, so it has no facts."""
    start = time.process_time()
    try:
        found = decode(path, None, size=8, fit="crop", ranges=Ranges()).facts
    except UnreadableError:
        return None
    finally:
        assert time.process_time() - start < 2
    check(found)
    return found


def check(found: FileFacts) -> None:
    for value in (found.exif.make, found.exif.model, found.exif.software):
        assert value is None or (0 < len(value) <= 64 and value.isprintable())
    assert found.exif.orientation in (None, *range(1, 9))
    assert found.exif.date is None or abs(found.exif.date) < 1e10
    assert 1 <= (found.n_frames or 1) <= MAX_FRAMES
    assert found.header.jpeg.quality in (None, *range(1, 101))


# --- EXIF ------------------------------------------------------------------------------------

HOSTILE_EXIF: dict[str, bytes] = {
    "nothing": b"",
    "a head alone": b"Exif\0\0",
    "half a head": b"Exif\0\0II",
    "no head": b"\xff" * 100,
    "a directory beyond the end": b"Exif\0\0II*\0" + place(2**32 - 1),
    "65,535 tags that are not there": b"Exif\0\0II*\0" + place(8) + b"\xff\xff",
    "a value beyond the end": exif((MAKE, ASCII, 40, place(2**32 - 1))),
    "a value of 4 GB": exif((MAKE, ASCII, 2**32 - 1, place(8))),
    "a type that is none": exif((MAKE, 99, 4, b"abcd")),
    "a name of numbers": exif((MAKE, RATIONAL, 100, place(after(1))), tail=b"\1" * 800),
    "a name of fractions by 0": exif((MAKE, RATIONAL, 2, place(after(1))), tail=bytes(16)),
    "a directory within itself": exif((EXIF, LONG, 1, place(8)), (GPS, LONG, 1, place(8)), following=8),
    "a directory at minus one": exif((EXIF, LONG, 1, place(2**32 - 1)), (GPS, LONG, 1, place(2**32 - 1))),
    "a directory that is a word": exif((EXIF, ASCII, 4, b"abc\0"), (GPS, ASCII, 4, b"abc\0")),
    "a list of directories": exif(
        (EXIF, LONG, 9, place(after(2))), (GPS, LONG, 9, place(after(2))), tail=place(8) * 9
    ),
    "an orientation of 70": exif((ORIENTATION, SHORT, 1, b"\x46\0\0\0")),
    "an orientation that is a word": exif((ORIENTATION, ASCII, 3, b"up\0\0")),
    "no orientation": exif((ORIENTATION, SHORT, 0, b"\0\0\0\0")),
    "many orientations": exif((ORIENTATION, SHORT, 9, place(after(1))), tail=b"\6\0" * 9),
    "control characters": exif((MAKE, ASCII, 12, place(after(1))), tail=b"\x1b[31m\7\r\n\x00ab\x00"),
    "no letters": exif((MAKE, ASCII, 4, b"\1\2\3\0")),
    "bytes that are no text": exif((MAKE, UNDEFINED, 8, place(after(1))), tail=b"\xff\xfe\x80Nikon"),
    "a date of zeros": exif((DATE, ASCII, 20, place(after(1))), tail=b"0000:00:00 00:00:00\0"),
    "a date of nines": exif((DATE, ASCII, 20, place(after(1))), tail=b"9999:99:99 99:99:99\0"),
    "a date that is a number": exif((DATE, LONG, 1, place(2**32 - 1))),
}


@pytest.mark.parametrize("case", HOSTILE_EXIF)
@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_hostile_exif_leaves_an_image_with_nulls(tmp_path: Path, case: str, kind: str) -> None:
    block = HOSTILE_EXIF[case]
    if kind == "jpg":
        path = jpeg_with(tmp_path / "x.jpg", b"\xe1" + block)
    elif kind == "png":
        path = png_with(tmp_path / "x.png", b"eXIf", block.removeprefix(b"Exif\0\0"))
    else:
        path = tmp_path / "x.webp"
        PICTURE.save(path, exif=block or b"\0")
    found = read(path)
    assert found is not None, "EXIF is no reason to lose pixels"
    expected = {"control characters": ("[31mab", "[31m"), "bytes that are no text": ("Nikon",)}
    assert found.exif.make in expected.get(case, (None,))
    assert found.exif.orientation == (6 if case == "many orientations" else None), "as it is turned"
    assert found.exif.date is None
    assert not found.exif.has_gps


def test_megabytes_of_exif_are_not_looked_into(tmp_path: Path) -> None:
    n = 6_000_000
    for kind, size in ((ASCII, 1), (RATIONAL, 8)):
        block = exif((MAKE, kind, n // size, place(after(1))), tail=b"A" * n).removeprefix(b"Exif\0\0")
        tracemalloc.start()
        found = read(png_with(tmp_path / "x.png", b"eXIf", block))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found is not None
        assert found.exif == ExifFacts(is_there=True)
        assert peak < 60e6
    parts = [b"\xe1Exif\0\0" + b"II*\0" + place(8) + directory() + b"A" * 60_000] * 30
    found = read(jpeg_with(tmp_path / "x.jpg", *parts))
    assert found is not None
    assert found.exif == ExifFacts(is_there=True)


def test_a_long_name_is_cut(tmp_path: Path) -> None:
    long = ("Ünï " * 10_000).encode("latin-1")
    block = exif((MAKE, ASCII, len(long), place(after(1))), tail=long)
    found = read(png_with(tmp_path / "x.png", b"eXIf", block.removeprefix(b"Exif\0\0")))
    assert found is not None
    assert found.exif.make == ("Ünï " * 16).strip()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a" * 5_000_000, "a" * 64),
        (b"\xff" * 5_000_000, None),
        ("\u202e\u200b\x00\ud800", None),
        ("  Canon\u202e \x00\x00", "Canon"),
        (b"caf\xc3\xa9\0", "café"),
        (7, None),
        (("Canon",), None),
        (float("nan"), None),
        (None, None),
    ],
)
def test_texts(value: object, expected: str | None) -> None:
    assert shorten(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1970:01:02 00:00:00", 86400.0),
        ("1970-01-02T00:00:00Z", 86400.0),
        ("1901:01:01 00:00:00", -2_177_452_800.0),
        ("2024:02:30 00:00:00", None),
        ("2024:13:01 00:00:00", None),
        ("2024:01:01 24:00:61", None),
        ("0001:01:01 00:00:00", None),
        ("9999:12:31 23:59:59", None),
        ("    :  :     :  :  ", None),
        ("nan", None),
        ("1970:01:02 00:00:00" + " " * 10_000_000, None),
        ("٢٠٢٤:٠١:٠١ ٠٠:٠٠:٠٠", 1_704_067_200.0),
        (float("nan"), None),
        (b"1970:01:02 00:00:00", None),
        (10**400, None),
        (None, None),
    ],
)
def test_dates(value: object, expected: float | None) -> None:
    assert parse_date(value) == expected


def test_whatever_fails_is_null() -> None:
    def endless() -> None:
        endless()

    assert attempt(endless) is None
    assert attempt(int, "x") is None
    assert attempt({}.pop, "x") is None
    assert attempt(int, "7") == 7


# --- headers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (2**31 - 1, 2**31 - 1), (2**32 - 1, 1), (40_000, 40_000)])
def test_sizes_of_nothing_and_of_everything(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "x.png"
    PICTURE.save(path)
    data = path.read_bytes()
    head = b"IHDR" + struct.pack(">LL", *size) + data[24:29]
    path.write_bytes(data[:12] + head + struct.pack(">L", zlib.crc32(head)) + data[33:])
    assert read(path) is None


def test_frames_by_the_million_are_neither_counted_nor_visited(tmp_path: Path) -> None:
    for n in (2, 999, 2_000_000, 2**31 - 1):
        found = read(png_with(tmp_path / "x.png", b"acTL", struct.pack(">LL", n, 0)))
        assert found is not None
        assert found.n_frames in (min(n, MAX_FRAMES), min(n + 1, MAX_FRAMES))
    stack = tmp_path / "x.gif"
    PICTURE.save(stack, save_all=True, append_images=[Image.new("RGB", (16, 16), "red")])
    data = stack.read_bytes()
    second = data[data.rindex(b"!\xf9") : -1]
    stack.write_bytes(data[:-1] + second * 200_000 + b";")
    found = read(stack)
    assert found is not None
    assert found.n_frames == 2


def test_a_stack_that_leads_back_to_itself(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    PICTURE.save(path)
    data = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<L", data, 4)
    (n_tags,) = struct.unpack_from("<H", data, start)
    struct.pack_into("<L", data, start + 2 + 12 * n_tags, start)
    path.write_bytes(data)
    found = read(path)
    assert found is None or found.n_frames in (1, 2)


def test_impossible_tables_of_a_jpeg(tmp_path: Path) -> None:
    deep = b"\xdb\x10" + struct.pack(">H", 65535) * 64
    for table in (b"\xdb\x00" + bytes(64), b"\xdb\x0f" + b"\1" * 64, deep, b"\xdb\x00" + b"\1" * 10, b"\xdb"):
        found = read(jpeg_with(tmp_path / "x.jpg", table))
        assert found is None or found.header.jpeg.quality == 75, "the file's own table comes later"


# --- any damage ------------------------------------------------------------------------------


def damaged(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """The file with bytes changed, cut off, put twice and left out, mostly near its start."""
    changes: list[Callable[[int], bytes]] = [
        lambda i: data[:i] + rng.randbytes(4) + data[i + 4 :],
        lambda i: data[:i] + b"\xff\xff\xff\xff" + data[i + 4 :],
        lambda i: data[:i],
        lambda i: data[: i + 40] + data[i:],
        lambda i: data[:i] + data[i + 7 :],
    ]
    for change in changes:
        for _ in range(6):
            yield change(int(len(data) * rng.random() ** 2))


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif", "gif", "mpo"])
def test_no_damage_raises(tmp_path: Path, kind: str) -> None:
    inner = directory((1, SHORT, 1, b"\1\0\0\0"))
    tags = exif(
        (MAKE, ASCII, 6, place(after(3))),
        (EXIF, LONG, 1, place(after(3) + 6)),
        (GPS, LONG, 1, place(after(3) + 6)),
        tail=b"Canon\0" + inner,
    )
    more = {"save_all": True, "append_images": [PICTURE] * 2} if kind in ("mpo", "gif", "tif") else {}
    whole = tmp_path / f"whole.{kind}"
    PICTURE.save(whole, **({"exif": tags} if kind not in ("gif", "tif") else {}), **more)  # type: ignore[arg-type]
    assert read(whole) is not None
    rng = random.Random(kind)
    for data in damaged(whole.read_bytes(), rng):
        path = tmp_path / f"x.{kind}"
        path.write_bytes(data)
        read(path)
