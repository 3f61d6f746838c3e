"""Accuracy under the fast gradient sign method: one step, which stronger attacks begin with."""

from __future__ import annotations

from pipeline.indicators.attacks.survival import accuracy_under_attack
from pipeline.indicators.indicator import ByImage, ImageIndicator, Words
from pipeline.indicators.subject import Subject


def _per_image(subject: Subject) -> ByImage:
    return accuracy_under_attack(subject, lambda survival: survival.fgsm_flips_R, "the single step")


INDICATOR = ImageIndicator(
    name="fgsm_accuracy",
    words=Words(
        title="accuracy under one attack step (FGSM)",
        sees="How many images are answered rightly before and after one step of every pixel along the sign "
        "of the loss's gradient.",
        unit="share",
        better="higher",
        source="Goodfellow et al. 2015 (arXiv:1412.6572)",
    ),
    per_image=_per_image,
    images="sample",
    most=1.0,
)
