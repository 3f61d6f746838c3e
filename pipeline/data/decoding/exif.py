"""What damaged files make Pillow raise, and which way up EXIF says that a picture is."""

from __future__ import annotations

import struct
import zlib

from PIL import Image

ORIENTATION = 0x0112  # the EXIF tag
_TAG_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # of a value, by EXIF's type; else 1
DECODE_ERRORS = (
    OSError,
    SyntaxError,  # Pillow's word for a broken PNG
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def read_orientation(opened: Image.Image) -> int | None:
    """EXIF's orientation; None where EXIF is damaged, which does not spoil the pixels."""
    try:
        found = opened.getexif().get(ORIENTATION)
        exif = opened.info.get("exif", b"")
        Image.Exif().load(exif)  # of a JPEG, `getexif` passes over damage in silence
        return None if found is None and _is_cut(exif) else int(found or 1)
    except DECODE_ERRORS:
        return None


def _is_cut(exif: bytes) -> bool:
    """Whether the first directory of tags ends early: Pillow keeps those before, with a warning alone."""
    data = exif.removeprefix(b"Exif\0\0")
    if not data:
        return False
    order = "<" if data.startswith(b"II") else ">"
    (start,) = struct.unpack_from(f"{order}L", data, 4)
    (n_tags,) = struct.unpack_from(f"{order}H", data, start)
    for i in range(n_tags):
        _, kind, count, place = struct.unpack_from(f"{order}HHLL", data, start + 2 + 12 * i)
        size = count * _TAG_BYTES.get(kind, 1)
        if size > 4 and place + size > len(data):
            return True
    return False
