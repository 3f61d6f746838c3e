"""Seeded stratified assignment of images to folds and subsets.

Shape legend: N images.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import BoolArray, Int64Array


def stratified_folds(labels_N: Int64Array, n_folds: int, seed: int) -> Int64Array:
    """Fold 0..n_folds-1 of each image; each class is dealt out evenly, however small it is.

    Dealing goes on from class to class, so the folds' sizes differ by one image at most.
    """
    folds_N = np.empty(len(labels_N), np.int64)
    folds_N[_shuffled_by_class(labels_N, seed)] = np.arange(len(labels_N)) % n_folds
    return folds_N


def stratified_subset(labels_N: Int64Array, size: int, seed: int) -> BoolArray:
    """True for exactly min(size, N) images, each class in proportion (off by one image at most)."""
    n = len(labels_N)
    chosen_N = np.zeros(n, bool)
    if n:
        steps = np.arange(n + 1) * min(size, n) // n
        chosen_N[_shuffled_by_class(labels_N, seed)] = np.diff(steps) > 0
    return chosen_N


def _shuffled_by_class(labels_N: Int64Array, seed: int) -> Int64Array:
    """Positions of the images, class after class, in random order within each."""
    shuffled = np.random.default_rng(seed).permutation(len(labels_N))
    return shuffled[np.argsort(labels_N[shuffled], kind="stable")]
