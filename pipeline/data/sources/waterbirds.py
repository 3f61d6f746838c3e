"""Waterbirds (Sagawa et al. 2020): birds of CUB-200-2011 pasted on land or water scenes of Places."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.core.errors import InputError
from pipeline.core.types import SPLIT_NAMES, SplitName
from pipeline.core.words import list_some
from pipeline.data.fetch.officials import OfficialArchive, obtain
from pipeline.data.raw import RawDataset, RawRow
from pipeline.settings.sources import WaterbirdsSource

OFFICIAL = OfficialArchive(
    title="Waterbirds",
    filename="waterbird_complete95_forest2water2.tar.gz",
    urls=("https://nlp.stanford.edu/data/dro/waterbird_complete95_forest2water2.tar.gz",),
    root="waterbird_complete95_forest2water2",
    required=("metadata.csv",),  # no checksum was published; the group counts are checked instead
)
CLASSES = ["landbird", "waterbird"]
PLACES = ["land", "water"]
COLUMNS = ("img_filename", "y", "split", "place")
PUBLISHED = {  # land/land, land/water, water/land, water/water (Sagawa et al. 2020, table in appendix)
    "train": (3498, 184, 56, 1057),
    "val": (467, 466, 133, 133),
    "test": (2255, 2255, 642, 642),
}
# Landbirds that the set's own construction calls waterbirds because "tern" is in their names.
# They keep their published label, so that results stay comparable, and are marked as flipped.
MISLABELED_SPECIES = ("Western_Meadowlark", "Western_Wood_Pewee", "Eastern_Towhee")


class Waterbirds:
    """Two classes x two backgrounds; 95 % of the training birds are on 'their' background."""

    def __init__(self, source: WaterbirdsSource, downloads: Path) -> None:
        self.source, self.downloads = source, downloads

    def load(self) -> RawDataset:
        """Raises: InputError (columns, counts or images do not fit), DownloadError."""
        obtained = obtain(OFFICIAL, self.source, self.downloads)
        path = obtained.folder / "metadata.csv"
        table = _read_metadata(path)
        if self.source.verify == "full":
            _check_counts(path, table)
        rows = _rows(obtained.folder, table)
        missing = [row for row in rows if isinstance(row.image, Path) and not row.image.exists()]
        notes = []
        if missing:
            rows, note = self._without_missing(obtained.folder, rows, missing)
            notes.append(note)
        if flipped := sum(row.label_flipped for row in rows):
            species = ", ".join(name.replace("_", " ") for name in MISLABELED_SPECIES)
            notes.append(f"{flipped:,} images carry a known wrong label: {species} are marked waterbirds")
        whole = self.source.verify == "full" and not missing
        return RawDataset(
            title="Waterbirds",
            source=OFFICIAL.urls[0],
            licence="CUB-200-2011 and Places terms; non-commercial research use",
            citation="Sagawa et al. 2020 (arXiv:1911.08731)",
            rows=rows,
            classes=CLASSES,
            attribute_values={"background": PLACES},
            attribute_descriptions={"background": "the scene that the bird was pasted on"},
            checksums=obtained.checksums,
            notes=notes,
            knows_label_flips=flipped > 0,  # parts of it and other sets of its layout may have none
            expected_group_counts=_published() if whole else None,
            fingerprint=obtained.fingerprint,
        )

    def _without_missing(
        self, folder: Path, rows: list[RawRow], missing: list[RawRow]
    ) -> tuple[list[RawRow], str]:
        shown = list_some([row.name for row in missing])
        if not self.source.allow_missing_images:
            raise InputError(
                f"{len(missing):,} of {len(rows):,} images that metadata.csv names are missing below "
                f"{folder}: {shown}. Extract the archive again, or set `source.allow_missing_images: true` "
                "to use the rows whose image is there."
            )
        gone = {row.name for row in missing}
        left = [row for row in rows if row.name not in gone]
        return left, f"{len(missing):,} of {len(rows):,} rows were left out: their image is missing"


def _published() -> dict[SplitName, dict[tuple[str, str], int]]:
    cells = [(label, place) for label in CLASSES for place in PLACES]
    return {split: dict(zip(cells, PUBLISHED[split], strict=True)) for split in SPLIT_NAMES}


def _read_metadata(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except (ValueError, pd.errors.ParserError) as error:
        raise InputError(f"{path} cannot be read as CSV ({error}). Extract the archive again.") from error
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise InputError(
            f"{path} lacks the column(s) {', '.join(missing)}; found: {', '.join(map(str, table))}. Obtain "
            f"{OFFICIAL.filename}, or use `source.kind: table` for a table of your own."
        )
    for column, allowed in (("y", {0, 1}), ("place", {0, 1}), ("split", {0, 1, 2})):
        other = sorted(set(table[column].dropna().unique()) - allowed)
        if other or table[column].isna().any():
            raise InputError(
                f"{path}: column {column!r} has {list_some(other) or 'empty cells'}; allowed: "
                f"{sorted(allowed)}. Obtain {OFFICIAL.filename} again."
            )
    numbers = ["y", "split", "place"]
    table[numbers] = table[numbers].astype(np.int64)
    return table


def _check_counts(path: Path, table: pd.DataFrame) -> None:
    """Compare with the published counts, on the whole table, whether or not images are there."""
    counts = Counter(zip(table["split"], 2 * table["y"] + table["place"], strict=True))
    for number, split in enumerate(SPLIT_NAMES):
        got = tuple(counts[number, group] for group in range(4))
        if got != PUBLISHED[split]:
            raise InputError(
                f"{path} is not the published Waterbirds: {split} has {'/'.join(map(str, got))} images "
                f"(land/land, land/water, water/land, water/water), expected "
                f"{'/'.join(map(str, PUBLISHED[split]))}. Obtain {OFFICIAL.filename} again, or set "
                "`source.verify: structure` for a set of the same layout."
            )


def _rows(folder: Path, table: pd.DataFrame) -> list[RawRow]:
    return [
        RawRow(
            name=name,
            image=folder / name,
            label=CLASSES[y],
            split=SPLIT_NAMES[split],
            attributes={"background": PLACES[place]},
            label_flipped=y == 1 and any(species in name for species in MISLABELED_SPECIES),
        )
        for name, y, split, place in zip(*(table[column] for column in COLUMNS), strict=True)
    ]
