"""Negative log-likelihood of the images' classes."""

from __future__ import annotations

from pipeline.indicators.answers import log_probabilities
from pipeline.indicators.indicator import ByImage, ImageIndicator, Words
from pipeline.indicators.subject import Subject
from pipeline.statistics.generalization.calibration import negative_log_likelihoods


def per_image(subject: Subject) -> ByImage:
    """In nats."""
    losses_SN = negative_log_likelihoods(log_probabilities(subject, "test"), subject.test.labels)
    return ByImage(losses_SN[:, :, None])


INDICATOR = ImageIndicator(
    name="nll",
    words=Words(
        title="negative log-likelihood",
        sees=(
            "How surprised the model is by the right class, in nats: 0 where it gave it all its "
            "probability; a few errors that it was sure of weigh much."
        ),
        unit="number",
        better="lower",
        source="Good 1952 (logarithmic score)",
        holds_accuracy=True,
    ),
    per_image=per_image,
    images="all",
)
