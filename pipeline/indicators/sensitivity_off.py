"""Sensitivity off the data: between two test images of different classes.

Shape legend: R images of the sample, H height, W width.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Int64Array
from pipeline.indicators.indicator import ByImage, ImageIndicator, UnmeasuredError, Words
from pipeline.indicators.looked_at import sampled_rows
from pipeline.indicators.sensitivity import norms_at
from pipeline.indicators.subject import Subject


def draw_partners(labels_R: Int64Array, seed: int) -> Int64Array:
    """For every image the position of one of another class, uniform among those, R.

    Raises:
        UnmeasuredError: there is but one class.
    """
    if len(np.unique(labels_R)) < 2:
        raise UnmeasuredError("All sampled test images are of one class: nothing lies between two classes.")
    rng = np.random.default_rng([seed, 1])
    others = {c: np.flatnonzero(labels_R != c) for c in np.unique(labels_R)}
    return np.array([rng.choice(others[c]) for c in labels_R], np.int64)


def _per_image(subject: Subject) -> ByImage:
    """The norm halfway to the partner, S x R x 1."""
    rows_R = sampled_rows(subject)
    images_RHW3 = subject.test.images[rows_R].astype(np.float64)
    partners_R = draw_partners(subject.test.labels[rows_R], subject.settings.seed)
    return norms_at(subject, (images_RHW3 + images_RHW3[partners_R]) / 2)


INDICATOR = ImageIndicator(
    name="sensitivity_off",
    words=Words(
        title="sensitivity off the data",
        sees="How much the probabilities change with the pixels halfway between two test images of different "
        "classes, where no image lies: higher than at images where the boundaries keep away from these.",
        unit="number",
        better="neither",
        source="Novak et al. 2018 (arXiv:1802.08760)",
    ),
    per_image=_per_image,
    images="sample",
)
