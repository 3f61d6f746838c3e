"""Are the images themselves in order: duplicates, leakage, odd images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pipeline.core.types import BoolArray, Float32Array, Int64Array, PackedSplit, UInt8Array
from pipeline.data_audit.hygiene.duplicates import find_duplicates, join_splits
from pipeline.data_audit.hygiene.image_issues import find_issues
from pipeline.data_audit.hygiene.properties import measure_properties
from pipeline.pixels.quality import measure_quality
from pipeline.records.base import Provenance
from pipeline.records.hygiene import DuplicateSummary, HygieneResult
from pipeline.settings.hygiene import HygieneSettings


class HygieneAnalysis(NamedTuple):
    """The check's record, and which images are copies of one another or odd, what each is like."""

    result: HygieneResult
    copy_set_N: Int64Array  # of all images: the same number for copies, exact or near
    is_odd: dict[str, BoolArray]  # N by kind of odd image
    properties: dict[str, Float32Array]  # N by name: what each image is like


def analyze_hygiene(
    images_NHW3: UInt8Array,
    splits: Sequence[PackedSplit],
    settings: HygieneSettings,
    provenance: Provenance,
    masks_NHW: UInt8Array | None = None,
) -> HygieneAnalysis:
    """Check all images of all splits. The result depends on the settings alone, except for `seconds`.

    Args:
        images_NHW3: the packed file's images, which the splits cover in order; may be a memory map.
        masks_NHW: of the same images, where the data have some.

    Raises:
        InputError: the splits do not cover the images.
    """
    started = time.perf_counter()
    data = join_splits(images_NHW3, splits)
    quality = measure_quality(data.images)
    issues, is_odd = find_issues(quality)
    properties = measure_properties(data.images, masks_NHW, quality)
    duplicates = find_duplicates(data, settings)
    result = HygieneResult(
        provenance=provenance,
        n_images=len(data.ids),
        duplicates=duplicates,
        issues=issues,  # their rows are ids: the splits cover the file in order
        seconds=time.perf_counter() - started,
    )
    return HygieneAnalysis(result, _copy_sets(duplicates, len(data.ids)), is_odd, properties)


def _copy_sets(duplicates: Sequence[DuplicateSummary], n: int) -> Int64Array:
    """A number per image, equal for images that one set of either kind holds."""
    links = [(found.ids[0], other) for kind in duplicates for found in kind.sets for other in found.ids[1:]]
    first, second = np.array(links, np.int64).reshape(-1, 2).T
    graph = coo_matrix((np.ones(len(first)), (first, second)), shape=(n, n))
    copy_set_N: Int64Array = connected_components(graph, directed=False)[1].astype(np.int64)
    return copy_set_N
