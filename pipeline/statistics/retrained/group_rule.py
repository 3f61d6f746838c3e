"""The rule that needs no scores: a test group lives on its own training group, others beside it harm it.

Images of the own group help, those of other classes with the same attribute value harm, all others do
nothing. Whatever scores foretell about groups has to be more than that to be owed to the scores.

Shape legend: G groups, N training images, T targets, M subsets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.data import GroupInfo


def group_rule(groups: Sequence[GroupInfo]) -> Float64Array:
    """G x G: what images of the row's group do to the column's by the rule: helps 1, harms -1, nothing 0."""
    rule_GG = np.eye(len(groups))
    for i, train in enumerate(groups):
        for j, test in enumerate(groups):
            if train.label != test.label and train.attribute == test.attribute:
                rule_GG[i, j] = -1.0
    return rule_GG


def rule_sums(
    members_MN: BoolArray, train_groups_N: Int64Array, target_groups_T: Int64Array, rule_GG: Float64Array
) -> Float64Array:
    """T x M: the share of the helpful images that a subset has, minus the share of the harmful ones.

    Shares, because half of a small group counts as much to it as half of a large one.
    """
    one_hot_NG = (train_groups_N[:, None] == np.arange(len(rule_GG))).astype(np.float64)
    in_subset_MG, in_all_G = members_MN.astype(np.float64) @ one_hot_NG, one_hot_NG.sum(axis=0)
    sums_MG = np.zeros_like(in_subset_MG)
    for side in (1.0, -1.0):
        chosen_GG = (rule_GG == side).astype(np.float64)
        n_G = in_all_G @ chosen_GG
        sums_MG += side * (in_subset_MG @ chosen_GG) / np.where(n_G > 0, n_G, 1.0)
    sums_TM: Float64Array = sums_MG.T[target_groups_T]
    return sums_TM
