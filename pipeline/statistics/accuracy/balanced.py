"""Balanced accuracy and kappa: every class counts the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.records.base import Estimate
from pipeline.statistics.intervals import wilson


def kappa_from_balanced(balanced_accuracy: float, n_classes: int) -> float:
    """Balanced accuracy rescaled: 0 is guessing among `n_classes`, 1 is perfect.

    Raises:
        InputError: fewer than two classes.

    >>> kappa_from_balanced(0.75, 2), kappa_from_balanced(0.5, 2)
    (0.5, 0.0)
    """
    if n_classes < 2:
        raise InputError(f"kappa of {n_classes} classes: at least 2 are needed.")
    return (balanced_accuracy - 1 / n_classes) / (1 - 1 / n_classes)


def balanced_accuracy_estimate(
    hits_K: npt.NDArray[Any], counts_K: npt.NDArray[Any], confidence: float = 0.95
) -> Estimate:
    """Mean over classes of the share of hits, with an interval that stays inside [0, 1].

    The classes' Wilson intervals are combined (MOVER), so a class of three images that are all right
    widens the interval although its observed variance is 0.

    Raises:
        InputError: a class without images, or no classes.
    Source: Zou and Donner 2008 (Construction of confidence limits about effect measures).
    """
    if not len(counts_K) or np.min(counts_K) < 1:
        raise InputError(f"balanced accuracy of classes with {list(counts_K)} images: each needs 1.")
    recall_K = np.asarray(hits_K) / np.asarray(counts_K)
    value = float(recall_K.mean())
    bands = [wilson(hits, n, confidence) for hits, n in zip(hits_K, counts_K, strict=True)]
    below, above = (recall_K - [b.low for b in bands], [b.high for b in bands] - recall_K)
    return Estimate(
        value=value,
        low=value - float(np.linalg.norm(below)) / len(bands),
        high=value + float(np.linalg.norm(above)) / len(bands),
        n=int(np.sum(counts_K)),
    )
