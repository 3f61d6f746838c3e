"""From whatever an image file holds to one square uint8 RGB array, and masks by the same geometry.

Shape legend: S side of the packed image, h and w of the source image.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from pipeline.core.errors import InputError
from pipeline.core.types import Float32Array, UInt8Array
from pipeline.data.decoding.depth import BIT_DEPTHS, Depth, Ranges, deep_values, measure, to_eight_bit
from pipeline.data.decoding.exif import DECODE_ERRORS, LYING, read_orientation, turn
from pipeline.data.facts.exif import read_exif
from pipeline.data.facts.read import FileFacts, count_frames, describe_array, read_header
from pipeline.data.raw import Content, DeepPixels, UnreadableError
from pipeline.pixels.maps import encode_opacity

Fit = Literal["crop", "squash", "pad"]
MAX_PIXELS = 100_000_000  # a photograph of 10,000 x 10,000; more is a scan or an attack on memory
ASPECT_TOLERANCE = 0.02  # masks are often stored at another size; other proportions are another image
_MASK_THRESHOLD = 127
_ROUNDING = 1e-3  # of opacities: resizing and sums of shares leave values just outside


@dataclass(frozen=True)
class Decoded:
    image: UInt8Array  # S S 3
    mask: UInt8Array | None  # S S, 0 or 255; between where an object is see-through
    facts: FileFacts
    depth: Depth | None = None  # of an image beyond 8 bits
    has_damaged_exif: bool = False  # so that nobody knows whether it should be turned
    has_frames: bool = False  # more than the one that is shown


@dataclass(frozen=True)
class _Frame:
    """What is known of an opened image: size as shown, size as stored, EXIF orientation (None: damaged)."""

    shown: tuple[int, int]
    stored: tuple[int, int]
    orientation: int | None
    facts: FileFacts
    depth: Depth | None = None
    has_more: bool = False  # frames


def decode(
    image: Path | Content,
    mask: Path | npt.NDArray[np.generic] | None,
    *,
    size: int,
    fit: Fit,
    ranges: Ranges,
) -> Decoded:
    """Decode one image and its mask to `size` x `size`.

    EXIF rotation is applied; transparency is laid on white; gray, palette and CMYK images, and those beyond
    8 bits (`ranges` are their black and white), become 8-bit RGB. `fit`: "crop" takes the central square,
    "squash" ignores proportions, "pad" repeats the border (a black frame would be a color cue that is not in
    the picture).

    Raises:
        UnreadableError: damaged, too large, or of a kind that cannot be shown.
        InputError: an array of the wrong shape or type, which is a mistake of the loader.
    """
    if mask is None and isinstance(image, np.ndarray) and image.shape == (size, size, 3):
        _check_array(image)
        return Decoded(image, None, describe_array(image))
    picture, frame = _open_picture(image, size, ranges)
    pixels = np.asarray(_make_square(picture, size=size, fit=fit, is_mask=False))
    drawn = None
    if mask is not None:
        upright = _match_frame(_open_mask(mask), frame)
        drawn = np.asarray(_make_square(upright, size=size, fit=fit, is_mask=True))
        drawn = encode_opacity(drawn) if upright.mode == "F" else _binary(drawn)
    return Decoded(pixels, drawn, frame.facts, frame.depth, frame.orientation is None, frame.has_more)


def _open_picture(source: Path | Content, size: int, ranges: Ranges) -> tuple[Image.Image, _Frame]:
    if isinstance(source, DeepPixels):
        return _show_deep(source, ranges)
    if isinstance(source, np.ndarray):
        _check_array(source)
        picture = Image.fromarray(np.ascontiguousarray(source))
        return picture, _Frame(picture.size, picture.size, 1, describe_array(source))
    try:
        with _opened(source) as opened:
            stored = shown = opened.size
            if stored[0] * stored[1] > MAX_PIXELS:
                raise UnreadableError(f"{stored[0]} x {stored[1]} pixels, more than {MAX_PIXELS:,}")
            header = read_header(opened)
            if opened.format == "JPEG":
                opened.draft(None, (2 * size, 2 * size))  # decodes large photographs at 1/2, 1/4, 1/8
            is_tiff = opened.format == "TIFF"  # which Pillow turns, and whose size it gives as shown
            orientation = read_orientation(opened) if is_tiff else None
            exif = read_exif(opened) if is_tiff else None  # decoding forgets both
            values = deep_values(opened, source, orientation or 1)  # of a PNG, to read EXIF may decode
            if exif is None:
                orientation, exif = read_orientation(opened), read_exif(opened)
            depth = None if values is None else measure(values)
            picture = to_rgb(opened) if values is None else to_eight_bit(values, ranges)
            picture = picture if is_tiff else turn(picture, orientation)
            has_more = _has_more_frames(opened)  # last: to look at a second frame forgets the first
            if orientation in LYING:
                stored, shown = (stored[::-1], shown) if is_tiff else (stored, shown[::-1])
            facts = FileFacts(*shown, header, exif, count_frames(opened, is_many=has_more))
    except DECODE_ERRORS as error:
        raise UnreadableError(_reason(error)) from error
    return picture, _Frame(shown, stored, orientation, facts, depth, has_more)


@contextlib.contextmanager
def _opened(source: Path | bytes) -> Iterator[Image.Image]:
    """An image as Pillow opens it, not by name: turned TIFFs that it maps into memory come out scrambled."""
    file = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    with file, Image.open(file) as opened:
        yield opened


def _show_deep(source: DeepPixels, ranges: Ranges) -> tuple[Image.Image, _Frame]:
    try:
        picture, depth = to_eight_bit(source.values, ranges), measure(source.values)
    except DECODE_ERRORS as error:
        raise UnreadableError(_reason(error)) from error
    return picture, _Frame(picture.size, picture.size, 1, describe_array(source.values), depth)


def _has_more_frames(opened: Image.Image) -> bool:
    """Of an animation or a stack; what cameras put behind a photograph (MPO) is no other picture of it."""
    if opened.format == "MPO":
        return False
    try:
        return bool(getattr(opened, "is_animated", False))
    except DECODE_ERRORS:
        return True


def _check_array(image: UInt8Array) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(
            f"an image array has shape {image.shape} and type {image.dtype}; expected h x w x 3, uint8."
        )


def to_rgb(picture: Image.Image) -> Image.Image:
    """Any Pillow image of 8 bits or less as RGB."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")


