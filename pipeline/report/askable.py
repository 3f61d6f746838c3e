"""Whether the ladder's questions can be asked of a model: not of one that is no better than a constant.

A constant never changes its answer and is as wrong on one group as on another of the same class, so
every rung would come out as an all-clear.
"""

from __future__ import annotations

from pipeline.core.results import ClassSkill, Estimate, EvaluationResult
from pipeline.report.evidence import Rung, Thresholds, judge_effect
from pipeline.report.wording import count, join_names, method_label, percent, percent_interval, quoted

CLASSES_NAMED = 3


def why_not_asked(evaluation: EvaluationResult | None, limits: Thresholds) -> str | None:
    """Why no rung on a model can be answered, as a sentence; None where they can be asked.

    The balanced accuracy, put on kappa's scale (0 for a constant, 1 for a perfect model), must clearly
    reach the least that counts for color alone; of two seeds, whose joint interval is mostly wider than
    all that is possible, each on its own. And no seed may be consistent with a constant while it is
    clearly below the others: averaged over, it would make every effect look smaller.
    """
    skill = evaluation.class_skill if evaluation else None
    if evaluation is None or skill is None:
        return None
    found = skill.balanced_accuracy
    stuck = [
        seed
        for seed, own in zip(evaluation.seeds, skill.per_seed, strict=True)
        if own.low <= skill.chance and own.high < found.value
    ]
    each_is_clear = all(_is_better(own, skill, limits) for own in skill.per_seed)
    if not stuck and (each_is_clear or _is_better(found, skill, limits)):
        return None
    who = method_label(evaluation.method)
    if stuck:
        who += f" with seed {join_names(map(str, stuck))}"
    return (
        f"The questions cannot be asked yet: {who} is no better than a constant, which says the same class "
        f"of every image: balanced accuracy {percent(found.value)} {percent_interval(found)}, "
        f"n = {count(found.n)}, where a constant has {percent(skill.chance)} "
        f"({count(skill.n_classes)} classes)."
    )


def _is_better(found: Estimate, skill: ClassSkill, limits: Thresholds) -> bool:
    value, low = ((x - skill.chance) / (1 - skill.chance) for x in (found.value, found.low))
    return judge_effect(value, low, limits.min_kappa) == "yes"


def withhold(rung: Rung, evaluation: EvaluationResult | None, limits: Thresholds) -> Rung:
    """A rung about a model, without its answer where the question cannot be asked."""
    reason = why_not_asked(evaluation, limits)
    if reason is None or rung.rung == "available":
        return rung
    update = {"status": "insufficient", "evidence": reason, "estimate": None, "unit": None}
    return rung.model_copy(update=update)


def never_predicted_text(evaluation: EvaluationResult | None) -> str:
    """ "ERM never predicts “cat” and 3 more of 10 classes."; empty where it predicts all."""
    skill = evaluation.class_skill if evaluation else None
    if evaluation is None or skill is None or not skill.never_predicted:
        return ""
    names = skill.never_predicted
    shown = [quoted(name, 40) for name in names[:CLASSES_NAMED]]
    if len(names) > CLASSES_NAMED:
        shown.append(f"{count(len(names) - CLASSES_NAMED)} more")
    return (
        f"{method_label(evaluation.method)} never predicts {join_names(shown)} "
        f"({count(len(names))} of {count(skill.n_classes)} classes)."
    )
