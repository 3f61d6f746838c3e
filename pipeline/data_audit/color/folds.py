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
    shares = [1 / n_folds] * n_folds if share is None else [share, 1 - share]
    tie_S = np.random.default_rng(seed).random(n_sources)
    order_S = np.lexsort((tie_S, -size_S, main_S))
    fold_S = np.empty(n_sources, np.int64)
    fold_S[order_S] = _deal(main_S[order_S], counts_SK[order_S], [max(part, 1e-9) for part in shares])
    return fold_S[codes_N]


def _deal(main_S: Int64Array, counts_SK: Int64Array, shares: list[float]) -> list[int]:
    """The fold of each source, one after the other.

    Plain numbers: where every image is a source, arrays so small took a quarter of stage `cues`.
    """
    folds = range(len(shares))
    has_KD = [[0] * len(shares) for _ in range(counts_SK.shape[1])]
    total_D = [0] * len(shares)
    # the same numbers by the folds' shares: what is compared
    load_KD, load_D = [[0.0] * len(shares) for _ in has_KD], [0.0] * len(shares)
    own_S: list[list[tuple[int, int]]] = [[] for _ in main_S]
    sources, labels = counts_SK.nonzero()
    for source, label, n in zip(
        sources.tolist(), labels.tolist(), counts_SK[sources, labels].tolist(), strict=True
    ):
        own_S[source].append((label, n))
    dealt = []
    for main, own in zip(main_S.tolist(), own_S, strict=True):
        # of equal ones the fold that has fewest images of all classes, then the first
        _, _, fold = min(zip(load_KD[main], load_D, folds, strict=True))
        dealt.append(fold)
        for label, n in own:
            has_KD[label][fold] += n
            load_KD[label][fold] = has_KD[label][fold] / shares[fold]
            total_D[fold] += n
        load_D[fold] = total_D[fold] / shares[fold]
    return dealt


def _shuffled_by_class(labels_N: Int64Array, seed: int) -> Int64Array:
    """Positions of the images, class after class, in random order within each."""
    shuffled = np.random.default_rng(seed).permutation(len(labels_N))
    return shuffled[np.argsort(labels_N[shuffled], kind="stable")]
