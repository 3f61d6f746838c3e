"""Whom the baseline's reliance on color concerns, and whether another method relies on the cue less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pipeline.core.words import join_names
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.color import ColorResult, LabelColor
from pipeline.records.evaluation import EvaluationResult, Intervention
from pipeline.records.gradcam import GradcamResult
from pipeline.records.verdict import (
    ColorReliance,
    LabelReliance,
    RelianceDifference,
    RelianceKind,
    Thresholds,
)
from pipeline.statistics.intervals import clip_difference, independent_difference, widen
from pipeline.verdict.evidence.askable import why_not_asked
from pipeline.verdict.evidence.rules import GroupedData, judge_effect
from pipeline.verdict.phrases import intervention_label, method_label

MIN_ACCURACY = 0.01  # before a change; below it there is nothing to lose


def color_reliance(
    color: ColorResult, info: GroupedData, baseline: EvaluationResult | None, limits: Thresholds
) -> ColorReliance | None:
    """Separability of every label beside the baseline's loss of accuracy on greyscale images.

    The loss is that of the label's group which loses most. Where a model is all color, removing it costs
    what agrees with the cue and helps what conflicts with it, and a label's mean shows neither.
    """
    grey = next((i for i in baseline.interventions if i.name == "greyscale"), None) if baseline else None
    if baseline is None or grey is None or not color.labels:
        return None
    changes, n_looked_at = _largest_losses(grey, info)
    rows = [_label_row(found, changes.get(found.label), n_looked_at, limits) for found in color.labels]
    rows.sort(key=lambda row: (not row.color.separable, row.change.value if row.change else 0.0))
    return ColorReliance(
        method=baseline.method,
        n_separable=sum(row.color.separable for row in rows),
        n_relied=sum(row.color.separable and row.relies == "yes" for row in rows),
        labels=rows,
    )


def _largest_losses(grey: Intervention, info: GroupedData) -> tuple[dict[str, GroupEstimate], int]:
    """Per label the group with enough images that loses most, and from how many cells they were picked."""
    cells = [(info.groups[g.index].label, g) for g in grey.group_changes if g.sufficient]
    with_groups = {label for label, _ in cells}
    cells += [(g.name, g) for g in grey.label_changes if g.name not in with_groups]
    cells.sort(key=lambda cell: -cell[1].value)
    return dict(cells), len(cells)  # of a label's cells the last one stays, which loses most


def _label_row(
    found: LabelColor, change: GroupEstimate | None, n_looked_at: int, limits: Thresholds
) -> LabelReliance:
    if change is None or not change.sufficient:
        return LabelReliance(color=found, change=change, relies="insufficient")
    wide = clip_difference(widen(change, n_comparisons=n_looked_at, alpha=limits.alpha))
    return LabelReliance(
        color=found,
        change=change.model_copy(update={"low": wide.low, "high": wide.high}),
        relies=judge_effect(-change.value, -wide.high, limits.min_effect),
    )


Measure = tuple[
    RelianceKind, str, Estimate, bool
]  # kind, words, value, whether a higher value is less reliance


def compare_reliance(
    evaluations: Mapping[str, EvaluationResult],
    gradcams: Mapping[str, GradcamResult],
    *,
    baseline: str | None,
    limits: Thresholds,
) -> list[RelianceDifference]:
    """Every method's reliance on color and background beside the baseline's.

    Shape is left out, and losing more accuracy without the object counts as less reliance on the cue:
    relying on these is what a model should do. Intervals are
    those of two independent measurements (Newcombe), which is conservative because both methods see
    the same images.
    """
    if baseline is None or why_not_asked(evaluations[baseline], limits):
        return []
    before = {(kind, what): value for kind, what, value, _ in _measures(evaluations, gradcams, baseline)}
    found = []
    for method in evaluations:
        if method == baseline or why_not_asked(evaluations[method], limits):
            continue  # a constant relies on nothing, and that is no merit
        measures = [m for m in _measures(evaluations, gradcams, method) if (m[0], m[1]) in before]
        found += [
            _compare(measure, before[measure[0], measure[1]], (baseline, method), len(measures), limits)
            for measure in measures
        ]
    return found


def describe_reliance(found: Sequence[RelianceDifference]) -> str:
    """Which methods rely less on the cue, as a sentence without its end; empty where none was compared.

    A method counts where a measure of the cue says less and none says more.
    """
    if not found:
        return ""
    verdicts: dict[str, set[str]] = {}
    for difference in found:
        own = verdicts.setdefault(difference.method, set())
        if difference.kind != "object_removed":  # which is of the object, not of the cue
            own.add(difference.verdict)
    baseline = method_label(found[0].baseline)
    parts = [
        _name_methods(names, f"{verb} {baseline}")
        for names, verb in (
            (
                [m for m, own in verdicts.items() if own & {"less", "more"} == {"less"}],
                "less on the cue than",
            ),
            ([m for m, own in verdicts.items() if own & {"less", "more"} == {"more"}], "more on it than"),
        )
        if names
    ]
    mixed = [m for m, own in verdicts.items() if own >= {"less", "more"}]
    if mixed:
        parts.append(f"the measures disagree on {join_names(method_label(m) for m in mixed)}")
    text = "; ".join(parts) or f"No method is shown to rely less on the cue than {baseline}"
    return text[:1].upper() + text[1:]


def _name_methods(methods: Sequence[str], than: str) -> str:
    verb = "relies" if len(methods) == 1 else "rely"
    return f"{join_names(method_label(m) for m in methods)} {verb} {than}"


def _compare(
    measure: Measure, before: Estimate, methods: tuple[str, str], n_measures: int, limits: Thresholds
) -> RelianceDifference:
    kind, what, after, higher_is_less = measure
    change = independent_difference(after, before)
    toward_less = change if higher_is_less else -change
    wide = widen(toward_less, n_comparisons=n_measures, alpha=limits.alpha)
    verdict: Literal["less", "more", "not shown"] = "not shown"
    if wide.low > 0:
        verdict = "less"
    elif wide.high < 0:
        verdict = "more"
    return RelianceDifference(
        kind=kind,
        what=what,
        baseline=methods[0],
        method=methods[1],
        before=before,
        after=after,
        difference=wide,
        verdict=verdict,
    )


def _relative_change(intervention: Intervention) -> Estimate | None:
    """The change of accuracy as a share of the accuracy that the change started from.

    A weaker model has less to lose: in points it would seem to rely on everything less. None where
    there was nothing to lose.
    """
    change = intervention.accuracy_change
    before = intervention.accuracy.value - change.value
    if before < MIN_ACCURACY:
        return None
    return Estimate(
        value=change.value / before, low=change.low / before, high=change.high / before, n=change.n
    )


def _measures(
    evaluations: Mapping[str, EvaluationResult], gradcams: Mapping[str, GradcamResult], method: str
) -> Sequence[Measure]:
    evaluation, found = evaluations[method], list[Measure]()
    for intervention in evaluation.interventions:
        change = _relative_change(intervention)
        what = f"{intervention_label(intervention.name)}: change in % of its accuracy"
        if intervention.family == "object" and change:
            found.append(("object_removed", what, change, False))
        if intervention.family not in ("color", "background"):
            continue
        if change:
            found.append(("accuracy_change", what, change, True))
        if intervention.flip_rate_control is not None:
            excess = independent_difference(intervention.flip_rate, intervention.flip_rate_control)
            what = f"{intervention_label(intervention.name)}: flips beyond the control"
            found.append(("flip_excess", what, excess, False))
    if evaluation.foreground_sensitivity is not None:
        found.append(
            ("foreground_sensitivity", "Object or background", evaluation.foreground_sensitivity, True)
        )
    cam = gradcams.get(method)
    if cam and cam.energy_in_mask:
        found.append(("energy_in_mask", "Heat on the object", cam.energy_in_mask, True))
    if cam and cam.pointing:
        found.append(("pointing", "Peak of the heat on the object", cam.pointing, True))
    return found
