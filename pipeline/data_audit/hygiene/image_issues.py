"""Odd images: dark, bright, blurry, of little information, grey.

Shape legend: N images.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.types import BoolArray
from pipeline.pixels.quality import Quality, robust_z
from pipeline.records.hygiene import ImageIssue
from pipeline.statistics.intervals import share_estimate

DARK, BRIGHT = 0.25, 0.75  # of white
GREY_SPREAD = 4.0  # of 255
LOW_ENTROPY = 2.0  # bits, of 6
BLUR_Z = -3.5  # robust standard deviations below the median sharpness


class OddImages(NamedTuple):
    """What was found of each kind, and which images it is."""

    issues: list[ImageIssue]
    is_odd: dict[str, BoolArray]  # N by kind


class _Rule(NamedTuple):
    name: str
    words: str
    oddness_N: npt.NDArray[np.floating[Any]]  # how far beyond the threshold: an issue where > 0


def find_issues(quality: Quality) -> OddImages:
    """Share of every kind of odd image over all, and which rows these are, the most extreme first."""
    rules = _rules(quality)
    return OddImages([_issue(rule) for rule in rules], {rule.name: rule.oddness_N > 0 for rule in rules})


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


def _issue(rule: _Rule) -> ImageIssue:
    n_odd = int((rule.oddness_N > 0).sum())
    order = np.argsort(-rule.oddness_N, kind="stable")[:n_odd]
    return ImageIssue.model_validate(
        {
            "name": rule.name,
            "rule": rule.words,
            "n": n_odd,
            "share": share_estimate(n_odd, len(rule.oddness_N)),
            "ids": order.tolist(),
        }
    )
