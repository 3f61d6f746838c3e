"""Test images before and after an edit, as stage `evaluate` kept them of the baseline.

Shape legend: M changed images.
"""

from __future__ import annotations

import numpy as np

from pipeline.artifacts.edited import EditedImages
from pipeline.core.types import Split
from pipeline.records.report import EditExample


def describe_edits(edited: EditedImages, test: Split) -> list[EditExample]:
    """The kept images with label and group, in the order in which they were kept."""
    order = np.argsort(test.ids)
    rows_M = order[np.searchsorted(test.ids, edited.ids_M, sorter=order)]
    return [
        EditExample(
            edit=str(edit),
            id=int(image),
            label=int(test.labels[row]),
            group=int(test.groups[row]),
            before=int(before),
            after=int(after),
        )
        for edit, image, row, before, after in zip(
            edited.edits_M, edited.ids_M, rows_M, edited.before_M, edited.after_M, strict=True
        )
    ]