def _open_mask(source: Path | npt.NDArray[np.generic]) -> Image.Image:
    """A mask before any resizing: an "L" image of 0 and 255, or an "F" image of opacities in [0, 1]."""
    if isinstance(source, np.ndarray):
        if source.ndim != 2 or 0 in source.shape:
            raise InputError(f"a mask array has shape {source.shape}; expected h x w.")
        if np.issubdtype(source.dtype, np.floating):
            return Image.fromarray(_check_opacity(source))
        return Image.fromarray(_binary_levels(source))
    try:
        with _opened(source) as opened:
            if opened.size[0] * opened.size[1] > MAX_PIXELS:
                raise UnreadableError(f"its mask has {opened.size[0]} x {opened.size[1]} pixels")
            upright = opened if opened.format == "TIFF" else turn(opened, read_orientation(opened))
            # A palette's colors mean nothing; its indices do: 0 is background by convention.
            levels = np.asarray(upright) > 0 if upright.mode == "P" else _gray_levels(upright)
    except DECODE_ERRORS as error:
        raise UnreadableError(f"its mask {source.name}: {_reason(error)}") from error
    return Image.fromarray(_binary_levels(levels))


def _check_opacity(source: npt.NDArray[Any]) -> Float32Array:
    if np.isnan(source).any():
        raise InputError("a mask of floats holds NaN; expected how opaque the object is, in [0, 1].")
    if source.min() < -_ROUNDING or source.max() > 1 + _ROUNDING:
        raise InputError(
            f"a mask of floats says how opaque the object is and has values from {source.min():.4g} to "
            f"{source.max():.4g}; expected [0, 1]. Give integers (255 = foreground) for a plain mask."
        )
    return source.astype(np.float32).clip(0, 1)


def _gray_levels(picture: Image.Image) -> npt.NDArray[np.generic]:
    if picture.mode.startswith("I") or picture.mode == "F":
        return np.asarray(picture)
    return np.asarray(picture.convert("L"))


def _binary_levels(levels: npt.NDArray[np.generic]) -> UInt8Array:
    """0/255 from booleans, 0/1, or values of 8 to 16 bits: the upper half is foreground."""
    top = int(levels.max()) if levels.dtype != np.bool_ else 1
    most = 1 if top <= 1 else next((most for most in BIT_DEPTHS if most >= top), top)
    return _binary(levels, most // 2)


def _binary(levels: npt.NDArray[np.generic], threshold: int = _MASK_THRESHOLD) -> UInt8Array:
    return np.where(levels > np.asarray(threshold), np.uint8(255), np.uint8(0)).astype(np.uint8)


def _match_frame(mask: Image.Image, frame: _Frame) -> Image.Image:
    """Turn a mask that was drawn on the pixels as stored, and check its proportions."""
    if mask.size != frame.shown and mask.size == frame.stored:
        mask = turn(mask, frame.orientation)
    aspect, wanted = mask.size[0] / mask.size[1], frame.shown[0] / frame.shown[1]
    if abs(aspect / wanted - 1) > ASPECT_TOLERANCE:
        raise UnreadableError(
            f"its mask is {mask.size[0]} x {mask.size[1]}, the image {frame.shown[0]} x {frame.shown[1]}"
        )
    return mask


def _make_square(picture: Image.Image, *, size: int, fit: Fit, is_mask: bool) -> Image.Image:
    # Bilinear with Pillow's antialiasing: sharper filters overshoot and invent colors at edges.
    is_plain = is_mask and picture.mode == "L"
    resample = Image.Resampling.NEAREST if is_plain else Image.Resampling.BILINEAR
    width, height = picture.size
    if (width, height) == (size, size):
        return picture
    if fit == "squash" or width == height:
        return picture.resize((size, size), resample)
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return picture.resize((size, size), resample, box=(left, top, left + side, top + side))
    scale = size / max(width, height)
    inner = picture.resize((max(1, round(width * scale)), max(1, round(height * scale))), resample)
    return Image.fromarray(_pad(np.asarray(inner), size, is_mask=is_mask))


def _pad(inner: UInt8Array, size: int, *, is_mask: bool) -> UInt8Array:
    top, left = (size - inner.shape[0]) // 2, (size - inner.shape[1]) // 2
    widths = [(top, size - inner.shape[0] - top), (left, size - inner.shape[1] - left)]
    if is_mask:
        return np.pad(inner, widths)
    return np.pad(inner, [*widths, (0, 0)], mode="edge")


def _reason(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "the file does not exist"
    if isinstance(error, UnidentifiedImageError):
        return "not an image file, or damaged"
    return f"{type(error).__name__}: {error}"
