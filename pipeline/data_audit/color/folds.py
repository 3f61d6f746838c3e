"""Seeded stratified assignment of images to folds and subsets.

Shape legend: N images.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import BoolArray, Int64Array


def stratified_folds(
    labels_N: Int64Array, n_folds: int, seed: int, sources_N: Int64Array | None = None
) -> Int64Array:
    """Fold 0..n_folds-1 of each image; each class is dealt out evenly, however small it is.

    Dealing goes on from class to class, so the folds' sizes differ by one image at most. With sources
    (scenes, patients) whole sources are dealt, the largest of each class first.
    """
    if sources_N is not None:
        return _source_folds(labels_N, sources_N, n_folds, seed)
    folds_N = np.empty(len(labels_N), np.int64)
    folds_N[_shuffled_by_class(labels_N, seed)] = np.arange(len(labels_N)) % n_folds
    return folds_N


def stratified_subset(
    labels_N: Int64Array, size: int, seed: int, sources_N: Int64Array | None = None
) -> BoolArray:
    """True for exactly min(size, N) images, each class in proportion (off by one image at most).

    With sources, True for whole sources, of about `size` images.
    """
    n = len(labels_N)
    chosen_N = np.zeros(n, bool)
    if sources_N is not None and n:
        chosen_N[:] = _source_folds(labels_N, sources_N, n_folds=2, seed=seed, share=size / n) == 0
        return chosen_N
    if n:
        steps = np.arange(n + 1) * min(size, n) // n
        chosen_N[_shuffled_by_class(labels_N, seed)] = np.diff(steps) > 0
    return chosen_N


def _source_folds(
    labels_N: Int64Array, sources_N: Int64Array, n_folds: int, seed: int, share: float | None = None
) -> Int64Array:
    """Whole sources dealt class by class, each to the fold that has fewest images of its main class.

    With `share` there are two folds, of which the first gets that share of the images.
    """
    _, codes_N = np.unique(sources_N, return_inverse=True)
    n_sources, n_classes = int(codes_N.max()) + 1, int(labels_N.max()) + 1
    counts_SK = np.zeros((n_sources, n_classes), np.int64)
    np.add.at(counts_SK, (codes_N, labels_N), 1)
    main_S, size_S = counts_SK.argmax(axis=1), counts_SK.sum(axis=1)
    shares_D = np.full(n_folds, 1 / n_folds) if share is None else np.array([share, 1 - share])
    has_KD, fold_S = np.zeros((n_classes, len(shares_D))), np.empty(n_sources, np.int64)
    tie_S = np.random.default_rng(seed).random(n_sources)
    for source in np.lexsort((tie_S, -size_S, main_S)):
        # then the fold that has fewest images of all classes
        filled_D = np.stack([has_KD[main_S[source]], has_KD.sum(axis=0)]) / np.maximum(shares_D, 1e-9)
        fold = int(np.lexsort(filled_D[::-1])[0])
        fold_S[source] = fold
        has_KD[:, fold] += counts_SK[source]
    return fold_S[codes_N]


def _shuffled_by_class(labels_N: Int64Array, seed: int) -> Int64Array:
    """Positions of the images, class after class, in random order within each."""
    shuffled = np.random.default_rng(seed).permutation(len(labels_N))
    return shuffled[np.argsort(labels_N[shuffled], kind="stable")]
