"""Cues that nobody annotated and that give the class away."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.words import join_names
from pipeline.records.cues import CueFinding, CuesResult
from pipeline.records.verdict import FoundCueUse, Rung
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


def used_shortcut(cues: CuesResult | None, judged: Sequence[FoundCueUse]) -> FoundCueUse | None:
    """The strongest cue that nobody annotated, that no class looks like, and that the model uses."""
    answers = {answer.name: answer for answer in judged if answer.is_shortcut}
    return next((answers[cue.name] for cue in unnamed_cues(cues) if cue.name in answers), None)


def settle_use(used: Rung, cues: CuesResult | None, judged: Sequence[FoundCueUse]) -> Rung:
    """What the second rung says once found cues have been exchanged as well.

    One that is used makes it *yes*. A *no* about the named cue stands where each of the others is shown not
    to matter: none is cleared by what did not test it.
    """
    others, shortcut = unnamed_cues(cues), used_shortcut(cues, judged)
    if shortcut is not None and used.status != "yes":
        evidence = f"{shortcut.sentence} {used.evidence}"
        changes = {"status": "yes", "evidence": evidence, "estimate": shortcut.shift, "unit": "difference"}
        return used.model_copy(update=changes)
    if used.status != "no" or not others:
        return used
    answers = {answer.name: answer for answer in judged}
    unknown = [cue for cue in others if cue.name not in answers or answers[cue.name].used != "no"]
    if not unknown:
        named = join_names([cue_name(cue) for cue in others])
        return used.model_copy(
            update={"evidence": f"{used.evidence} Exchanges of {named} hardly move predictions."}
        )
    named, answer = cue_name(unknown[0]), answers.get(unknown[0].name)
    text = f"{named} gives the class away, and whether the model uses it is not known. "
    text += f"{answer.sentence} " if answer else "It was not exchanged. "
    return used.model_copy(
        update={"status": "insufficient", "evidence": text + used.evidence, "estimate": None}
    )


def doubt_harm(harmful: Rung, shortcut: FoundCueUse | None) -> Rung:
    """That no group pays is about the groups there are: a used cue that formed none may still mislead."""
    if shortcut is None or harmful.status != "no":
        return harmful
    text = f"Groups are not formed by {cue_name(shortcut)}, so whom it misleads is not known. "
    return harmful.model_copy(update={"status": "insufficient", "evidence": text + harmful.evidence})
