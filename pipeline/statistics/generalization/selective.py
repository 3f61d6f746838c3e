"""Answering only where the model is sure: how many of the answers are wrong then.

Shape legend: S seeds, N images.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Float64Array
from pipeline.statistics.generalization.calibration import tie_runs


def risk_coverage(confidence_SN: Float64Array, right_SN: Float64Array) -> Float64Array:
    """Error rate of the 1, 2, ... N images that each seed is surest of, S x N.

    Among images of one confidence none comes first: the expectation over their orders is taken.

    Source: El-Yaniv and Wiener 2010.

    >>> risk_coverage(np.array([[0.9, 0.8, 0.7, 0.6]]), np.array([[1.0, 1.0, 0.0, 0.0]])).round(2).tolist()
    [[0.0, 0.0, 0.33, 0.5]]
    """
    order_SN = np.argsort(-confidence_SN, axis=1, kind="stable")
    first, sizes, n = tie_runs(confidence_SN, order_SN)
    wrong = 1 - np.take_along_axis(right_SN, order_SN, axis=1).ravel()
    expected = np.repeat(np.add.reduceat(wrong, first) / sizes, sizes).reshape(confidence_SN.shape)
    risk_SN: Float64Array = np.cumsum(expected, axis=1) / np.arange(1, n + 1)
    return risk_SN


def area_under_risk_coverage(confidence_SN: Float64Array, right_SN: Float64Array) -> Float64Array:
    """Mean of the risk-coverage curve (AURC) of each seed, S; with confidences at random the error rate.

    Source: Geifman, Uziel and El-Yaniv 2019.

    >>> area_under_risk_coverage(np.full((1, 4), 0.9), np.array([[1.0, 1.0, 0.0, 0.0]])).tolist()
    [0.5]
    """
    area_S: Float64Array = risk_coverage(confidence_SN, right_SN).mean(axis=1)
    return area_S


def excess_area(confidence_SN: Float64Array, right_SN: Float64Array) -> Float64Array:
    """How much of the area (E-AURC) is due to the order of the confidences, S; 0: all errors come last.

    Source: Geifman, Uziel and El-Yaniv 2019.

    >>> excess_area(np.array([[0.9, 0.8, 0.7, 0.6]]), np.array([[1.0, 1.0, 0.0, 0.0]])).tolist()
    [0.0]
    """
    best_S = area_under_risk_coverage(right_SN, right_SN)
    return area_under_risk_coverage(confidence_SN, right_SN) - best_S
