"""Whether the ladder's questions can be asked of a model: not of one that is no better than a constant.

A constant never changes its answer and is as wrong on one group as on another of the same class, so
every rung would come out as an all-clear. A model that follows the attribute is none, even where it
tells classes apart no better.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.words import count, join_names, percent, quoted
from pipeline.records.base import Estimate
from pipeline.records.evaluation import ClassSkill, EvaluationResult
from pipeline.records.verdict import Rung, Thresholds
from pipeline.statistics.accuracy.balanced import kappa_from_balanced
from pipeline.verdict.evidence.rules import judge_effect
from pipeline.verdict.phrases import method_label, percent_interval

CLASSES_NAMED = 3


def why_not_asked(evaluation: EvaluationResult | None, limits: Thresholds) -> str | None:
    """Why no rung on a model can be answered, as a sentence; None where they can be asked.

    That its classes are told apart no better than by a constant does not do: a model that follows the
    attribute alone is right on as many as a constant, and is the strongest shortcut there is.
    """
    reason = _why_constant(evaluation, limits, may_follow=True)
    return f"The questions cannot be asked yet: {reason}." if reason else None


def why_no_better(evaluation: EvaluationResult | None, limits: Thresholds) -> str | None:
    """In what a model is no better than a constant, whatever it follows; None where it is better.

    Its average is that of large classes then, and nothing is left below the average to fall to.
    """
    return _why_constant(evaluation, limits, may_follow=False)


def _why_constant(evaluation: EvaluationResult | None, limits: Thresholds, *, may_follow: bool) -> str | None:
    """The balanced accuracy, put on kappa's scale (0 for a constant, 1 for a perfect model), must clearly
    reach the least that counts for color alone; of two seeds, whose joint interval is mostly wider than
    all that is possible, each on its own. And no seed may be consistent with a constant while it is
    clearly below the others: averaged over, it would make every effect look smaller.
    """
    skill = evaluation.class_skill if evaluation else None
    if evaluation is None or skill is None:
        return None
    found, chance = skill.balanced_accuracy, skill.chance
    follows = skill.follows if may_follow else []
    weak = {
        s: own
        for s, own in enumerate(skill.per_seed)
        if not _is_better(own, skill, limits)
        and not (follows and judge_effect(follows[s].value, follows[s].low, limits.min_kappa) == "yes")
    }
    is_stuck = any(own.low <= chance and own.high < found.value for own in weak.values())
    if not weak or (not is_stuck and _is_better(found, skill, limits)):
        return None
    who = method_label(evaluation.method)
    level = "worse" if _is_worse(skill, [skill.per_seed[s] for s in weak]) else "no better"
    measured = f"{percent(found.value)} {percent_interval(found)}, n = {count(found.n)}"
    if len(weak) < len(skill.per_seed):
        who += f" with seed {join_names([str(evaluation.seeds[s]) for s in weak])}"
        measured = join_names(
            [f"{percent(own.value)} {percent_interval(own)}, n = {count(own.n)}" for own in weak.values()]
        )
    return (
        f"{who} is {level} than a constant, which says the same class of every image: balanced accuracy "
        f"{measured}, where a constant has {percent(chance)} ({count(skill.n_classes)} classes)"
        + (_other_order(evaluation) if level == "worse" and may_follow else "")
    )


def is_worse_than_constant(evaluation: EvaluationResult | None) -> bool:
    """Whether every seed is clearly below a constant: no training does that, a wrong order does."""
    skill = evaluation.class_skill if evaluation else None
    return skill is not None and _is_worse(skill, skill.per_seed)


def _is_worse(skill: ClassSkill, seeds: Sequence[Estimate]) -> bool:
    return bool(seeds) and all(own.high < skill.chance for own in seeds)


def _other_order(evaluation: EvaluationResult) -> str:
    """Where a model is wrong more often than by chance its outputs mostly stand for other classes."""
    remedy = f" (models.{evaluation.method}.classes)" if evaluation.is_brought else ""
    return f"; its classes may be in another order than the dataset's{remedy}"


def _is_better(found: Estimate, skill: ClassSkill, limits: Thresholds) -> bool:
    value, low = (kappa_from_balanced(x, skill.n_classes) for x in (found.value, found.low))
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
