"""Scores of somebody's table as probabilities: which kind of numbers they are, as written or as they look.

Shape legend: R rows of the table, K outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array
from pipeline.core.words import count
from pipeline.settings.models import PredictionsModel

TOLERANCE = 1e-3  # of a sum of probabilities: they are often written with three or four digits
OF_PERCENT = 1.5e-2  # of a sum of percent: they are often written without any


def read_scores(
    scores_RK: Float64Array,
    entry: PredictionsModel,
    *,
    called_logits: bool,
    images_R: Sequence[str],
    where: str,
) -> tuple[Float64Array, bool, list[str]]:
    """Probabilities or logits (R, K), whether they are logits, and what is to be said.

    By what was written, else by the columns' name, else by the numbers: probabilities sum to 1, and percent
    and votes to another number.

    Raises:
        InputError: they are neither.
    """
    spread = _probabilities(scores_RK)
    if entry.scores == "logits" or (entry.scores == "auto" and called_logits):
        notes = ["scores read as logits"]
        if spread is not None:
            notes.append(
                "they look like probabilities: none is negative, and every row has the same sum. If "
                f"they are, write `{where}.scores: probabilities`"
            )
        return scores_RK, True, notes
    if spread is not None:
        return spread[0], False, spread[1]
    sums_R = scores_RK.sum(axis=1)
    off = np.flatnonzero((np.abs(sums_R - 1) > TOLERANCE) | (scores_RK.min(axis=1) < 0))
    is_spread = scores_RK.min() < 0 or scores_RK.max() > 1 + TOLERANCE
    if entry.scores == "auto" and is_spread and len(off) == len(sums_R):
        return (
            scores_RK,
            True,
            [f"scores read as logits; if they are none, write `{where}.scores: probabilities`"],
        )
    raise InputError(
        f"{where}: the scores of {count(len(off))} of {count(len(sums_R))} rows are no probabilities: those "
        f"of {images_R[off[0]]} sum to {sums_R[off[0]]:.4g}, not to 1. Give the scores of all classes; "
        f"if they are logits, write `{where}.scores: logits`."
    )


def _probabilities(scores_RK: Float64Array) -> tuple[Float64Array, list[str]] | None:
    """Rows without a negative number and with one sum, 1 or more, as shares of it; None for others."""
    sums_R = scores_RK.sum(axis=1)
    total = float(np.median(sums_R))
    if total < 1 - TOLERANCE or scores_RK.min() < -TOLERANCE * total:
        return None
    is_percent = abs(total - 100) <= 100 * OF_PERCENT
    if np.abs(sums_R - total).max() > total * (OF_PERCENT if is_percent else TOLERANCE):
        return None
    if abs(total - 1) <= TOLERANCE and np.abs(sums_R - 1).max() <= TOLERANCE:
        return np.clip(scores_RK, 0, 1), []  # the noise of rounding alone is clipped
    clipped_RK = np.clip(scores_RK, 0, None)
    what = "percent" if is_percent else f"shares of {total:.4g}, which those of every row sum to"
    return clipped_RK / clipped_RK.sum(axis=1, keepdims=True), [f"scores read as {what}"]
