"""Calibration error without the part that chance adds: is a group's model right as often as it says?"""

from __future__ import annotations

from pipeline.indicators.answers import confidence_and_right
from pipeline.indicators.indicator import ByImage, ImageIndicator, Words
from pipeline.indicators.subject import Subject
from pipeline.statistics.generalization.calibration import ece_floor
from pipeline.statistics.generalization.named import calibration_error


def per_image(subject: Subject) -> ByImage:
    """Columns: probability of the predicted class, and whether it is the image's."""
    values_SNC = confidence_and_right(subject)
    floor = ece_floor(values_SNC[:, :, 0], seed=subject.settings.seed)
    note = (
        f"Without the subtraction, a model that is right exactly as often as it says would show {floor:.3f} "
        f"on these {values_SNC.shape[1]:,} images."
    )
    return ByImage(values_SNC, notes=(note,))


INDICATOR = ImageIndicator(
    name="calibration",
    words=Words(
        title="calibration error",
        sees=(
            "How far apart what the model says of its chance to be right and how often it is right are, "
            "without the part that the finite number of images adds."
        ),
        unit="share",
        better="lower",
        source="Guo et al. 2017; noise subtracted after Broecker 2012 and Kumar, Liang and Ma 2019",
    ),
    per_image=per_image,
    images="all",
    statistic=calibration_error,
    least=0.0,
    most=1.0,
)
