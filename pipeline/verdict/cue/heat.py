"""Whether a method's GradCAM maps prove anything: do they point better than a blob in the image's center."""

from __future__ import annotations

from pipeline.core.words import count, points
from pipeline.records.base import Estimate
from pipeline.records.gradcam import GradcamResult
from pipeline.records.verdict import HeatVerdict, Status, Thresholds
from pipeline.statistics.means import MIN_IMAGES
from pipeline.verdict.evidence.rules import judge_effect
from pipeline.verdict.phrases import method_label, points_interval

BLOB = "a blob in the middle of the image"


def judge_heat(found: GradcamResult, limits: Thresholds) -> HeatVerdict:
    """The common rule on the map's insertion and deletion score over that of a centered Gaussian, paired.

    A map that tells where a network looks must beat a guess that never saw the network: photographers put
    objects in the middle. Without that, pictures of heat are illustrations.
    """
    gain = found.faithfulness.over_center if found.faithfulness else None
    if gain is None:
        text = (
            f"{method_label(found.method)}: whether the heat points better than {BLOB} was not measured; set "
            "gradcam.faithfulness_images to 50 or more"
        )
        return HeatVerdict(points="insufficient", over_center=None, finding=text)
    status: Status = "insufficient"
    if gain.n >= MIN_IMAGES:
        status = judge_effect(gain.value, gain.low, limits.min_effect)
    return HeatVerdict(points=status, over_center=gain, finding=_finding(found.method, gain, status))


def _finding(method: str, gain: Estimate, status: Status) -> str:
    by = f"{points(gain.value)} points {points_interval(gain)}"
    few = f" on {count(gain.n)} images" if gain.n < MIN_IMAGES else ""
    return {
        "yes": f"{method_label(method)}: the heat points better than {BLOB}, by {by}",
        "no": f"{method_label(method)}: the heat is not shown to point better than {BLOB}, {by}: its "
        "pictures prove nothing",
    }.get(
        status, f"{method_label(method)}: whether the heat points better than {BLOB} is not sure, {by}{few}"
    )
