"""Which groups are more or less frequent than label and attribute being independent would make them.

Shape legend: G groups.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.core.types import Float64Array
from pipeline.records.data import GroupInfo


class Independence(NamedTuple):
    """Per group, from training counts."""

    expected_G: Float64Array  # training images if label and attribute were independent
    residual_G: Float64Array  # adjusted residual: standard deviations above (+) or below (-) that; 0 if fixed


def compare_with_independence(groups: Sequence[GroupInfo]) -> Independence:
    """Expected counts and adjusted residuals of the label x attribute table of training images.

    Source: Haberman 1973 (The analysis of residuals in cross-classified tables).
    """
    per_label, per_value = Counter[str](), Counter[str]()
    for group in groups:
        per_label[group.label] += group.n_train
        per_value[group.attribute] += group.n_train
    total = max(sum(per_label.values()), 1)
    label_share_G = np.array([per_label[group.label] / total for group in groups])
    value_share_G = np.array([per_value[group.attribute] / total for group in groups])
    expected_G = total * label_share_G * value_share_G
    spread_G = np.sqrt(expected_G * (1 - label_share_G) * (1 - value_share_G))
    gap_G = np.array([group.n_train for group in groups]) - expected_G
    return Independence(expected_G, np.where(spread_G > 0, gap_G / np.where(spread_G > 0, spread_G, 1), 0.0))
