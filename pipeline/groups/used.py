"""Which cue forms the groups: one that a plainly trained model is seen to use on validation images.

Shape legend: V validation images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.core.types import BoolArray, Int64Array
from pipeline.core.words import join_names, points, quoted
from pipeline.cues.registry import find_cue
from pipeline.records.base import Estimate
from pipeline.records.cues import CueFinding, CuesResult
from pipeline.records.data import AskedCue
from pipeline.statistics.cues.alignment import NamedImages

HALF = 0.5  # of what another cue tells, in kappa: less may be chance, or an object that reaches there


def uses_on_validation(
    correct_V: BoolArray,
    labels_V: Int64Array,
    named_V: Int64Array,
    sources_V: Int64Array | None = None,
    *,
    n_candidates: int = 1,
) -> Estimate | None:
    """How much more often one model is right where a cue names the class: what following it would show as.

    Beyond what images cost that the cue names so in every class; where that cannot be told apart, within
    classes. None where no class has images of both kinds.

    Args:
        correct_V: whether the model is right.
        named_V: class that the cue alone names.
        n_candidates: cues that are asked about.
    """
    found = NamedImages(labels_V, named_V, sources_V).measure(correct_V[None], n_picked=n_candidates)
    return found.difference if found.beyond is None else found.beyond


class Choice(NamedTuple):
    """The cue that forms the groups, None where none is to, and what was asked."""

    cue: CueFinding | None
    asked: list[AskedCue]
    note: str  # for the report: why this one, or why none


def candidates(cues: CuesResult) -> list[CueFinding]:
    """Found cues that a model of pixels can see and that are not all content, as they are ranked.

    One that tells nothing beyond another stands for itself only where that other one is not in the pixels:
    the model then sees this one. What a class may look like (colors, say) takes part where a cue that looks
    around the object tells half of it: that is not the object, and all of it is read best at once.
    """
    leaders = {cue.name: cue for cue in cues.cues}
    beside = told_around(cues)
    return [
        cue
        for cue in cues.cues
        if cue.found
        and cue.is_visible
        and (not cue.may_be_content or cue.name in beside)
        and cue.kind != "column"
        and (cue.under is None or not leaders[cue.under].is_visible)
    ]


def told_around(cues: CuesResult) -> dict[str, list[CueFinding]]:
    """Cues by their names, with those found around objects that tell half of them and nothing beyond."""
    leaders, found = {cue.name: cue for cue in cues.cues}, dict[str, list[CueFinding]]()
    for cue in cues.cues:
        if not cue.found or cue.under is None or cue.kind != "pixels" or not find_cue(cue.name).is_around:
            continue
        if cue.kappa.value >= HALF * leaders[cue.under].kappa.value:
            found.setdefault(cue.under, []).append(cue)
    return found


_WITHOUT_A_CUE = " (groups.from: inferred looks for groups without a cue)"


def choose_cue(
    asked: Sequence[tuple[CueFinding, Estimate | None]], around: Mapping[str, Sequence[CueFinding]]
) -> Choice:
    """Of the cues that are clearly used the one that is used most.

    Args:
        around: what `told_around` says.
    """
    told = [AskedCue(name=cue.name, title=cue.title, part=cue.part, used=estimate) for cue, estimate in asked]
    used = [(cue, estimate) for cue, estimate in asked if estimate is not None and estimate.low > 0]
    if not used:
        names = join_names([quoted(cue.title) for cue, _ in asked])
        unclear = (
            "" if all(e is not None for _, e in asked) else "; of some no class has images of both kinds"
        )
        note = (
            f"no groups are needed beyond classes: {names} give{'s' if len(asked) == 1 else ''} the class "
            f"away, and a plainly trained model is not clearly right more often where it does{unclear}"
            f"{_WITHOUT_A_CUE}"
        )
        return Choice(None, told, note)
    cue, estimate = max(used, key=lambda pair: pair[1].value)
    size = f"{points(estimate.value).lstrip('+')} points [{points(estimate.low)}, {points(estimate.high)}]"
    note = (
        f"{quoted(cue.title)} forms the groups: on validation images a plainly trained model is right {size} "
        "more often where it names the class"
    )
    if cue.may_be_content:
        places = [quoted(other.title) for other in around[cue.name]]
        tell = "tells" if len(places) == 1 else "each tell"
        note += f"; a class may truly look so, but {join_names(places)} {tell} half of it or more"
    return Choice(cue, told, note)


def why_no_candidate(cues: CuesResult) -> str:
    """Why no model is trained to ask it, for the report."""
    found = [cue for cue in cues.cues if cue.found]
    if not found:
        return (
            "no groups are needed beyond classes: no attribute is annotated, and no cue was found that gives "
            f"the class away{_WITHOUT_A_CUE}"
        )
    unseen = [quoted(cue.title) for cue in found if not cue.is_visible]
    content = [quoted(cue.title) for cue in found if cue.is_visible and cue.may_be_content]
    parts = []
    if unseen:
        parts.append(f"{join_names(unseen)} left no trace in the pixels, so no model can use it")
    if content:
        parts.append(
            f"{join_names(content)} may be what a class truly looks like (groups.from: NAME forms them)"
        )
    return f"no groups beyond classes: of what gives the class away {'; '.join(parts) or 'nothing is a cue'}"
