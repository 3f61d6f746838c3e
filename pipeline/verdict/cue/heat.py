"""Whether a method's GradCAM maps prove anything: do they point better than a blob in the image's center."""

from __future__ import annotations

from pipeline.core.words import count, number, percent, points
from pipeline.records.base import Estimate
from pipeline.records.gradcam import GradcamResult
from pipeline.records.verdict import HeatVerdict, Status, Thresholds
from pipeline.statistics.means import MIN_IMAGES
from pipeline.verdict.evidence.rules import judge_effect, weakest
from pipeline.verdict.phrases import method_label, points_interval

BLOB = "a blob in the middle of the image"
CHANCE = "chance"
NOTHING = "its pictures prove nothing"
MOST_ALIKE = 0.5  # rank correlation with the maps of a network that forgot everything
MOSTLY = 0.5  # share of blank maps from which on it is said


def judge_heat(found: GradcamResult, limits: Thresholds) -> HeatVerdict:
    """The common rule on the map's insertion and deletion score over two guesses that never saw the network.

    One is a centered Gaussian: photographers put objects in the middle. Where the cue lies at the edge, that
    is worse than none, so that the map must beat a ranking at random too. Maps that stay alike when all of
    the network is redrawn, or that are all blank, show nothing either. Without that, pictures of heat are
    illustrations.
    """
    name, tested = method_label(found.method), found.faithfulness
    gain = tested.over_center if tested else None
    if found.blank_rate >= 1:
        text = (
            f"{name}: there is no heat: at {found.layer} nothing speaks for the predicted class; name "
            "another layer in gradcam.layer"
        )
        return HeatVerdict(points="no", over_center=None, finding=text)
    if tested is None or gain is None:
        text = (
            f"{name}: whether the heat points better than {BLOB} was not measured; set "
            "gradcam.faithfulness_images to 50 or more"
        )
        return HeatVerdict(points="insufficient", over_center=None, finding=text)
    if (alike := _survives(found)) is not None:
        text = (
            f"{name}: the heat stays alike when all that the network learned is redrawn at random (rank "
            f"correlation {number(alike)}): it shows the images, not the network, and {NOTHING}"
        )
        return HeatVerdict(points="no", over_center=gain, finding=text)
    rivals = {BLOB: gain, CHANCE: tested.over_random}
    judged = {rival: _judge(over, limits) for rival, over in rivals.items()}
    status = weakest(*judged.values())
    rival = next(rival for rival, own in judged.items() if own == status)
    finding = f"{name}: {_finding(rivals[rival], rival, status)}{_blank(found.blank_rate)}"
    return HeatVerdict(points=status, over_center=gain, finding=finding)


def _judge(gain: Estimate, limits: Thresholds) -> Status:
    return judge_effect(gain.value, gain.low, limits.min_effect) if gain.n >= MIN_IMAGES else "insufficient"


def _survives(found: GradcamResult) -> float | None:
    """The rank correlation with maps of a network that is redrawn as a whole, where it surely is too high."""
    last = found.sanity[-1].spearman if found.sanity else None
    return last.value if last is not None and last.low > MOST_ALIKE else None


def _finding(gain: Estimate, rival: str, status: Status) -> str:
    by = f"{points(gain.value)} points {points_interval(gain)}"
    few = f" on {count(gain.n)} images" if gain.n < MIN_IMAGES else ""
    return {
        "yes": f"the heat points better than {rival}, by {by}",
        "no": f"the heat is not shown to point better than {rival}, {by}: {NOTHING}",
    }.get(status, f"whether the heat points better than {rival} is not sure, {by}{few}")


def _blank(share: float) -> str:
    return f"; {percent(share, 0)} of the maps are blank, and left out of that" if share >= MOSTLY else ""
