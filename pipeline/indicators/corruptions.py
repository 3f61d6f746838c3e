"""How many right answers survive the common corruptions: noise, blur, weather, digital.

Shape legend: S networks, R images of the sample, n images of a group, C columns: the share of corruptions and
severities under which a right answer stays right, and whether the image as it is is answered rightly.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Float64Array
from pipeline.indicators.corrupted_answers import CorruptedAnswers, corrupted_answers
from pipeline.indicators.indicator import ByImage, ImageIndicator, Words
from pipeline.indicators.subject import Subject


def _per_image(subject: Subject) -> ByImage:
    found = corrupted_answers(subject)
    survived_SR = (found.right_SKVR & found.clean_SR[:, None, None]).mean(axis=(1, 2))
    values_SRC = np.stack([survived_SR, found.clean_SR], axis=2).astype(np.float64)
    values_SRC[~found.varied_S] = np.nan
    return ByImage(values_SRC, _notes(found))


def survival(values_SnC: Float64Array) -> float:
    """Of the answers that are right for the images as they are; NaN where none is.

    >>> survival(np.array([[[0.5, 1.0], [1.0, 1.0], [0.0, 0.0]]]))
    0.75
    """
    survived, right = np.nansum(values_SnC, axis=(0, 1))
    return float(survived / right) if right else float("nan")


def _notes(found: CorruptedAnswers) -> tuple[str, ...]:
    error = 1 - found.corrupted_accuracy
    notes = [
        f"Of the images as they are {found.clean_accuracy:.1%} are right, of corrupted ones "
        f"{found.corrupted_accuracy:.1%}: the mean corruption error is {error:.1%}. It is not divided by a "
        "reference network's, as in publications."
    ]
    n_left_out = int(np.count_nonzero(~found.varied_S))
    if n_left_out:
        notes.append(
            f"{n_left_out} of {len(found.varied_S)} networks are left out: they give a single class to all "
            "images."
        )
    return tuple(notes)


INDICATOR = ImageIndicator(
    name="corruptions",
    words=Words(
        title="right answers that survive common corruptions",
        sees="What share of right answers stays right when images are corrupted by noise, blur, weather or "
        "compression, as the mean over 15 corruptions.",
        unit="share",
        better="higher",
        source="Hendrycks & Dietterich 2019 (arXiv:1903.12261)",
    ),
    per_image=_per_image,
    images="sample",
    statistic=survival,
    most=1.0,
)
