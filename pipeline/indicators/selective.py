"""Area under the risk-coverage curve: does leaving out the unsure answers help?"""

from __future__ import annotations

from pipeline.core.types import Float64Array
from pipeline.indicators.answers import confidence_and_right
from pipeline.indicators.indicator import ByImage, Curve, ImageIndicator, Words
from pipeline.indicators.subject import Subject
from pipeline.statistics.generalization.named import area_under_risk
from pipeline.statistics.generalization.selective import risk_curve


def per_image(subject: Subject) -> ByImage:
    """Columns: probability of the predicted class, and whether it is the image's."""
    return ByImage(confidence_and_right(subject))


def curve(values_SnC: Float64Array) -> Curve:
    """How often the surest answers are wrong by how many images are answered."""
    found = risk_curve(values_SnC[:, :, 0], values_SnC[:, :, 1])
    return Curve(found.coverage_B, found.risk_B, found.low_B, found.high_B, found.n_B)


INDICATOR = ImageIndicator(
    name="selective",
    words=Words(
        title="error rate when it may abstain",
        sees=(
            "Mean error rate over all shares of images that it may answer, the surest first (AURC). "
            "Confidence that says nothing gives the error rate itself."
        ),
        unit="share",
        better="lower",
        source="Geifman, Uziel and El-Yaniv 2019",
        holds_accuracy=True,
    ),
    per_image=per_image,
    images="all",
    statistic=area_under_risk,
    least=0.0,
    most=1.0,
    curve=curve,
)
