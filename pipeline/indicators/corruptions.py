"""How many right answers survive the common corruptions: noise, blur, weather, digital.

Shape legend: S networks, R images of the sample.
"""

from __future__ import annotations

import numpy as np

from pipeline.indicators.corrupted_answers import CorruptedAnswers, corrupted_answers
from pipeline.indicators.indicator import ByImage, ImageIndicator, Words
from pipeline.indicators.subject import Subject


def _per_image(subject: Subject) -> ByImage:
    found = corrupted_answers(subject)
    survived_SR = found.right_SKVR.mean(axis=(1, 2))
    survived_SR[~found.clean_SR | ~found.measured_S[:, None]] = np.nan
    return ByImage(survived_SR[:, :, None], _notes(found))


def _notes(found: CorruptedAnswers) -> tuple[str, ...]:
    error = 1 - found.corrupted_accuracy
    notes = [
        f"Of the images as they are {found.clean_accuracy:.1%} are right, of corrupted ones "
        f"{found.corrupted_accuracy:.1%}: the mean corruption error is {error:.1%}. It is not divided by a "
        "reference network's, as in publications."
    ]
    n_left_out = int(np.count_nonzero(~found.measured_S))
    if n_left_out:
        notes.append(
            f"{n_left_out} of {len(found.measured_S)} networks are left out: they are right no more "
            "often than one that gives a single answer to every image."
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
    most=1.0,
)
