"""The lists of images as the page holds them: which are there, how many are shown, and their data.

The page carries them compressed, and a script copies ids and writes CSV files from them; all of them are in
the report's JSON and in its export.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.records.lists import CLASS_COLUMNS, ImageList, ListKind
from pipeline.records.report import Report

LISTS_BUDGET = 900_000  # characters of the page


@dataclass(frozen=True)
class ListsView:
    """All lists by key."""

    s: Report

    def get(self, key: str) -> ImageList | None:
        return self.s.lists.get(key)

    def keys(self, kind: ListKind, method: str | None = None) -> list[str]:
        """Keys of the lists of one kind, of one method where it is named."""
        lists = self.s.lists.items()
        return [key for key, found in lists if found.kind == kind and method in (None, found.method)]

    def of(self, image: int) -> Sequence[str]:
        """Keys of the lists that hold an image, in the report's order."""
        return self._by_image.get(image, ())

    @cached_property
    def _by_image(self) -> Mapping[int, list[str]]:
        found: dict[int, list[str]] = defaultdict(list)
        for key, listed in self.s.lists.items():
            for image in dict.fromkeys(listed.ids):
                found[image].append(key)
        return found

    @cached_property
    def carried(self) -> Mapping[str, ImageList]:
        """The lists that the page carries: where not all fit, chance's first go, then the largest."""
        return self._fitting[0]

    @cached_property
    def _fitting(self) -> tuple[Mapping[str, ImageList], str]:
        kept = dict(self.s.lists)
        while kept:
            data = _packed(self.s, kept)
            if len(data) <= LISTS_BUDGET:
                return kept, data
            del kept[max(kept, key=lambda key: ("seed" in kept[key].columns, len(kept[key].ids)))]
        return {}, ""

    @property
    def data(self) -> str:
        """What the script reads, as JSON, compressed, in base64; "" without lists."""
        return self._fitting[1]


def _packed(s: Report, lists: Mapping[str, ImageList]) -> str:
    """The images of `lists` once, and for each list its places among them and its further columns."""
    ids = sorted({image for listed in lists.values() for image in listed.ids})
    places = {image: place for place, image in enumerate(ids)}
    row_of = {image: row for row, image in enumerate(s.listed.ids)}
    rows = [row_of[image] for image in ids]
    known, wrong = s.listed, s.listed.known_wrong
    data: dict[str, Any] = {
        "classes": s.dataset.classes,
        "groups": [group.name for group in s.dataset.groups],
        "of_class": CLASS_COLUMNS,
        "image": ids,
        "file": [known.files[row] for row in rows],
        "split": [known.splits[row] for row in rows],
        "label": [known.labels[row] for row in rows],
        "group": [known.groups[row] for row in rows],
        "known_wrong": wrong and [int(wrong[row]) for row in rows],
        "lists": {
            key: {"places": [places[image] for image in listed.ids], "columns": listed.columns}
            for key, listed in lists.items()
        },
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("utf-8"), 6, mtime=0)).decode("ascii")
