"""What damaged files make Pillow raise, and which way up EXIF says that a picture is."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image

ORIENTATION = 0x0112  # the EXIF tag
_TAG_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # of a value, by EXIF's type; else 1
_UPRIGHT = {  # what undoes each orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_CLASSIC = 42  # what a TIFF begins with that is no BigTIFF
LYING = (5, 6, 7, 8)  # orientations whose width is the height as shown
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


def turn(picture: Image.Image, orientation: int | None) -> Image.Image:
    """A picture as shown, of one as stored; `orientation` as EXIF counts, None: nobody knows."""
    undo = _UPRIGHT.get(orientation or 1)
    return picture if undo is None else picture.transpose(undo)


def turn_values(values: npt.NDArray[np.generic], orientation: int | None) -> npt.NDArray[np.generic]:
    """`turn` of an array, h x w x C."""
    if orientation in LYING:
        values = values.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return np.ascontiguousarray(values)


def forget_orientation(tiff: bytes) -> bytes | None:
    """The same TIFF whose first directory says that its pixels are stored upright; None of a BigTIFF."""
    order = "<" if tiff.startswith(b"II") else ">"
    if struct.unpack_from(f"{order}H", tiff, 2) != (_CLASSIC,):
        return None
    (start,) = struct.unpack_from(f"{order}L", tiff, 4)
    (n_tags,) = struct.unpack_from(f"{order}H", tiff, start)
    changed = bytearray(tiff)
    for place in range(start + 2, start + 2 + 12 * n_tags, 12):
        if struct.unpack_from(f"{order}H", tiff, place)[0] == ORIENTATION:
            struct.pack_into(f"{order}HHLHH", changed, place, ORIENTATION, 3, 1, 1, 0)
    return bytes(changed)
