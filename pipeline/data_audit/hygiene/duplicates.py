"""Exact and near duplicates within and across splits: leakage and contradicting labels.

Shape legend: N images of all splits, P pairs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pipeline.core.errors import InputError
from pipeline.core.progress import track
from pipeline.core.types import BoolArray, Int64Array, PackedSplit, UInt8Array
from pipeline.pixels.duplicates import Pairs, find_near_duplicates
from pipeline.records.hygiene import DuplicateSet, DuplicateSummary
from pipeline.settings.hygiene import HygieneSettings
from pipeline.statistics.intervals import share_estimate

Kind = Literal["exact", "near"]
MIN_SIDE = 16  # pixels; smaller images of different pictures are as alike as copies


class Everything(NamedTuple):
    """All splits behind one another, in the order train, val, test."""

    images: UInt8Array  # N H W 3, may be a memory map
    ids: Int64Array
    labels: Int64Array
    splits: Int64Array  # index into `split_names`
    split_names: list[str]


def join_splits(images_NHW3: UInt8Array, splits: Sequence[PackedSplit]) -> Everything:
    """All splits as one, over the packed file's images, which are not read.

    Raises:
        InputError: the splits do not cover the images one after the other.
    """
    ids_N = np.concatenate([split.ids for split in splits])
    if not np.array_equal(ids_N, np.arange(len(images_NHW3))):
        raise InputError(
            f"the splits hold {len(ids_N)} images that are not the packed file's {len(images_NHW3)} rows in "
            "order. Pack the dataset again with `dvc repro`."
        )
    return Everything(
        images=images_NHW3,
        ids=ids_N,
        labels=np.concatenate([split.labels for split in splits]),
        splits=np.concatenate([np.full(len(split), s, np.int64) for s, split in enumerate(splits)]),
        split_names=[split.name for split in splits],
    )


def find_duplicates(data: Everything, settings: HygieneSettings) -> list[DuplicateSummary]:
    """Exact duplicates, and near ones among the images that are left when copies count once.

    Images of less than `MIN_SIDE` pixels are too small to tell near duplicates; they have no such entry.
    """
    digest_N = digests(data.images)
    _, first_N, inverse_N = np.unique(digest_N, return_index=True, return_inverse=True)
    original_N = first_N[inverse_N].astype(np.int64)  # the first image with the same pixels
    copies = np.flatnonzero(original_N != np.arange(len(original_N)))
    exact = Pairs(original_N[copies], copies, np.ones(len(copies), np.float32))
    found = [_summarize("exact", "every pixel is the same", data, exact)]
    if settings.near_duplicates and min(data.images.shape[1:3]) >= MIN_SIDE:
        rows = np.unique(original_N)
        pairs = find_near_duplicates(data.images, rows, min_similarity=settings.min_similarity)
        near = Pairs(rows[pairs.first], rows[pairs.second], pairs.similarity)
        rule = (
            "the same picture re-encoded, mirrored, brighter or darker, noisy, moved, cropped or turned "
            "by a little, or captioned: alike in every part, similarity at least "
            f"{settings.min_similarity:g}"
        )
        found.append(_summarize("near", rule, data, _with_copies(near, exact)))
    return found


def digests(images_NHW3: UInt8Array) -> Int64Array:
    """A 64-bit fingerprint of each image's pixels, N; equal pixels give equal numbers.

    Two different images of a million collide with a probability of about 3e-8.
    """
    rows = range(len(images_NHW3))
    found = (
        hashlib.blake2b(np.ascontiguousarray(images_NHW3[i]).data, digest_size=8).digest()
        for i in track(rows, "fingerprints", "images")
    )
    return np.frombuffer(b"".join(found), np.int64)


def _with_copies(near: Pairs, exact: Pairs) -> Pairs:
    """Near pairs, and the exact copies of their images: a copy of a twin is a twin too."""
    touched = np.union1d(near.first, near.second)
    kept = np.isin(exact.first, touched)
    return Pairs(
        np.concatenate([near.first, exact.first[kept]]),
        np.concatenate([near.second, exact.second[kept]]),
        np.concatenate([near.similarity, exact.similarity[kept]]),
    )


def _summarize(kind: Kind, rule: str, data: Everything, pairs: Pairs) -> DuplicateSummary:
    sets = _sets(pairs, len(data.ids))
    leaking_N = _leaking(sets, data)
    n_test = int((data.splits == _test_index(data)).sum())
    conflicting = [len(np.unique(data.labels[rows])) > 1 for rows in sets]
    leaks = [bool(leaking_N[rows].any()) for rows in sets]
    # those that leak and contradict first, then those that leak, then those that contradict
    order = sorted(range(len(sets)), key=lambda s: (-2 * leaks[s] - conflicting[s], int(sets[s][0])))
    return DuplicateSummary(
        kind=kind,
        rule=rule,
        n_sets=len(sets),
        n_images=sum(len(rows) for rows in sets),
        n_leaking=int(leaking_N.sum()),
        leaking=share_estimate(int(leaking_N.sum()), n_test),
        n_conflicting=sum(conflicting),
        sets=[_describe(sets[s], data, pairs) for s in order],
    )


def _sets(pairs: Pairs, n: int) -> list[Int64Array]:
    """Connected images, in the order of their first one."""
    links = coo_matrix((np.ones(len(pairs.first)), (pairs.first, pairs.second)), shape=(n, n))
    _, component_N = connected_components(links, directed=False)
    members = np.unique(np.concatenate([pairs.first, pairs.second]))
    order = members[np.argsort(component_N[members], kind="stable")]
    bounds = np.flatnonzero(np.diff(component_N[order])) + 1
    return sorted(np.split(order, bounds), key=lambda rows: int(rows[0])) if len(order) else []


def _leaking(sets: Sequence[Int64Array], data: Everything) -> BoolArray:
    """True for test images that share a set with an image of another split."""
    is_test_N = data.splits == _test_index(data)
    leaking_N = np.zeros(len(data.ids), bool)
    for rows in sets:
        if not is_test_N[rows].all():
            leaking_N[rows[is_test_N[rows]]] = True
    return leaking_N


def _test_index(data: Everything) -> int:
    return data.split_names.index("test") if "test" in data.split_names else -1


def _describe(rows: Int64Array, data: Everything, pairs: Pairs) -> DuplicateSet:
    in_set = np.isin(pairs.first, rows)
    return DuplicateSet(
        ids=[int(i) for i in data.ids[rows]],
        splits=[data.split_names[s] for s in data.splits[rows]],
        labels=[int(label) for label in data.labels[rows]],
        similarity=round(float(pairs.similarity[in_set].min()), 4),
    )
