"""Disagreement: how often two seeds of one training answer an image differently.

Shape legend: S networks (seeds), N test images, K classes.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Float64Array, Int64Array
from pipeline.indicators.indicator import ByImage, ImageIndicator, UnmeasuredError, Words
from pipeline.indicators.subject import Subject


def pairs_that_differ(predicted_SN: Int64Array) -> Float64Array:
    """Share of the S (S - 1) / 2 pairs of networks whose answers differ, N.

    >>> pairs_that_differ(np.array([[0, 0], [0, 1], [0, 1]])).round(2).tolist()
    [0.0, 0.67]
    """
    n_networks = len(predicted_SN)
    n_same_N = np.zeros(predicted_SN.shape[1])  # ordered pairs
    for k in np.unique(predicted_SN):
        votes_N = (predicted_SN == k).sum(0)
        n_same_N += votes_N * (votes_N - 1)
    share_N: Float64Array = 1 - n_same_N / (n_networks * (n_networks - 1))
    return share_N


def _per_image(subject: Subject) -> ByImage:
    """The same numbers for every network, S x N x 1: they belong to all of them together."""
    n_networks = len(subject.predicted_SN)
    if n_networks < 2:
        raise UnmeasuredError(
            "One network is known: there is no other to disagree with. Train two or more (train.seeds), or "
            "bring the answers of more."
        )
    share_N = pairs_that_differ(subject.predicted_SN)
    return ByImage(np.broadcast_to(share_N[None, :, None], (n_networks, len(share_N), 1)).copy())


INDICATOR = ImageIndicator(
    name="disagreement",
    words=Words(
        title="disagreement of seeds",
        sees="How often two networks that differ by their seed alone answer differently. Where they are well "
        "calibrated together, it equals their share of mistakes.",
        unit="share",
        better="lower",
        source="Jiang et al. 2022 (arXiv:2106.13799)",
    ),
    per_image=_per_image,
    images="all",
    most=1.0,
)
