"""Mean confidence minus accuracy, with its sign."""

from __future__ import annotations

from pipeline.indicators.answers import confidence_and_right
from pipeline.indicators.indicator import ByImage, ImageIndicator, Words
from pipeline.indicators.subject import Subject


def per_image(subject: Subject) -> ByImage:
    values_SNC = confidence_and_right(subject)
    return ByImage(values_SNC[:, :, :1] - values_SNC[:, :, 1:])


INDICATOR = ImageIndicator(
    name="overconfidence",
    words=Words(
        title="overconfidence",
        sees=(
            "Mean confidence minus accuracy: above 0 the model is surer than it is right. A group that the "
            "shortcut misleads has it largest."
        ),
        unit="share",
        better="neither",
        source="Guo et al. 2017",
    ),
    per_image=per_image,
    images="all",
    least=-1.0,
    most=1.0,
)
