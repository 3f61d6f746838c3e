"""Right answers that survive projected gradient descent, the strongest attack here."""

from __future__ import annotations

from pipeline.indicators.attacks.survival import surviving_answers
from pipeline.indicators.indicator import ByImage, ImageIndicator, Words
from pipeline.indicators.subject import Subject


def _per_image(subject: Subject) -> ByImage:
    return surviving_answers(subject, lambda survival: survival.flips_R, "the attack")


INDICATOR = ImageIndicator(
    name="attack_survival",
    words=Words(
        title="right answers that survive an attack (PGD)",
        sees="What share of right answers stays right whatever an attacker with the network at hand does to "
        "each pixel within a small radius.",
        unit="share",
        better="higher",
        source="Madry et al. 2018 (arXiv:1706.06083)",
    ),
    per_image=_per_image,
    images="sample",
    most=1.0,
)
