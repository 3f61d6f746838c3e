"""What color and hygiene found, told by group.

Both look at packed images alone and stay as they are when other groups are made; what they say of groups is
read off their results here, where the groups are known.

Shape legend: N images of all splits, G groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.core.types import BoolArray, Int64Array, Split
from pipeline.records.base import GroupEstimate
from pipeline.records.color import ColorResult
from pipeline.records.data import DatasetInfo
from pipeline.records.hygiene import Balance, HygieneResult, ImageIssue
from pipeline.settings.hygiene import HygieneSettings
from pipeline.statistics.cues.association import cramers_v
from pipeline.statistics.intervals import share_estimate
from pipeline.statistics.multiplicity import benjamini_hochberg

MIN_ISSUES = 5  # images; fewer cannot show that a group has more of them
MIN_GROUP = 30  # images of a group
N_PERMUTATIONS = 1999


def tell_color_by_group(color: ColorResult, info: DatasetInfo) -> ColorResult:
    """Superclasses' colors where groups are made of these."""
    is_by_superclass = len(info.group_labels) > 1 and info.group_labels == info.superclasses
    return color.model_copy(update={"labels": color.superclasses if is_by_superclass else color.labels})


def tell_hygiene_by_group(
    hygiene: HygieneResult,
    is_odd: Mapping[str, BoolArray],
    splits: Sequence[Split],
    info: DatasetInfo,
    settings: HygieneSettings,
) -> HygieneResult:
    """Shares of odd images per group, and how evenly each split's images spread over classes and groups.

    Args:
        is_odd: N by kind of odd image.
        splits: all of them, in the order of the packed file.
    """
    groups_N = np.concatenate([split.groups for split in splits])
    names = [group.name for group in info.groups]
    issues = tell_issues_by_group(hygiene.issues, is_odd, groups_N, names, settings)
    balance = [balance for split in splits if len(split) for balance in _balances(split, info)]
    return hygiene.model_copy(update={"issues": issues, "balance": balance})


def tell_issues_by_group(
    issues: Sequence[ImageIssue],
    is_odd: Mapping[str, BoolArray],
    groups_N: Int64Array,
    group_names: Sequence[str],
    settings: HygieneSettings,
) -> list[ImageIssue]:
    """Every kind of odd image with its share per group.

    The p-value asks whether the share is the same in all groups (chi-squared, or random tables where
    counts are small); q-values are Benjamini-Hochberg's over the kinds that have one.
    """
    p_values = [_group_p(is_odd[issue.name], groups_N, settings.seed) for issue in issues]
    known = [p for p in p_values if p is not None]
    q_values = iter(benjamini_hochberg(np.array(known)).tolist())
    return [
        issue.model_copy(
            update={
                "groups": [
                    _group_share(is_odd[issue.name][groups_N == g], g, name)
                    for g, name in enumerate(group_names)
                ],
                "p_value": p,
                "q_value": None if p is None else float(next(q_values)),
            }
        )
        for issue, p in zip(issues, p_values, strict=True)
    ]


def _group_p(is_odd_N: BoolArray, groups_N: Int64Array, seed: int) -> float | None:
    if is_odd_N.sum() < MIN_ISSUES or len(np.unique(groups_N)) < 2 or is_odd_N.all():
        return None
    table = np.stack(
        [np.bincount(groups_N[is_odd_N == odd], minlength=groups_N.max() + 1) for odd in (True, False)]
    )
    return cramers_v(table, n_permutations=N_PERMUTATIONS, seed=seed).p_value


def _group_share(is_odd_n: BoolArray, index: int, name: str) -> GroupEstimate:
    share = share_estimate(int(is_odd_n.sum()), len(is_odd_n))
    return GroupEstimate(**share.model_dump(), index=index, name=name, sufficient=len(is_odd_n) >= MIN_GROUP)


def _balances(split: Split, info: DatasetInfo) -> list[Balance]:
    names = [group.name for group in info.groups]
    return [
        _balance("classes", split.name, split.labels, info.classes),
        _balance("groups", split.name, split.groups, names),
    ]


def _balance(over: str, split: str, cells_N: Int64Array, names: Sequence[str]) -> Balance:
    counts = np.bincount(cells_N, minlength=len(names))
    present = np.flatnonzero(counts)
    smallest, largest = int(present[counts[present].argmin()]), int(counts.argmax())
    share = counts[present] / counts.sum()
    return Balance.model_validate(
        {
            "over": over,
            "split": split,
            "n_cells": len(names),
            "n_empty": len(names) - len(present),
            "smallest": int(counts[smallest]),
            "smallest_name": names[smallest],
            "largest": int(counts[largest]),
            "largest_name": names[largest],
            "effective_cells": float(np.exp(-(share * np.log(share)).sum())),
        }
    )
