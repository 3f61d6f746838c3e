"""Right answers that survive the fast gradient sign method: one step, which stronger attacks begin with."""

from __future__ import annotations

from pipeline.indicators.attacks.survival import surviving_answers
from pipeline.indicators.indicator import ByImage, ImageIndicator, Words
from pipeline.indicators.subject import Subject


def _per_image(subject: Subject) -> ByImage:
    return surviving_answers(subject, lambda survival: survival.fgsm_flips_R, "the single step")


INDICATOR = ImageIndicator(
    name="step_survival",
    words=Words(
        title="right answers that survive one attack step (FGSM)",
        sees="What share of right answers stays right after one step of every pixel along the sign of the "
        "loss's gradient.",
        unit="share",
        better="higher",
        source="Goodfellow et al. 2015 (arXiv:1412.6572)",
    ),
    per_image=_per_image,
    images="sample",
    most=1.0,
)
