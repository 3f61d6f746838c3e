"""Odd images, and whether one group has more of them than the others.

Shape legend: N images, G groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.types import BoolArray, Int64Array
from pipeline.pixels.quality import Quality, robust_z
from pipeline.records.base import GroupEstimate
from pipeline.records.hygiene import ImageIssue
from pipeline.settings.hygiene import HygieneSettings
from pipeline.statistics.cues.association import cramers_v
from pipeline.statistics.intervals import share_estimate
from pipeline.statistics.multiplicity import benjamini_hochberg

DARK, BRIGHT = 0.25, 0.75  # of white
GREY_SPREAD = 4.0  # of 255
LOW_ENTROPY = 2.0  # bits, of 6
BLUR_Z = -3.5  # robust standard deviations below the median sharpness
MIN_ISSUES = 5  # images; fewer cannot show that a group has more of them
MIN_GROUP = 30  # images of a group
N_PERMUTATIONS = 1999


class _Rule(NamedTuple):
    name: str
    words: str
    oddness_N: npt.NDArray[np.floating[Any]]  # how far beyond the threshold: an issue where > 0


def find_issues(
    quality: Quality, groups_N: Int64Array, group_names: Sequence[str], settings: HygieneSettings
) -> list[ImageIssue]:
    """Share of every kind of odd image, over all and per group, with the most extreme examples.

    The p-value asks whether the share is the same in all groups (chi-squared, or random tables where
    counts are small); q-values are Benjamini-Hochberg's over the kinds that have one.
    """
    rules = _rules(quality)
    p_values = [_group_p(rule.oddness_N > 0, groups_N, settings.seed) for rule in rules]
    known = [p for p in p_values if p is not None]
    q_values = iter(benjamini_hochberg(np.array(known)).tolist())
    return [
        _issue(rule, p, None if p is None else float(next(q_values)), (groups_N, group_names), settings)
        for rule, p in zip(rules, p_values, strict=True)
    ]


def _rules(quality: Quality) -> list[_Rule]:
    blur_N = np.nan_to_num(BLUR_Z - robust_z(quality.sharpness), nan=0.0)
    blurry = (
        f"Fine detail, relative to contrast, lies {-BLUR_Z:g} robust standard deviations or more below the "
        "median of this dataset; a plain sky counts as well."
    )
    low = f"The grey levels hold less than {LOW_ENTROPY:g} of 6 bits: most of the image is one shade."
    grey = f"Red, green and blue differ by less than {GREY_SPREAD:g} of 255 on average."
    dark, bright = (
        f"95 % of the pixels are {word} than {limit:g} of white in every channel."
        for word, limit in (("darker", DARK), ("brighter", BRIGHT))
    )
    return [
        _Rule("dark", dark, DARK - quality.dark_limit),
        _Rule("bright", bright, quality.bright_limit - BRIGHT),
        _Rule("blurry", blurry, blur_N),
        _Rule("low_information", low, LOW_ENTROPY - quality.entropy),
        _Rule("grey", grey, GREY_SPREAD - quality.spread),
    ]


def _group_p(is_odd_N: BoolArray, groups_N: Int64Array, seed: int) -> float | None:
    if is_odd_N.sum() < MIN_ISSUES or len(np.unique(groups_N)) < 2 or is_odd_N.all():
        return None
    table = np.stack(
        [np.bincount(groups_N[is_odd_N == odd], minlength=groups_N.max() + 1) for odd in (True, False)]
    )
    return cramers_v(table, n_permutations=N_PERMUTATIONS, seed=seed).p_value


def _issue(
    rule: _Rule,
    p_value: float | None,
    q_value: float | None,
    grouping: tuple[Int64Array, Sequence[str]],
    settings: HygieneSettings,
) -> ImageIssue:
    groups_N, group_names = grouping
    is_odd_N = rule.oddness_N > 0
    order = np.argsort(-rule.oddness_N, kind="stable")[: min(settings.examples, int(is_odd_N.sum()))]
    return ImageIssue.model_validate(
        {
            "name": rule.name,
            "rule": rule.words,
            "n": int(is_odd_N.sum()),
            "share": share_estimate(int(is_odd_N.sum()), len(is_odd_N)),
            "groups": [_group_share(is_odd_N[groups_N == g], g, name) for g, name in enumerate(group_names)],
            "p_value": p_value,
            "q_value": q_value,
            "examples": [int(row) for row in order],
        }
    )


def _group_share(is_odd_n: BoolArray, index: int, name: str) -> GroupEstimate:
    share = share_estimate(int(is_odd_n.sum()), len(is_odd_n))
    return GroupEstimate(**share.model_dump(), index=index, name=name, sufficient=len(is_odd_n) >= MIN_GROUP)
