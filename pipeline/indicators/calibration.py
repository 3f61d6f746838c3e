"""Calibration error without the part that chance adds: is a group's model right as often as it says?"""

from __future__ import annotations

from pipeline.core.types import Float64Array
from pipeline.indicators.answers import confidence_and_right
from pipeline.indicators.indicator import ByImage, Curve, ImageIndicator, Words
from pipeline.indicators.subject import Subject
from pipeline.statistics.generalization.calibration import ece_floor, reliability_curve
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


def curve(values_SnC: Float64Array) -> Curve:
    """How often the networks are right by how sure they are."""
    found = reliability_curve(values_SnC[:, :, 0], values_SnC[:, :, 1])
    return Curve(found.confidence_B, found.accuracy_B, found.low_B, found.high_B, found.n_B)


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
    curve=curve,
)
