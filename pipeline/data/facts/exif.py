"""What EXIF says of camera, program and time; of the place, only whether it is said."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.TiffImagePlugin import TiffImageFile

T = TypeVar("T")
P = ParamSpec("P")
_MAX_BYTES = 1 << 20  # of EXIF that is looked into; cameras write some 10 kB, in a JPEG 64 kB at most at once
_MAX_CHARACTERS = 64
_SCANNED = 1024  # characters of a string that are looked at for printable ones
_DATE = re.compile(r"\s*(\d{4})[:/-](\d\d)[:/-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_YEARS = range(1900, 2101)  # others are unset clocks and mistakes
_TEXT_TYPES = (1, 2, 7)  # of a TIFF's tag: bytes, ASCII, undefined


@dataclass(frozen=True, slots=True)
class ExifFacts:
    """None: not said, or not to be read."""

    make: str | None = None  # at most 64 printable characters, as are the next two
    model: str | None = None
    software: str | None = None
    orientation: int | None = None  # 1 to 8 as EXIF counts
    date: float | None = None  # s since 1970 by the camera's clock, as if it showed UTC
    has_gps: bool | None = None
    is_there: bool | None = None


UNKNOWN = ExifFacts()
NONE = ExifFacts(has_gps=False, is_there=False)


def attempt(read: Callable[P, T], *args: P.args, **options: P.kwargs) -> T | None:
    """What `read` returns; None where a file's bytes make it fail, in whichever way."""
    try:
        return read(*args, **options)
    except Exception:  # of no fact is it worth to stop, and Pillow asserts where it meets the unexpected
        return None


def read_exif(opened: Image.Image) -> ExifFacts:
    """Facts of an opened image; may decode it, since a PNG can have EXIF behind its pixels."""
    exif = attempt(opened.getexif)
    stored = opened.info.get("exif")
    if exif is None:
        return ExifFacts(is_there=bool(stored) or None)
    if isinstance(opened, TiffImageFile):  # whose own tags are of the same kind
        is_there = IFD.Exif in exif
    elif not (stored or len(exif)):
        return NONE
    else:
        is_there = True
    if stored and len(stored) > _MAX_BYTES:
        return ExifFacts(is_there=True)
    return ExifFacts(
        make=_text(opened, exif, Base.Make),
        model=_text(opened, exif, Base.Model),
        software=_text(opened, exif, Base.Software),
        orientation=attempt(_orientation, exif),
        date=attempt(_date, exif),
        has_gps=attempt(_has_position, exif),
        is_there=is_there,
    )


def _text(opened: Image.Image, exif: Image.Exif, tag: Base) -> str | None:
    # Millions of numbers where a name belongs would be turned into as many objects.
    if isinstance(opened, TiffImageFile) and opened.tag_v2.tagtype.get(tag, 2) not in _TEXT_TYPES:
        return None
    return attempt(lambda: shorten(exif.get(tag)))


def shorten(value: object) -> str | None:
    """At most 64 printable characters of a text or of UTF-8 bytes; None where there are none."""
    if isinstance(value, bytes):
        value = value[: 4 * _SCANNED].decode("utf-8", "ignore")
    if not isinstance(value, str):
        return None
    printable = "".join(letter for letter in value[:_SCANNED] if letter.isprintable())
    return printable.strip()[:_MAX_CHARACTERS].strip() or None


def _orientation(exif: Image.Exif) -> int | None:
    found = exif.get(Base.Orientation)
    return found if isinstance(found, int) and 1 <= found <= 8 else None


def _date(exif: Image.Exif) -> float | None:
    """When the picture was taken; else when it was digitized, else when the file was changed."""
    if IFD.Exif in exif:
        inner: Mapping[int, Any] = attempt(exif.get_ifd, IFD.Exif) or {}
        for tag in (Base.DateTimeOriginal, Base.DateTimeDigitized):
            if (found := parse_date(inner.get(tag))) is not None:
                return found
    return parse_date(exif.get(Base.DateTime))


def parse_date(value: object) -> float | None:
    """Seconds since 1970 of "2024:05:31 12:00:00", as if the clock showed UTC; None of no such date."""
    found = _DATE.match(value) if isinstance(value, str) and len(value) <= _SCANNED else None
    if found is None:
        return None
    numbers = [int(part) for part in found.groups()]
    if numbers[0] not in _YEARS:
        return None
    try:
        year, month, day, hour, minute, second = numbers
        return datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC).timestamp()
    except ValueError:
        return None


def _has_position(exif: Image.Exif) -> bool:
    """Whether a latitude or longitude is there; many cameras write an empty directory without one."""
    if IFD.GPSInfo not in exif:
        return False
    return not {GPS.GPSLatitude, GPS.GPSLongitude}.isdisjoint(exif.get_ifd(IFD.GPSInfo))
