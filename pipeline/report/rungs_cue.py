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
from pipeline.report.evidence import (
    Rung,
    Status,
    Thresholds,
    difference,
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
    """Is there a cue in the training data: label ~ attribute (annotated), or color alone."""
    only = color.color_only
    kappa = Estimate(value=only.kappa, low=only.low, high=only.high, n=only.n)
    by_color = judge_effect(only.kappa, only.low, limits.min_kappa)
    if only.n < limits.min_test or (by_color == "yes" and only.p_value >= limits.alpha):
        by_color = "insufficient"
    color_text = (
        f"color alone predicts the label with kappa {number(only.kappa)} (95% interval "
        f"{number(only.low)} to {number(only.high)}, n = {count(only.n)}, {p_text(only.p_value)}; "
        f"0 is chance, 1 is perfect, {number(limits.min_kappa)} is the least that counts)"
    )
    association = train_association(info, color)
    by_label = _judge_association(association, limits)
    if association is not None and by_label == "yes":
        text = f"{_association_text(association)}; {color_text}."
    elif association is not None:
        text = f"{color_text[0].upper()}{color_text[1:]}; {_association_text(association)}."
    else:
        text = f"{color_text[0].upper()}{color_text[1:]}."
    return Rung(
        rung="available",
        question="Is there a shortcut in the training data?",
        status=strongest(by_label, by_color),
        evidence=text,
        estimate=kappa,
        unit="kappa",
    )


def train_association(info: DatasetInfo, color: ColorResult) -> Association | None:
    """Label x primary attribute on train, where the attribute is annotated."""
    if not info.attributes or info.attributes[0].origin != "annotated":
        return None
    name = info.attributes[0].name
    return next((a for a in color.associations if a.attribute == name and a.split == "train"), None)


def modal_share(association: Association) -> float:
    """Share of images that show the attribute value most common for their class."""
    return sum(max(row) for row in association.table if row) / max(association.n, 1)


def _judge_association(association: Association | None, limits: Thresholds) -> Status | None:
    if association is None:
        return None
    if association.n < limits.min_test:
        return "insufficient"
    if association.cramers_v < limits.min_cramers_v:
        return "no"
    return "yes" if association.p_value < limits.alpha else "insufficient"


def _association_text(association: Association) -> str:
    return (
        f"{percent(modal_share(association))} of {count(association.n)} training images have the value of "
        f"{quoted(association.attribute)} that is most common for their class (Cramér's V = "
        f"{number(association.cramers_v)}, {p_text(association.p_value)})"
    )


# --- rung 2 ----------------------------------------------------------------------------------


def judge_used(baseline: EvaluationResult | None, limits: Thresholds) -> Rung:
    """Do the baseline's predictions change when the cue is changed and nothing else."""
    question = "Does the model use it?"
    intervention = deciding_intervention(baseline)
    if baseline is None or intervention is None:
        text = "No intervention on the images was run, so reliance on the cue is not known."
        return Rung(rung="used", question=question, status="insufficient", evidence=text)
    what, change = intervention_label(intervention.name), points_phrase(intervention.accuracy_change)
    flips, control = intervention.flip_rate, intervention.flip_rate_control
    drop = negate(intervention.accuracy_change)
    estimate, status = drop, judge_effect(drop.value, drop.low, limits.min_effect)
    if control is None:
        text = (
            f"{what} changes {method_label(baseline.method)}'s accuracy by {change} and flips "
            f"{percent(flips.value)} of its predictions."
        )
    else:  # pasting alone flips some predictions, so only the excess counts
        excess = difference(flips, control)
        flip_status = judge_effect(excess.value, excess.low, limits.min_effect)
        if flip_status == "yes" or status != "yes":
            estimate, status = excess, strongest(flip_status, status)
        text = (
            f"{what} flips {percent(flips.value)} of {method_label(baseline.method)}'s predictions, against "
            f"{percent(control.value)} when the replacement shows the same cue: {points_phrase(excess)}; "
            f"accuracy changes by {change}."
        )
    enough = min(intervention.accuracy_change.n, intervention.flip_rate.n) >= limits.min_test
    if not enough:
        text += f" At least {count(limits.min_test)} images are needed."
        status = "insufficient"
    return Rung(
        rung="used", question=question, status=status, evidence=text, estimate=estimate, unit="difference"
    )


def deciding_intervention(evaluation: EvaluationResult | None) -> Intervention | None:
    """The background swap where masks allow one; removing color otherwise."""
    by_name = {i.name: i for i in evaluation.interventions} if evaluation else {}
    return by_name.get("background_swap") or by_name.get("greyscale")
