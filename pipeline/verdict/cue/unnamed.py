"""Cues that nobody annotated and that give the class away."""

from __future__ import annotations

from pipeline.records.cues import CueFinding, CuesResult
from pipeline.records.verdict import Rung
from pipeline.verdict.phrases import cue_name

NAMED = ("color",)  # judged by itself, and by the audit of color


def unnamed_cues(cues: CuesResult | None) -> list[CueFinding]:
    """Found cues that stand for themselves, that a model can see and no class looks like; strongest first.

    What the class truly looks like may show in the others, and annotated columns are judged by their groups.
    """
    if cues is None:
        return []
    return [
        cue
        for cue in cues.cues
        if cue.found
        and cue.under is None
        and cue.is_visible
        and not cue.may_be_content
        and cue.kind != "column"
        and cue.name not in NAMED
    ]


def doubt_use(used: Rung, cues: CuesResult | None) -> Rung:
    """A plain no is about the cue that was exchanged: others give the class away, and no edit tests them."""
    others = unnamed_cues(cues)
    if used.status != "no" or not others:
        return used
    named = cue_name(others[0])
    text = f"No edit exchanges {named}, which gives the class away: whether the model uses it is not known. "
    return used.model_copy(
        update={"status": "insufficient", "evidence": text + used.evidence, "estimate": None}
    )
