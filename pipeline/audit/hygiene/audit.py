"""Are the images themselves in order: duplicates, leakage, odd images, balance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pipeline.audit.hygiene.duplicates import find_duplicates, join_splits
from pipeline.audit.hygiene.image_issues import find_issues
from pipeline.core.types import Int64Array, Split, UInt8Array
from pipeline.pixels.quality import measure_quality
from pipeline.records.base import Provenance
from pipeline.records.data import DatasetInfo
from pipeline.records.hygiene import Balance, DuplicateSummary, HygieneResult
from pipeline.settings.hygiene import HygieneSettings


class HygieneAnalysis(NamedTuple):
    """The check's record, and which images are copies of one another."""

    result: HygieneResult
    copy_set_N: Int64Array  # of all images: the same number for copies, exact or near


def analyze_hygiene(
    images_NHW3: UInt8Array,
    splits: Sequence[Split],
    info: DatasetInfo,
    settings: HygieneSettings,
    provenance: Provenance,
) -> HygieneAnalysis:
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
    duplicates = find_duplicates(data, settings.model_copy(update={"examples": len(data.ids)}))
    result = HygieneResult(
        provenance=provenance,
        n_images=len(data.ids),
        duplicates=[
            found.model_copy(update={"examples": found.examples[: settings.examples]}) for found in duplicates
        ],
        issues=[
            issue.model_copy(update={"examples": [int(data.ids[row]) for row in issue.examples]})
            for issue in issues
        ],
        balance=[balance for split in splits if len(split) for balance in _balances(split, info)],
        seconds=time.perf_counter() - started,
    )
    return HygieneAnalysis(result, _copy_sets(duplicates, len(data.ids)))


def _copy_sets(duplicates: Sequence[DuplicateSummary], n: int) -> Int64Array:
    """A number per image, equal for images that one set of either kind holds; `duplicates` have all sets."""
    links = [
        (found.ids[0], other) for kind in duplicates for found in kind.examples for other in found.ids[1:]
    ]
    first, second = np.array(links, np.int64).reshape(-1, 2).T
    graph = coo_matrix((np.ones(len(first)), (first, second)), shape=(n, n))
    copy_set_N: Int64Array = connected_components(graph, directed=False)[1].astype(np.int64)
    return copy_set_N


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
