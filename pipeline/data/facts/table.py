"""The facts of all packed images as one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artifacts.facts import as_fact_table
from pipeline.data.facts.names import NameFacts, make_reader
from pipeline.data.facts.read import FileFacts
from pipeline.data.plan import Plan
from pipeline.data.raw import RawDataset, RawRow

_READ = {
    "width": "width",
    "height": "height",
    "bytes": "header.bytes",
    "format": "header.format",
    "mode": "header.mode",
    "bit_depth": "header.bit_depth",
    "jpeg_quality": "header.jpeg.quality",
    "jpeg_tables": "header.jpeg.tables",
    "subsampling": "header.jpeg.subsampling",
    "progressive": "header.jpeg.is_progressive",
    "exif_make": "exif.make",
    "exif_model": "exif.model",
    "exif_software": "exif.software",
    "exif_orientation": "exif.orientation",
    "exif_date": "exif.date",
    "has_gps": "exif.has_gps",
    "has_exif": "exif.is_there",
    "has_icc": "header.has_icc",
    "has_alpha": "header.has_alpha",
    "n_frames": "n_frames",
    "modified": "header.modified",
}


def tabulate_facts(facts: Sequence[FileFacts], raw: RawDataset, plan: Plan) -> pd.DataFrame:
    """A row for each packed image.

    Args:
        facts: of the images of `plan`, in its order.
        plan: of the images that are packed.
    """
    columns: dict[str, list[object]] = {
        name: [*map(attrgetter(place), facts)] for name, place in _READ.items()
    }
    columns["id"] = list(range(len(facts)))
    columns["order"] = [None] * len(facts) if raw.is_listing else plan.order.tolist()
    columns["bytes_per_pixel"] = [_per_pixel(each) for each in facts]
    names = list(_read_names(raw, plan))
    columns["name_tokens"] = [name.tokens for name in names]
    columns["name_number"] = [name.number for name in names]
    return as_fact_table(columns)


def _per_pixel(facts: FileFacts) -> float | None:
    n_pixels = facts.width * facts.height
    n_bytes = facts.header.bytes
    return None if n_bytes is None or n_pixels < 1 else n_bytes / n_pixels


def _read_names(raw: RawDataset, plan: Plan) -> Iterator[NameFacts]:
    files = [_own_file(row) for row in plan.rows]
    reader = make_reader((file for file in files if file is not None), plan.classes, raw.other_names)
    for file in files:
        yield NameFacts() if file is None else reader.read(file)


def _own_file(row: RawRow) -> Path | None:
    """The image's own file, or what it was called before it was put into a larger one."""
    if isinstance(row.image, Path | np.ndarray):
        return row.image if isinstance(row.image, Path) else None
    return None if row.image.called is None else Path(row.image.called)
