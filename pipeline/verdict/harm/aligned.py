"""Rung 3 of any cue: is a model right less often where the cue names another class.

Shape legend: S seeds, N test images.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pipeline.core.types import BoolArray, Int64Array
from pipeline.core.words import count
from pipeline.records.cues import CueFinding
from pipeline.records.verdict import CueGap, Status, Thresholds
from pipeline.statistics.cues.alignment import Alignment, NamedImages
from pipeline.verdict.evidence.rules import MIN_SEEDS, judge_effect
from pipeline.verdict.phrases import cue_name

MAY_BE_CONTENT = "the class may truly look so: an image that it misnames may be an odd one"
NOT_IN_PIXELS = "not in the pixels: what differs is something that goes with it"
NOT_APART = "how hard images are that the cue names so cannot be told apart"


def measure_gaps(
    found: Sequence[CueFinding],
    named: Mapping[str, Int64Array],
    labels_N: Int64Array,
    sources_N: Int64Array | None,
    correct: Mapping[str, BoolArray],
    limits: Thresholds,
    *,
    brought: Collection[str] = (),
) -> list[CueGap]:
    """Every found cue with every method.

    Args:
        found: cues that were found, as they are ranked.
        named: `CueFinding.column` -> class that the cue names of each test image.
        correct: method -> whether seed s is right on image n, S x N.
        brought: methods that are models trained elsewhere: one of them is asked about itself alone.
    """
    gaps, by_name = list[CueGap](), {cue.name: cue for cue in found}
    for cue in found:
        leader = by_name.get(cue.under or "")
        images = NamedImages(labels_N, named[cue.column], sources_N)
        for method, correct_SN in correct.items():
            measured = images.measure(correct_SN, n_picked=len(found))
            is_enough = len(correct_SN) >= MIN_SEEDS or method in brought
            note = "" if is_enough else _few_trainings(len(correct_SN))
            gaps.append(_judge(cue, leader, method, measured, note, limits))
    return gaps


def _judge(
    cue: CueFinding,
    leader: CueFinding | None,
    method: str,
    found: Alignment,
    few: str,
    limits: Thresholds,
) -> CueGap:
    status, note = _answer(found, few, limits)
    doubt = _other_reason(cue, leader) if status == "yes" else ""
    if doubt:
        status, note = "insufficient", doubt
    return CueGap(
        method=method,
        name=cue.name,
        part=cue.part,
        title=cue.title,
        n_aligned=found.n_aligned,
        n_conflicting=found.n_conflicting,
        n_classes=found.n_classes,
        difference=found.difference,
        beyond=found.beyond,
        status=status,
        note=note,
    )


def _few_trainings(n_seeds: int) -> str:
    return f"{count(n_seeds)} of {count(MIN_SEEDS)} trainings that are needed"


def _answer(found: Alignment, few: str, limits: Thresholds) -> tuple[Status, str]:
    """The answer, and why there is none."""
    fewest = min(found.n_aligned, found.n_conflicting)
    if fewest < limits.min_test:
        kind = "aligned" if found.n_aligned < found.n_conflicting else "conflicting"
        return "insufficient", f"{count(fewest)} {kind} test images, {count(limits.min_test)} are needed"
    if found.beyond is None:
        return "insufficient", NOT_APART
    if few:
        return "insufficient", few
    return judge_effect(found.beyond.value, found.beyond.low, limits.min_effect), ""


def _other_reason(cue: CueFinding, leader: CueFinding | None) -> str:
    """What else a difference may come from, which then shows nothing of this cue; empty for nothing known.

    Args:
        leader: a stronger cue, beyond which this one tells nothing.
    """
    if not cue.is_visible:
        return NOT_IN_PIXELS
    if cue.may_be_content:
        return MAY_BE_CONTENT
    if leader is not None and leader.is_visible:  # one that no model sees leaves this one as what is used
        return f"it tells nothing beyond {cue_name(leader)}, which may be what differs"
    return ""
