"""The one pass over the pixels: decode in blocks on a few threads, append, gather what needs pixels.

Memory stays at one block however many images there are.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.progress import Progress
from pipeline.core.types import BoolArray, Int64Array, UInt8Array
from pipeline.core.words import list_some
from pipeline.data.decoding.decode import Decoded, decode
from pipeline.data.decoding.depth import Depth, Ranges, first_ranges, fit_ranges, note_depths
from pipeline.data.decoding.npy_stream import NpyAppender
from pipeline.data.facts.read import FileFacts
from pipeline.data.plan import Plan
from pipeline.data.raw import Content, RawRow, UnreadableError, content_of
from pipeline.data.splits import TRAIN
from pipeline.settings.data import DataSettings

_BLOCK_BYTES = 8 << 20  # packed pixels held at a time
_MAX_THREADS = 8
_SHOWN = 10
_ROWS_PER_TASK = 16
_TASK_BYTES = 4 << 20  # encoded, of images inside of larger files
_Found = Path | Content | UnreadableError
_Part = TypeVar("_Part")
_Result = TypeVar("_Result")


@dataclass
class Gathered:
    """What the one pass over the pixels collected; `kept` are positions in the plan."""

    kept: list[int] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)  # name, reason
    histogram: Int64Array = field(default_factory=lambda: np.zeros((3, 256), np.int64))  # train pixels
    digests: list[bytes] = field(default_factory=list)
    n_empty_masks: int = 0
    depths: list[Depth] = field(default_factory=list)  # of images beyond 8 bits
    damaged_exif: list[str] = field(default_factory=list)  # names
    several_frames: list[str] = field(default_factory=list)  # names
    facts: list[FileFacts] = field(default_factory=list)  # of the images that are kept
    ranges: Ranges = field(default_factory=Ranges)


def write_pixels(plan: Plan, settings: DataSettings, folder: Path) -> Gathered:
    """Write `images.npy` and `masks.npy` (maybe empty) of the rows that can be read, in the plan's order.

    Where images turn out to have more than 8 bits, and values of another range than was tried, all are
    packed once more with the range that they have.
    """
    tried = first_ranges(settings.value_range)
    gathered = _write_pixels(plan, settings, folder, tried)
    fitting = fit_ranges(tried, gathered.depths)
    if fitting == tried:
        return gathered
    return _write_pixels(plan, settings, folder, fitting)


def _write_pixels(plan: Plan, settings: DataSettings, folder: Path, ranges: Ranges) -> Gathered:
    size = settings.image_size
    gathered = Gathered(ranges=ranges)
    with contextlib.ExitStack() as stack:
        images = stack.enter_context(NpyAppender(folder / "images.npy", (size, size, 3)))
        masks = stack.enter_context(NpyAppender(folder / "masks.npy", (size, size)))
        progress = stack.enter_context(Progress("packing images", total=len(plan.rows), unit="images"))
        for start, block in _decode_blocks(plan.rows, settings, ranges):
            kept = [start + i for i, decoded in enumerate(block) if isinstance(decoded, Decoded)]
            good = [decoded for decoded in block if isinstance(decoded, Decoded)]
            _gather_files(gathered, plan.rows[start : start + len(block)], block)
            if good:
                # np.stack keeps the memory order of transposed views; what follows needs rows in order.
                pixels = np.ascontiguousarray(np.stack([decoded.image for decoded in good]))
                images.append(pixels)
                _gather(gathered, pixels, plan.splits[kept] == TRAIN)
                gathered.kept += kept
            if good and plan.has_masks:
                drawn = np.stack([decoded.mask for decoded in good if decoded.mask is not None])
                masks.append(drawn)
                gathered.n_empty_masks += int((~drawn.any(axis=(1, 2))).sum())
            progress.update(len(block))
    return gathered


def scan_files(rows: list[RawRow], settings: DataSettings) -> Gathered:
    """What packing would find out about the files, without writing: every image and mask is decoded."""
    tried = first_ranges(settings.value_range)
    gathered = Gathered()
    with Progress("opening every image", total=len(rows), unit="images") as progress:
        for start, block in _decode_blocks(rows, settings, tried):
            _gather_files(gathered, rows[start : start + len(block)], block)
            gathered.kept += [start + i for i, found in enumerate(block) if isinstance(found, Decoded)]
            progress.update(len(block))
    gathered.ranges = fit_ranges(tried, gathered.depths)
    return gathered


def _decode_blocks(
    rows: list[RawRow], settings: DataSettings, ranges: Ranges
) -> Iterator[tuple[int, list[Decoded | UnreadableError]]]:
    """The rows' images in order, in blocks with the position of their first; unreadable ones as errors."""
    size, fit = settings.image_size, settings.fit
    n_block = max(_MAX_THREADS, _BLOCK_BYTES // (size * size * 3))

    def decode_row(row: RawRow, content: _Found) -> Decoded | UnreadableError:
        if isinstance(content, UnreadableError):
            return content
        try:
            return decode(content, row.mask, size=size, fit=fit, ranges=ranges)
        except UnreadableError as error:
            return error
        except InputError as error:
            raise InputError(f"{row.name}: {error}") from error

    def decode_rows(part: list[tuple[RawRow, _Found]]) -> list[Decoded | UnreadableError]:
        return [decode_row(row, content) for row, content in part]

    n_threads = min(_MAX_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(max_workers=n_threads) as pool:
        for start in range(0, len(rows), n_block):
            parts = _read_parts(rows[start : start + n_block])
            done = _map_ahead(pool, decode_rows, parts, 2 * n_threads)
            yield start, [decoded for part in done for decoded in part]


def _read_parts(rows: list[RawRow]) -> Iterator[list[tuple[RawRow, _Found]]]:
    """A few rows per task, with what is to be decoded, read here and in order; few bytes, however large.

    Small arrays would spend more time in the queue than in decoding.
    """
    part: list[tuple[RawRow, _Found]] = []
    n_bytes = 0
    for row in rows:
        try:
            content: _Found = content_of(row)
        except UnreadableError as error:
            content = error
        part.append((row, content))
        n_bytes += len(content) if isinstance(content, bytes) else 0
        if len(part) == _ROWS_PER_TASK or n_bytes >= _TASK_BYTES:
            yield part
            part, n_bytes = [], 0
    if part:
        yield part


def _map_ahead(
    pool: ThreadPoolExecutor, call: Callable[[_Part], _Result], parts: Iterator[_Part], n_ahead: int
) -> Iterator[_Result]:
    """`pool.map` that takes no more than `n_ahead` parts before their results are asked for."""
    waiting: deque[Future[_Result]] = deque()
    for part in parts:
        waiting.append(pool.submit(call, part))
        if len(waiting) >= n_ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _gather_files(gathered: Gathered, rows: list[RawRow], block: list[Decoded | UnreadableError]) -> None:
    for row, decoded in zip(rows, block, strict=True):
        if isinstance(decoded, UnreadableError):
            gathered.unreadable.append((row.name, str(decoded)))
            continue
        gathered.facts.append(decoded.facts)
        if decoded.depth is not None:
            gathered.depths.append(decoded.depth)
        if decoded.has_damaged_exif:
            gathered.damaged_exif.append(row.name)
        if decoded.has_frames:
            gathered.several_frames.append(row.name)


def _gather(gathered: Gathered, pixels_NHW3: UInt8Array, is_train: BoolArray) -> None:
    train = pixels_NHW3[is_train]
    for channel in range(3):
        gathered.histogram[channel] += np.bincount(train[..., channel].ravel(), minlength=256)
    gathered.digests += [hashlib.blake2b(image.data, digest_size=16).digest() for image in pixels_NHW3]


def note_files(gathered: Gathered) -> list[str]:
    """In words what was special about the files, and what was done with them."""
    notes = note_depths(gathered.depths, gathered.ranges)
    if gathered.unreadable:
        names = [name for name, _ in gathered.unreadable]
        notes.append(f"{len(names):,} unreadable images were left out: {list_some(names)}")
    if gathered.damaged_exif:
        names = gathered.damaged_exif
        notes.append(f"{len(names):,} images have damaged EXIF data, so none is turned: {list_some(names)}")
    if gathered.several_frames:
        names = gathered.several_frames
        notes.append(f"{len(names):,} files have several frames: the first is used: {list_some(names)}")
    return notes


def check_unreadable(gathered: Gathered, n: int, settings: DataSettings) -> None:
    """Stop on unreadable images unless they may be left out.

    Raises:
        InputError: names them with the reasons.
    """
    if gathered.unreadable and not settings.skip_unreadable:
        lines = "\n  ".join(f"{name}: {reason}" for name, reason in gathered.unreadable[:_SHOWN])
        more = (
            f"\n  and {len(gathered.unreadable) - _SHOWN:,} more" if len(gathered.unreadable) > _SHOWN else ""
        )
        raise InputError(
            f"{len(gathered.unreadable):,} of {n:,} images cannot be read:\n  {lines}{more}\n"
            "Repair or remove them, or set `data.skip_unreadable: true` to leave them out (new-dataset: "
            "--skip-unreadable)."
        )
    if not gathered.kept:
        raise InputError(f"none of the {n:,} images can be read: {gathered.unreadable[0][1]}.")
