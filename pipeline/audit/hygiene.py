"""Are the images themselves in order: duplicates, leakage, odd images, balance."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from pipeline.audit.duplicates import find_duplicates, join_splits
from pipeline.audit.image_issues import find_issues
from pipeline.core.results import Balance, DatasetInfo, HygieneResult, Provenance
from pipeline.core.settings import HygieneSettings
from pipeline.core.types import Int64Array, Split, UInt8Array
from pipeline.metrics.image_quality import measure_quality


def analyze_hygiene(
    images_NHW3: UInt8Array,
    splits: Sequence[Split],
    info: DatasetInfo,
    settings: HygieneSettings,
    provenance: Provenance,
) -> HygieneResult:
    """Check all images of all splits. The result depends on the settings alone, except for `seconds`.

    Args:
        images_NHW3: the packed file's images, which the splits cover in order; may be a memory map.

    Raises:
        InputError: the splits do not cover the images.
    """
    started = time.perf_counter()
    data = join_splits(images_NHW3, splits)
    issues = find_issues(
        measure_quality(data.images), data.groups, [group.name for group in info.groups], settings
    )
    return HygieneResult(
        provenance=provenance,
        n_images=len(data.ids),
        duplicates=find_duplicates(data, settings),
        issues=[
            issue.model_copy(update={"examples": [int(data.ids[row]) for row in issue.examples]})
            for issue in issues
        ],
        balance=[balance for split in splits if len(split) for balance in _balances(split, info)],
        seconds=time.perf_counter() - started,
    )


def _balances(split: Split, info: DatasetInfo) -> list[Balance]:
    names = [group.name for group in info.groups]
    return [
        _balance("classes", split.name, split.labels, info.classes),
        _balance("groups", split.name, split.groups, names),
    ]


def _balance(over: str, split: str, cells_N: Int64Array, names: Sequence[str]) -> Balance:
    counts = np.bincount(cells_N, minlength=len(names))
    present = np.flatnonzero(counts)
    smallest, largest = int(present[counts[present].argmin()]), int(counts.argmax())
    share = counts[present] / counts.sum()
    return Balance.model_validate(
        {
            "over": over,
            "split": split,
            "n_cells": len(names),
            "n_empty": len(names) - len(present),
            "smallest": int(counts[smallest]),
            "smallest_name": names[smallest],
            "largest": int(counts[largest]),
            "largest_name": names[largest],
            "effective_cells": float(np.exp(-(share * np.log(share)).sum())),
        }
    )
