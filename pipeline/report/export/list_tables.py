"""The lists of images, one table each: complete, with the name of every file."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.records.lists import CLASS_COLUMNS, ImageList
from pipeline.records.report import Report
from pipeline.report.export.rows import Row, Table, name_at


def list_tables(s: Report) -> list[Table]:
    """One table a list, its images in its order."""
    places = {image: place for place, image in enumerate(s.listed.ids)}
    return [
        Table(
            f"list_{key}",
            f"{listed.title}: all {len(listed.ids):,}, {listed.order}. {listed.rule}",
            list(_rows(s, listed, places)),
            "",
        )
        for key, listed in s.lists.items()
    ]


def _rows(s: Report, listed: ImageList, places: dict[int, int]) -> Iterator[Row]:
    known, classes, groups = s.listed, s.dataset.classes, [group.name for group in s.dataset.groups]
    for i, image in enumerate(listed.ids):
        place = places[image]
        row: Row = {
            "rank": i + 1,
            "image": image,
            "file": known.files[place],
            "split": known.splits[place],
            "label": name_at(classes, known.labels[place]),
            "group": name_at(groups, known.groups[place]),
        }
        if known.known_wrong is not None:
            row["known_wrong"] = known.known_wrong[place]
        for name, cells in listed.columns.items():
            cell = cells[i]
            row[name] = name_at(classes, cell) if name in CLASS_COLUMNS and isinstance(cell, int) else cell
        yield row
