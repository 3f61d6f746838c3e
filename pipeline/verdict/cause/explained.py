"""Wrong labels or the shortcut: which part of what leaving images out brings each of the two explains.

Leaving out the suspected labels alone brings one part; leaving out the other images besides brings the rest.
What both would bring alone counts as the labels'.

Shape legend: S seeds, N test images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.artifacts.results import Results
from pipeline.core.types import BoolArray, Split
from pipeline.core.words import count, points, quoted
from pipeline.records.base import Estimate
from pipeline.records.cause import Cause, ExplainedGain
from pipeline.records.evaluation import EvaluationResult, MethodComparison
from pipeline.records.training import Removal
from pipeline.records.verdict import Thresholds
from pipeline.statistics.accuracy.worst_group import worst_of
from pipeline.statistics.comparison.compare import Contender, Target, compare_methods
from pipeline.verdict.evidence.rules import judge_effect
from pipeline.verdict.phrases import points_interval

PARTS = 2  # that are told apart, and whose intervals hold together


def explain_removals(
    found: Results,
    correct: Mapping[str, BoolArray],
    suspected: Mapping[str, BoolArray | None],
    test: Split,
    comparisons: Sequence[MethodComparison],
    target: Target,
    limits: Thresholds,
) -> tuple[dict[str, ExplainedGain], dict[str, str]]:
    """`explain_gain` of every method that leaves images out, or why there is none.

    Args:
        correct: method -> whether its seeds are right on the test images, S x N.
        suspected: the same of the models without the suspected labels.
    """
    explained, reasons = dict[str, ExplainedGain](), dict[str, str]()
    totals = {comparison.method: comparison for comparison in comparisons}
    baseline = next(iter(found.evaluations))
    for name, history in found.histories.items():
        if history.removal is None:
            continue
        total, evaluation = totals.get(name), found.evaluations[name]
        controls = [control.control for control in evaluation.removal_controls]
        reason = why_not_explained(history.removal, controls, total, limits)
        if reason or total is None:
            reasons[name] = reason
            continue
        explained[name] = explain_gain(
            (correct[baseline], suspected.get(name), correct[name]),
            (found.evaluations[baseline], evaluation),
            test,
            history.removal,
            total=total,
            target=target,
            limits=limits,
        )
    return explained, reasons


def explain_gain(
    correct: tuple[BoolArray, BoolArray | None, BoolArray],
    evaluations: tuple[EvaluationResult, EvaluationResult],
    test: Split,
    removal: Removal,
    *,
    total: MethodComparison,
    target: Target,
    limits: Thresholds,
) -> ExplainedGain:
    """Which part of `total` leaving out the suspected labels alone explains, and what the rest brings.

    Args:
        correct: whether the baseline, the models without the suspected labels and those without all that is
            left out are right, S x N; None in the middle where no label is suspected.
        evaluations: of the baseline and of the removal.
        total: removal against baseline, whose gain is that of both parts.
        target: the group that `total` is about.
    """
    nothing = Estimate(value=0.0, low=0.0, high=0.0, n=total.gain.n)
    labels, rest = nothing, total.gain
    if correct[1] is not None:
        labels, rest = _parts((correct[0], correct[1], correct[2]), evaluations, test, target)
    n_suspected = removal.suspected.n if removal.suspected else 0
    found = ExplainedGain(
        group=total.group,
        group_index=total.group_index,
        n_suspected=n_suspected,
        n_rest=removal.chosen - n_suspected,
        total=total.gain,
        labels=labels,
        rest=rest,
        cause=judge_cause(labels, rest, limits, n_seeds=min(len(correct[0]), len(correct[2]))),
        text="",
    )
    return found.model_copy(update={"text": explained_text(found)})


def _parts(
    correct: tuple[BoolArray, BoolArray, BoolArray],
    evaluations: tuple[EvaluationResult, EvaluationResult],
    test: Split,
    target: Target,
) -> tuple[Estimate, Estimate]:
    before, after = evaluations
    sides = zip((before, before, after), ("baseline", "suspected", "removal"), correct, strict=True)
    first, middle, last = (Contender(name, side_SN, worst_of(of.test)) for of, name, side_SN in sides)
    names = [group.name for group in before.test.groups]

    def gain(one: Contender, other: Contender, n_picked: int) -> Estimate:
        return compare_methods(
            one,
            other,
            test.groups,
            names,
            target=Target(target.group, n_picked, n_tests=PARTS),
            seed=0,
            sources_N=test.sources,
        ).gain

    # the group was picked for being low under the baseline, which has no part in the rest
    return gain(first, middle, target.n_picked), gain(middle, last, 1)


def judge_cause(labels: Estimate, rest: Estimate, limits: Thresholds, *, n_seeds: int) -> Cause:
    """What explains the gain: both parts where both are shown to matter, one where it is clearly more."""
    if n_seeds < limits.min_seeds:
        return "unclear"
    by_labels, by_rest = (judge_effect(p.value, p.low, limits.min_effect) for p in (labels, rest))
    if by_labels == by_rest == "yes":
        return "both"
    # a part that is not shown is not shown to be nothing either: its interval must end below the other's
    if by_labels == "yes" and rest.high < labels.low:
        return "labels"
    if by_rest == "yes" and labels.high < rest.low:
        return "shortcut"
    return "unclear"


def explained_text(found: ExplainedGain) -> str:
    """The finding in two sentences, the second with both parts and their intervals."""
    n_all = found.n_suspected + found.n_rest
    gain = f"{points(found.total.value).lstrip('+')} points {points_interval(found.total)}"
    if not found.n_suspected:
        return (
            f"The shortcut holds {quoted(found.group)} down. Leaving out {count(n_all)} images raises it by "
            f"{gain} on test images, and no wrong label is suspected among them."
        )
    group = quoted(found.group)
    claim = {
        "labels": f"Images whose label looks wrong hold {group} down; the others are not shown to",
        "shortcut": f"Images that teach the shortcut hold {group} down; those whose label looks wrong are "
        "not shown to",
        "both": f"Images whose label looks wrong and others that teach the shortcut both hold {group} down",
        "unclear": f"Whether images whose label looks wrong or others hold {group} down cannot be told apart",
    }[found.cause]
    return (
        f"{claim}. Leaving out {count(n_all)} images raises it by {gain} on test images: the "
        f"{count(found.n_suspected)} of them that look wrong bring {points(found.labels.value)} "
        f"{points_interval(found.labels)} alone, the other {count(found.n_rest)} another "
        f"{points(found.rest.value)} {points_interval(found.rest)}."
    )


def why_not_explained(
    removal: Removal,
    controls: Sequence[str],
    total: MethodComparison | None,
    limits: Thresholds,
) -> str:
    """Why wrong labels and the shortcut are not told apart, as a sentence; empty where they are."""
    if not removal.chosen:
        return "Nothing was left out, so wrong labels and the shortcut are not told apart."
    if removal.suspected is None or total is None:
        return "Whether labels look wrong was not asked, so wrong labels and the shortcut are not told apart."
    if removal.suspected.n and "suspected" not in controls:
        return (
            f"{count(removal.suspected.n)} of the {count(removal.chosen)} images left out have a label that "
            "looks wrong; leaving out these alone was not tried: set methods.repair.controls to true."
        )
    if judge_effect(total.gain.value, total.gain.low, limits.min_effect) != "yes":
        return (
            f"That leaving images out raises {quoted(total.group)} on test is not shown "
            f"({points(total.gain.value)} points {points_interval(total.gain)}): there is no gain to explain."
        )
    return ""
