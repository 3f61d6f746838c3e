"""Rung 1: is a cue in the training data."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.words import count, number, p_clause, percent, quoted
from pipeline.records.base import Estimate
from pipeline.records.color import Association, ColorResult
from pipeline.records.cues import CuesResult
from pipeline.records.data import DatasetInfo
from pipeline.records.verdict import Rung, Status, Thresholds
from pipeline.verdict.cue.unnamed import unnamed_cues
from pipeline.verdict.evidence.rules import judge_effect, strongest

MOST_NAMED = 3  # cues that nobody annotated, in a sentence each


def judge_available(
    info: DatasetInfo, color: ColorResult, limits: Thresholds, cues: CuesResult | None = None
) -> Rung:
    """Is there a cue in the training data: an annotated attribute, color alone, or one that nobody named."""
    only = color.color_only
    kappa = Estimate(value=only.kappa, low=only.low, high=only.high, n=only.n)
    by_color = judge_effect(only.kappa, only.low, limits.min_kappa)
    if only.n < limits.min_test or (by_color == "yes" and only.p_value >= limits.alpha):
        by_color = "insufficient"
    text = _color_text(color, limits)
    associations = train_associations(info, color)
    by_label, shown = telling_association(associations, limits)
    for association in associations[:1] if by_label != "yes" else []:
        text = f"{text[0].upper()}{text[1:]}; {_association_text(association)}"
    if shown is not None:
        text = f"{_association_text(shown)}; {text}"
    elif by_color == "yes" and associations:
        names = " or ".join(quoted(a.attribute) for a in associations)
        text += f". The yes is about color: it is not said of {names}"
    others = unnamed_cues(cues)
    if others:
        text = f"{text[0].upper()}{text[1:]}. {' '.join(cue.sentence for cue in others[:MOST_NAMED])}".rstrip(
            "."
        )
    by_other: list[Status] = ["yes"] if others else []
    return Rung(
        rung="available",
        question="Is there a shortcut in the training data?",
        status=strongest(by_label, by_color, *by_other),
        evidence=f"{text[0].upper()}{text[1:]}.",
        estimate=kappa,
        unit="kappa",
    )


def _color_text(color: ColorResult, limits: Thresholds) -> str:
    only, background = color.color_only, color.background_only
    text = (
        f"color alone predicts the label with kappa {number(only.kappa)} (95% interval "
        f"{number(only.low)} to {number(only.high)}, n = {count(only.n)}{p_clause(only.p_value)}; "
        f"0 is chance, 1 is perfect, {number(limits.min_kappa)} is the least that counts)"
    )
    if background is not None:
        text += (
            f", the background's color with {number(background.kappa)} ({number(background.low)} to "
            f"{number(background.high)})"
        )
    detail = color.detail_only
    if detail is not None and detail.low > max(only.kappa, limits.min_kappa):
        text += (
            f". Detail, which is not color (sharpness, noise, compression, contrast, ink), says more: kappa "
            f"{number(detail.kappa)} ({number(detail.low)} to {number(detail.high)}); it is not judged here"
        )
    return text


def train_associations(info: DatasetInfo, color: ColorResult) -> list[Association]:
    """Label x every annotated attribute on train, the one that forms the groups first."""
    annotated = [a.name for a in info.attributes if a.origin == "annotated"]
    found = {a.attribute: a for a in color.associations if a.split == "train" and a.other == "label"}
    return [found[name] for name in annotated if name in found]


def telling_association(
    associations: Sequence[Association], limits: Thresholds
) -> tuple[Status | None, Association | None]:
    """Does an annotated attribute tell the class, None without any; and the first one that does."""
    judged = [_judge_association(a, limits, n_tests=len(associations)) for a in associations]
    first = next((a for a, status in zip(associations, judged, strict=True) if status == "yes"), None)
    return (strongest(*judged) if judged else None), first


def modal_share(association: Association) -> float:
    """Share of images that show the attribute value most common for their class."""
    return sum(max(row) for row in association.table if row) / max(association.n, 1)


def _judge_association(association: Association, limits: Thresholds, *, n_tests: int) -> Status:
    if association.n < limits.min_test:
        return "insufficient"
    if association.cramers_v < limits.min_cramers_v:
        return "no"
    return "yes" if association.p_value * n_tests < limits.alpha else "insufficient"


def _association_text(association: Association) -> str:
    return (
        f"{percent(modal_share(association))} of {count(association.n)} training images have the value of "
        f"{quoted(association.attribute)} that is most common for their class (Cramér's V = "
        f"{number(association.cramers_v)}{p_clause(association.p_value)})"
    )
