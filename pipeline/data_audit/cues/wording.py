"""What is found of a cue, as a sentence."""

from __future__ import annotations

from pipeline.core.words import count, join_names, number, percent, quoted
from pipeline.records.base import Estimate
from pipeline.records.cues import CueFinding, SourceProbe


def sentence(found: CueFinding) -> str:
    """ "JPEG compression alone guesses the class 82% of the way from chance to certainty [79.0, 84.8]"."""
    where = f" ({found.part})" if found.part else ""
    name = f"{found.title[:1].upper()}{found.title[1:]}{where}"
    interval = (
        f"[{percent(found.kappa.low).removesuffix('%')}, {percent(found.kappa.high).removesuffix('%')}]"
    )
    if not found.found:
        return f"{name} alone is not shown to tell the class ({percent(found.kappa.value)} {interval})."
    marked = [quoted(one.label) for one in found.classes if one.found]
    if found.kappa.low <= 0 and marked:
        return f"{name} alone marks {join_names(marked[:3])}."
    way = f"{percent(found.kappa.value, 0)} of the way from chance to certainty {interval}"
    return f"{name} alone guesses the class {way}."


def source_sentence(probe: SourceProbe) -> str:
    """ "Knowing the camera makes the class easier to tell: kappa .62 [.58, .66] among known values, …"."""
    if probe.seen is None or probe.unseen is None or probe.inflation is None:
        return f"Whether knowing {probe.words} inflates accuracy cannot be told: {probe.reason}."
    finding = {
        "yes": f"Knowing {probe.words} inflates accuracy",
        "no": f"Knowing {probe.words} is not shown to inflate accuracy",
        "insufficient": f"Knowing {probe.words} may inflate accuracy, or not",
    }[probe.status]
    return (
        f"{finding}: a classifier of color, texture and layout has a kappa of {_spread(probe.seen)} where it "
        f"was fitted on images of all {count(probe.n_values)} values, and of {_spread(probe.unseen)} on "
        f"values that it has not seen: {_spread(probe.inflation)} less "
        f"(n = {count(probe.n)} training images)."
    )


def _spread(estimate: Estimate) -> str:
    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}]"
