"""Rungs 1 and 2: is a cue in the training data, and does the model use it."""

from __future__ import annotations

from pipeline.core.results import (
    Association,
    ColorResult,
    DatasetInfo,
    Estimate,
    EvaluationResult,
    Intervention,
)
from pipeline.metrics.intervals import independent_difference, widen
from pipeline.report.evidence import (
    Rung,
    Status,
    Thresholds,
    judge_effect,
    negate,
    strongest,
)
from pipeline.report.wording import (
    count,
    intervention_label,
    method_label,
    number,
    p_text,
    percent,
    points_phrase,
    quoted,
)

# --- rung 1 ----------------------------------------------------------------------------------


def judge_available(info: DatasetInfo, color: ColorResult, limits: Thresholds) -> Rung:
    """Is there a cue in the training data: label ~ an annotated attribute, or color alone."""
    only = color.color_only
    kappa = Estimate(value=only.kappa, low=only.low, high=only.high, n=only.n)
    by_color = judge_effect(only.kappa, only.low, limits.min_kappa)
    if only.n < limits.min_test or (by_color == "yes" and only.p_value >= limits.alpha):
        by_color = "insufficient"
    text = _color_text(color, limits)
    associations = train_associations(info, color)
    judged = [_judge_association(a, limits, n_tests=len(associations)) for a in associations]
    by_label = strongest(*judged) if judged else None
    for association in associations[:1] if by_label != "yes" else []:
        text = f"{text[0].upper()}{text[1:]}; {_association_text(association)}"
    if by_label == "yes":
        shown = next(a for a, status in zip(associations, judged, strict=True) if status == "yes")
        text = f"{_association_text(shown)}; {text}"
    elif by_color == "yes" and associations:
        names = " or ".join(quoted(a.attribute) for a in associations)
        text += f". The yes is about color: it is not said of {names}"
    return Rung(
        rung="available",
        question="Is there a shortcut in the training data?",
        status=strongest(by_label, by_color),
        evidence=f"{text[0].upper()}{text[1:]}.",
        estimate=kappa,
        unit="kappa",
    )


def _color_text(color: ColorResult, limits: Thresholds) -> str:
    only, background = color.color_only, color.background_only
    text = (
        f"color alone predicts the label with kappa {number(only.kappa)} (95% interval "
        f"{number(only.low)} to {number(only.high)}, n = {count(only.n)}, {p_text(only.p_value)}; "
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
        f"{number(association.cramers_v)}, {p_text(association.p_value)})"
    )


# --- rung 2 ----------------------------------------------------------------------------------


def judge_used(baseline: EvaluationResult | None, limits: Thresholds) -> Rung:
    """Do the baseline's predictions change when the cue is changed and nothing else.

    Several numbers are looked at (flips and accuracy of the swap, or every change of color), so each
    interval is widened to hold for all of them at once.
    """
    question = "Does the model use it?"
    intervention = deciding_intervention(baseline)
    if baseline is None or intervention is None:
        text = "No intervention on the images was run, so reliance on the cue is not known."
        return Rung(rung="used", question=question, status="insufficient", evidence=text)
    is_swap = intervention.flip_rate_control is not None
    judge = _judge_swap if is_swap else _judge_color_change
    status, estimate, text = judge(baseline, intervention, limits)
    if min(intervention.accuracy_change.n, intervention.flip_rate.n) < limits.min_test:
        text += f" At least {count(limits.min_test)} images are needed."
        status = "insufficient"
    return Rung(
        rung="used", question=question, status=status, evidence=text, estimate=estimate, unit="difference"
    )


def deciding_intervention(evaluation: EvaluationResult | None) -> Intervention | None:
    """The background swap where masks allow one; otherwise the change of color that costs most."""
    found = evaluation.interventions if evaluation else []
    swap = next((i for i in found if i.name == "background_swap"), None)
    return swap or min(_color_changes(evaluation), key=lambda i: i.accuracy_change.value, default=None)


def _color_changes(evaluation: EvaluationResult | None) -> list[Intervention]:
    return [i for i in evaluation.interventions if i.family == "color"] if evaluation else []


def _judge_swap(
    baseline: EvaluationResult, swap: Intervention, limits: Thresholds
) -> tuple[Status, Estimate, str]:
    """Pasting alone flips some predictions, so only the excess over the same-cue control counts."""
    flips, control = swap.flip_rate, swap.flip_rate_control or swap.flip_rate
    excess = widen(independent_difference(flips, control), n_comparisons=2, alpha=limits.alpha)
    drop = widen(negate(swap.accuracy_change), n_comparisons=2, alpha=limits.alpha)
    by_flips = judge_effect(excess.value, excess.low, limits.min_effect)
    by_drop = judge_effect(drop.value, drop.low, limits.min_effect)
    text = (
        f"{intervention_label(swap.name)} flips {percent(flips.value)} of {method_label(baseline.method)}'s "
        f"predictions, against {percent(control.value)} when the replacement shows the same cue: "
        f"{points_phrase(excess)}. Where the cue goes with the class, accuracy changes by "
        f"{points_phrase(negate(drop))}. "
    )
    drop_decides = by_drop == "yes" != by_flips
    text += f"The change of {'accuracy' if drop_decides else 'predictions'} decides."
    return strongest(by_flips, by_drop), drop if drop_decides else excess, text


def _judge_color_change(
    baseline: EvaluationResult, change: Intervention, limits: Thresholds
) -> tuple[Status, Estimate, str]:
    n_tried = len(_color_changes(baseline))
    drop = widen(negate(change.accuracy_change), n_comparisons=n_tried, alpha=limits.alpha)
    most = f" Of {count(n_tried)} changes of color it costs most." if n_tried > 1 else ""
    text = (
        f"{intervention_label(change.name)} changes {method_label(baseline.method)}'s accuracy by "
        f"{points_phrase(negate(drop))} and flips {percent(change.flip_rate.value)} of its predictions.{most}"
    )
    return judge_effect(drop.value, drop.low, limits.min_effect), drop, text
