"""Rung 4: which training images cause the harm."""

from __future__ import annotations

from pipeline.core.words import count, per_thousand, quoted
from pipeline.records.attribution import AttributionResult, GroupAttribution
from pipeline.records.base import Estimate
from pipeline.records.cause import ExplainedGain, HarmfulLabels
from pipeline.records.data import DatasetInfo
from pipeline.records.verdict import Rung, Status, Thresholds
from pipeline.statistics.intervals import widen
from pipeline.verdict.cause.harmful_labels import wrong_labels_text
from pipeline.verdict.cause.trust import describe_trust, judge_support


def judge_caused_by(
    info: DatasetInfo,
    attribution: AttributionResult | None,
    *,
    worst: int | None,
    harmful: Status,
    limits: Thresholds,
    explained: ExplainedGain | None = None,
    labels: HarmfulLabels | None = None,
    untraced: str = "",
) -> Rung:
    """Do training images of the aligned groups of other classes hurt the test group of index `worst`.

    Where leaving images out tells wrong labels from the shortcut, that comes first: wrong labels that are
    shown to cause the harm answer the question whatever groups score.

    Args:
        explained: what leaving images out brings that very group.
        labels: wrong labels among the images that harm it most.
        untraced: why there is no attribution, where nothing would make one.
    """
    by_groups = _judge_groups(info, attribution, worst=worst, limits=limits, untraced=untraced)
    gain = explained if explained is not None and explained.group_index == worst else None
    rung = _with_gain(by_groups, gain)
    texts = [gain.text] if gain else []
    texts += [wrong_labels_text(labels)] if labels else []
    status, text = rung.status, " ".join([*texts, rung.evidence])
    if rung.estimate is not None and harmful == "no":
        found = "No group is clearly harmed by the cue. " if gain else _NO_HARM
        status, text = "no", found + text
    elif rung.estimate is not None and harmful == "insufficient":
        status, text = "insufficient", f"{UNHARMED}. " + text
    return rung.model_copy(update={"status": status, "evidence": text})


def _with_gain(by_groups: Rung, gain: ExplainedGain | None) -> Rung:
    """The answer by groups, and that of wrong labels in its place where these are shown to be a cause."""
    if gain is None or gain.cause not in ("labels", "both"):
        return by_groups
    update: dict[str, object] = {"status": "yes", "was_run": True}
    if gain.cause == "labels" or by_groups.estimate is None:
        update |= {"estimate": gain.labels, "unit": "difference"}
    if gain.cause == "labels":  # a group's scores hold those of its wrong labels
        update["evidence"] = f"By group, wrong labels among them: {_lower_first(by_groups.evidence)}"
    return by_groups.model_copy(update=update)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _judge_groups(
    info: DatasetInfo,
    attribution: AttributionResult | None,
    *,
    worst: int | None,
    limits: Thresholds,
    untraced: str,
) -> Rung:
    """What scores and retraining say of the groups that teach the shortcut."""
    suspects = [] if worst is None else aligned_opponents(info, worst)
    cells = (
        [c for c in attribution.groups if c.test_index == worst and c.train_index in suspects]
        if attribution
        else []
    )
    if attribution is None or worst is None or not cells:
        text = _why_no_cells(attribution, None if worst is None else info.groups[worst].name, untraced)
        return Rung(
            rung="caused_by",
            question=_CAUSE_QUESTION,
            status="insufficient",
            evidence=text,
            was_run=attribution is not None,
        )
    cell = min(cells, key=lambda c: c.high)
    # older results do not say how many of the group were scored: of a subset only the total is known
    is_whole = attribution.n_train == attribution.n_train_total
    n = cell.n_train or (info.groups[cell.train_index].n_train if is_whole else attribution.n_train)
    estimate = Estimate(value=cell.value, low=cell.low, high=cell.high, n=n)
    wide = widen(estimate, n_comparisons=len(cells), alpha=limits.alpha)
    text = _cause_text(cell, wide, len(cells), attribution)
    text += describe_trust(attribution, cell.train_index, cell.test_index)
    support = judge_support(attribution, cell.train_index, cell.test_index)
    status: Status = "yes" if wide.high < 0 else "no"
    if status == "yes" and support in ("doubtful", "refuted"):
        status = "insufficient"
    return Rung(
        rung="caused_by", question=_CAUSE_QUESTION, status=status, evidence=text, estimate=wide, unit="score"
    )


_NO_HARM = "No group is clearly harmed, so there is no harm to trace. "
_CAUSE_QUESTION = "Which training images cause it?"
UNHARMED = "Whether a group is harmed is not established"


def _why_no_cells(attribution: AttributionResult | None, worst: str | None, untraced: str) -> str:
    if attribution is None:
        return f"Attribution was not run{f': {untraced}' if untraced else '.'}"
    if worst is None:
        return "No worst group with enough images is known, so there is no target to trace."
    return (
        f"No other class has most of its training images where {quoted(worst)} has its attribute value, "
        "so no group of training images is under suspicion."
    )


def aligned_opponents(info: DatasetInfo, worst: int) -> list[int]:
    """Groups, by index, of other labels with the worst one's attribute value that are their label's majority.

    These are the images that teach the shortcut: for waterbirds on land, landbirds on land.
    """
    target = info.groups[worst]
    largest: dict[str, int] = {}
    for group in info.groups:
        largest[group.label] = max(largest.get(group.label, 0), group.n_train)
    return [
        g
        for g, group in enumerate(info.groups)
        if group.label != target.label
        and group.attribute == target.attribute
        and 0 < group.n_train == largest[group.label]
    ]


def _cause_text(cell: GroupAttribution, wide: Estimate, n_cells: int, attribution: AttributionResult) -> str:
    verb = "hurt" if cell.value < 0 else "do not hurt"
    corrected = f", Bonferroni over {n_cells} groups" if n_cells > 1 else ""
    worst = cell.test_group
    is_known = cell.n_train or attribution.n_train == attribution.n_train_total
    where = "" if is_known else " scored, of all groups"
    own = next((c for c in attribution.groups if c.train_index == cell.test_index == c.test_index), None)
    control = f"; its own training images score {per_thousand(own.value)} for comparison" if own else ""
    return (
        f"Training images of {quoted(cell.train_group)} {verb} {quoted(worst)} on test: mean score "
        f"{per_thousand(wide.value)} per 1,000 images (95% interval {per_thousand(wide.low)} to "
        f"{per_thousand(wide.high)}{corrected}, "
        f"n = {count(wide.n)} training images{where}; negative hurts){control}."
    )
