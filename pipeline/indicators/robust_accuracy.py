"""Accuracy under projected gradient descent, the strongest attack here."""

from __future__ import annotations

from pipeline.indicators.attacks.survival import accuracy_under_attack
from pipeline.indicators.indicator import ByImage, ImageIndicator, Words
from pipeline.indicators.subject import Subject


def _per_image(subject: Subject) -> ByImage:
    return accuracy_under_attack(subject, lambda survival: survival.flips_R, "the attack")


INDICATOR = ImageIndicator(
    name="robust_accuracy",
    words=Words(
        title="accuracy under attack (PGD)",
        sees="How many images are answered rightly whatever an attacker with the network at hand does to "
        "each pixel within a small radius.",
        unit="share",
        better="higher",
        source="Madry et al. 2018 (arXiv:1706.06083)",
    ),
    per_image=_per_image,
    images="sample",
    most=1.0,
)
