"""Answering only where the model is sure: how many of the answers are wrong then.

Shape legend: S seeds, N images, B points.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.core.types import Float64Array, Int64Array
from pipeline.statistics.generalization.calibration import tie_runs
from pipeline.statistics.intervals import wilson

N_COVERAGES = 20


class RiskCurve(NamedTuple):
    """Error rate among the surest answers by how many images are answered."""

    coverage_B: Float64Array  # share of the images, the last one is 1
    risk_B: Float64Array  # mean over seeds
    low_B: Float64Array  # Wilson's 95 %
    high_B: Float64Array
    n_B: Int64Array  # images that each seed answers


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


def risk_curve(confidence_SN: Float64Array, right_SN: Float64Array, n_points: int = N_COVERAGES) -> RiskCurve:
    """Error rate among the surest answers at about `n_points` coverages, to be drawn.

    The interval is that of as many answers as images are covered, not times seeds: where an image misleads
    one seed it mostly misleads the others, and then their answers are one observation.

    >>> confidence_SN = np.array([[0.9, 0.8, 0.7, 0.6]] * 2)
    >>> curve = risk_curve(confidence_SN, np.array([[1.0, 1.0, 0.0, 0.0]] * 2), 2)
    >>> curve.coverage_B.tolist(), curve.risk_B.tolist(), curve.n_B.tolist()
    ([0.5, 1.0], [0.0, 0.5], [2, 4])
    """
    n = confidence_SN.shape[1]
    n_B = np.unique(np.ceil(n * np.arange(1, n_points + 1) / n_points).astype(np.int64))
    risk_B = np.clip(risk_coverage(confidence_SN, right_SN).mean(axis=0)[n_B - 1], 0, 1)
    ends = [wilson(float(min(risk * k, k)), int(k)) for risk, k in zip(risk_B, n_B, strict=True)]
    return RiskCurve(
        coverage_B=n_B / n,
        risk_B=risk_B,
        low_B=np.array([low for low, _ in ends]),
        high_B=np.array([high for _, high in ends]),
        n_B=n_B,
    )
