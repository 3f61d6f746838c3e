"""Smooth calibration error: the same question as the binned one, without bins."""

from __future__ import annotations

from pipeline.indicators.answers import confidence_and_right
from pipeline.indicators.indicator import ByModel, ModelIndicator, Words
from pipeline.indicators.subject import Subject
from pipeline.statistics.generalization.calibration import smooth_ece


def _per_model(subject: Subject) -> ByModel:
    values_SNC = confidence_and_right(subject)
    found_S = smooth_ece(values_SNC[:, :, 0], values_SNC[:, :, 1])
    return ByModel({"smooth": [float(error) for error in found_S]}, {"smooth": "smooth calibration error"})


INDICATOR = ModelIndicator(
    name="smooth_calibration",
    words=Words(
        title="smooth calibration error",
        sees="How far apart what a network says of its chance to be right and how often it is right are, by "
        "a kernel whose width is the error itself; what chance adds is part of it.",
        unit="share",
        better="lower",
        source="Blasiok and Nakkiran 2023 (arXiv:2309.12236)",
    ),
    per_model=_per_model,
    least=0.0,
    most=1.0,
)
