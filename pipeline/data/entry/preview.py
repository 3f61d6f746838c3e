"""What a dataset looks like before it is packed, as text for the terminal."""

from __future__ import annotations

import io
from collections import Counter
from textwrap import indent

import numpy as np
from PIL import Image, UnidentifiedImageError

from pipeline.core.types import SPLIT_NAMES
from pipeline.core.words import align
from pipeline.data.names.naming import natural_key
from pipeline.data.raw import DeepPixels, RawDataset, RawRow, UnreadableError, content_of

MAX_TABLE_ROWS = 40
N_OPENED = 200  # images looked into for mode and size
N_NAMES = 3  # sample names per class and split shown


def preview(raw: RawDataset) -> str:
    """Counts per split x class x first attribute, sample names, image modes and sizes."""
    first = next(iter(raw.attribute_values), None) or next(
        (name for row in raw.rows for name in row.attributes), None
    )
    parts = [
        f"{raw.title}: {len(raw.rows):,} images, {len({row.label for row in raw.rows})} classes",
        _counts(raw, first),
        "sample names:\n" + "\n".join(f"  {row.name}" for row in _spread(raw.rows, N_NAMES)),
        _formats(raw.rows),
        f"masks: {sum(row.mask is not None for row in raw.rows):,} of {len(raw.rows):,} images",
    ]
    others = sorted({name for row in raw.rows for name in row.attributes} - {first})
    sources = Counter(row.source for row in raw.rows if row.source is not None)
    if sources:
        parts.append(
            f"kept together in splits and folds: images of one {raw.source_name!r} ({len(sources):,} values, "
            f"{sources.total() / len(sources):,.1f} images each)"
        )
    if first is None:
        parts.append("no attribute is annotated: groups are of a found cue that a model uses, else classes")
    if others:
        parts.append(f"further attributes: {', '.join(others)}")
    parts += [f"note: {note}" for note in raw.notes]
    return "\n".join(parts)


def _counts(raw: RawDataset, attribute: str | None) -> str:
    splits = [*SPLIT_NAMES, None] if any(row.split is None for row in raw.rows) else list(SPLIT_NAMES)
    cells = Counter((row.label, row.attributes.get(attribute or "", ""), row.split) for row in raw.rows)
    values = raw.attribute_values.get(attribute or "") or sorted({cell[1] for cell in cells}, key=natural_key)
    classes = raw.classes or sorted({row.label for row in raw.rows}, key=natural_key)
    header = ["class", *([attribute] if attribute else []), *(split or "no split yet" for split in splits)]
    body = [
        [label, *([value] if attribute else []), *(f"{cells[label, value, split]:,}" for split in splits)]
        for label in classes
        for value in values
    ]
    hidden = len(body) - MAX_TABLE_ROWS
    text = indent(align([header, *body[:MAX_TABLE_ROWS]], n_left=2 if attribute else 1), "  ")
    return f"{text}\n  ... and {hidden:,} more rows" if hidden > 0 else text


def _formats(rows: list[RawRow]) -> str:
    looked_at = _spread(rows, N_OPENED)
    found = Counter(_format(row) for row in looked_at)
    lines = [f"  {n:>4} x {what}" for what, n in found.most_common(8)]
    return f"images looked into ({len(looked_at)}):\n" + "\n".join(lines)


def _format(row: RawRow) -> str:
    try:
        found = content_of(row)
        if isinstance(found, DeepPixels):
            return f"array {found.values.shape[1]} x {found.values.shape[0]} of {found.values.dtype}"
        if isinstance(found, np.ndarray):
            return f"array {found.shape[1]} x {found.shape[0]}"
        with Image.open(io.BytesIO(found) if isinstance(found, bytes) else found) as picture:
            return f"{picture.format} {picture.mode} {picture.size[0]} x {picture.size[1]}"
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, UnreadableError):
        return "unreadable"


def _spread(rows: list[RawRow], n: int) -> list[RawRow]:
    """`n` rows evenly spread over the dataset."""
    positions = np.linspace(0, len(rows) - 1, min(n, len(rows))).astype(int)
    return [rows[i] for i in dict.fromkeys(positions.tolist())]
