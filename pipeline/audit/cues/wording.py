"""What is found of a cue, as a sentence."""

from __future__ import annotations

from pipeline.core.words import join_names, percent, quoted
from pipeline.records.cues import CueFinding


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
