"""Which is learned first, the cue or the label: what conflicting images are given while the fit is made.

Early are the epochs until training accuracy reaches nine tenths of its own best, which says nothing of the
conflicting validation images. The lead is the label's share minus the cue's, as `Conflict` weighs them, on
average over these epochs: 0 for chance and for a constant. Its interval allows for new seeds (Student) and
for new images, whose variance is that of one answer over the effective number of images: answers of one
image in several epochs and seeds may all be alike.

Source: Shah et al. 2020 (arXiv:2006.07710) for the bias; the lead and its window are this pipeline's own.

Shape legend: S seeds, E epochs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.core.types import Float64Array
from pipeline.records.base import Estimate
from pipeline.statistics.distributions import normal_isf
from pipeline.statistics.dynamics.crossings import best_of, first_crossing
from pipeline.statistics.dynamics.over_seeds import mean_over_seeds

First = Literal["cue first", "label first", "cannot tell"]
FITTED = 0.9  # of the best training accuracy


@dataclass(frozen=True)
class FirstLearned:
    verdict: First
    lead: Estimate | None  # label's share minus the cue's; None with one seed
    n_epochs: float  # early ones, mean over seeds


def early_epochs(train_E: Float64Array, n_train: int) -> int:
    """Epochs until the fit is made; all where it never is for good."""
    found = first_crossing(train_E, FITTED * best_of(train_E), n_train)
    return len(train_E) if found is None else found + 1


def judge_first(
    label: Sequence[Float64Array], cue: Sequence[Float64Array], early: Sequence[int], *, n_effective: float
) -> FirstLearned:
    """From the shares that follow label and cue after each epoch, by seed, and each seed's early epochs."""
    label_S, cue_S = (
        np.array([float(curve[:n].mean()) for curve, n in zip(curves, early, strict=True)])
        for curves in (label, cue)
    )
    lead = float((label_S - cue_S).mean())
    variance = max(0.0, float((label_S + cue_S).mean()) - lead**2) / n_effective
    found = mean_over_seeds(label_S - cue_S, beside=float(normal_isf(0.025)) * math.sqrt(variance))
    verdict: First = "cannot tell"
    if found is not None and (found.low > 0 or found.high < 0):
        verdict = "label first" if found.low > 0 else "cue first"
    if found is not None:
        found = found.model_copy(update={"low": max(-1.0, found.low), "high": min(1.0, found.high)})
    return FirstLearned(verdict, found, float(np.mean(early)))
