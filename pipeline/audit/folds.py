"""Seeded stratified assignment of images to folds.

Shape legend: N images.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Int64Array


def stratified_folds(labels_N: Int64Array, n_folds: int, seed: int) -> Int64Array:
    """Fold 0..n_folds-1 of each image; each class is dealt out evenly, however small it is.

    Dealing goes on from class to class, so the folds' sizes differ by one image at most.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(labels_N))
    dealt = shuffled[np.argsort(labels_N[shuffled], kind="stable")]
    folds_N = np.empty(len(labels_N), np.int64)
    folds_N[dealt] = np.arange(len(labels_N)) % n_folds
    return folds_N
