"""Brier score: squared errors of all probabilities."""

from __future__ import annotations

from pipeline.core.types import Float64Array
from pipeline.indicators.answers import confidence_and_right, log_probabilities
from pipeline.indicators.indicator import ByImage, ImageIndicator, Words
from pipeline.indicators.subject import Subject
from pipeline.statistics.generalization.calibration import brier_scores


def per_image(subject: Subject) -> ByImage:
    """Squared errors summed over all classes; with two classes the named one's probability says it all."""
    if not subject.models and subject.n_classes == 2:
        return ByImage(_of_two_classes(confidence_and_right(subject)))
    return ByImage(brier_scores(log_probabilities(subject, "test"), subject.test.labels)[:, :, None])


def _of_two_classes(values_SNC: Float64Array) -> Float64Array:
    scores_SNC: Float64Array = 2 * (values_SNC[:, :, :1] - values_SNC[:, :, 1:]) ** 2
    return scores_SNC


INDICATOR = ImageIndicator(
    name="brier",
    words=Words(
        title="Brier score",
        sees=(
            "Squared distance between the probabilities of all classes and the truth, from 0 (sure and "
            "right) to 2 (sure and wrong): calibration and accuracy in one number."
        ),
        unit="number",
        better="lower",
        source="Brier 1950",
        holds_accuracy=True,
    ),
    per_image=per_image,
    images="all",
    least=0.0,
    most=2.0,
)
