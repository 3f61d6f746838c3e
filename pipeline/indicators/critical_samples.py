"""Critical samples: images near which another answer lies, whether the answer is right or not."""

from __future__ import annotations

import numpy as np

from pipeline.indicators.attacks.survival import masked_notes, survivals
from pipeline.indicators.indicator import ByImage, ImageIndicator, Words
from pipeline.indicators.subject import Subject


def _per_image(subject: Subject) -> ByImage:
    """1 where the answer flips within the radius, S x R x 1. What always answers the same has none."""
    found = survivals(subject)
    flips_SR = np.stack([survival.flips_R for survival in found]).astype(np.float64)
    return ByImage(flips_SR[:, :, None], tuple(masked_notes(found)))


INDICATOR = ImageIndicator(
    name="critical_samples",
    words=Words(
        title="critical samples",
        sees="How many images have a point within a small radius, pixel by pixel, at which the network "
        "answers something else: how close its boundaries are to the data. A constant answer has none.",
        unit="share",
        better="lower",
        source="Arpit et al. 2017 (arXiv:1706.05394)",
    ),
    per_image=_per_image,
    images="sample",
    most=1.0,
)
