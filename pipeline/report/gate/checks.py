"""Each number that a gate can ask for: where the report holds it, and when there is too little of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pipeline.core.words import count, has, join_names, quoted
from pipeline.records.base import GroupEstimate
from pipeline.records.evaluation import SplitMetrics
from pipeline.records.hygiene import DuplicateSummary
from pipeline.report.compare.pairing import Side
from pipeline.report.compare.reports import compare_sides
from pipeline.report.gate.limits import Check, Key, Limit, measured, unmeasured
from pipeline.report.gate.rungs import as_evaluation
from pipeline.report.records import ReportSummary
from pipeline.statistics.accuracy.worst_group import is_clearly_below
from pipeline.statistics.intervals import share_estimate
from pipeline.verdict.askable import why_no_better, why_not_asked
from pipeline.verdict.evidence import negate, worst_enough_group
from pipeline.verdict.phrases import intervention_label, shared_sources
from pipeline.verdict.small_groups import clearly_bad_uncounted, name_groups, uncounted_groups
from pipeline.verdict.used import deciding_exchange, size_either_way, uncarried_text

WORST, AVERAGE, GAP = "worst group", "average", "average minus worst group"
FLIPS, DROP, LEAKS = "predictions that follow the cue", "fall of the worst group", "leaking test images"
UNCOUNTED = "groups too small to count"
UNCOUNTED_NAMED = 6


class Asked(NamedTuple):
    """What one check is about."""

    summary: ReportSummary
    method: str
    limit: Limit
    earlier: tuple[Side, Side] | None  # the earlier report's method and this one's


def check_worst_group(asked: Asked) -> Check:
    summary, method, limit, _ = asked
    test = summary.methods[method].test
    worst = worst_enough_group(test, summary.thresholds)
    if worst is None:
        return unmeasured(WORST, limit, _too_few_groups(summary), method=method)
    below = _clearly_below(summary, test, limit.threshold)
    if below:
        check = measured(WORST, limit, below[0], method=method)
        reason = f"clearly below it or the average: {name_groups(below)}, although too few to count"
        return check.model_copy(update={"passed": False, "reason": reason})
    detail = f"; it is {quoted(worst.name)}{_uncounted(asked)}"
    return measured(WORST, limit, worst, method=method, detail=detail)


def check_uncounted(summary: ReportSummary, method: str) -> list[Check]:
    """Fails while groups are too small to count: a limit that does not see them does not protect them."""
    found = summary.methods[method].test
    thin = uncounted_groups(summary.dataset, found, summary.thresholds)
    if not thin:
        return []
    bad = clearly_bad_uncounted(found, summary.thresholds)
    worse = f". Clearly worse than the average: {name_groups(bad)}" if bad else ""
    named = join_names([f"{quoted(group.name)} (n = {count(group.n)})" for group in thin[:UNCOUNTED_NAMED]])
    more = f" and {count(len(thin) - UNCOUNTED_NAMED)} more" if len(thin) > UNCOUNTED_NAMED else ""
    reason = (
        f"{count(len(thin))} of {count(len(found.groups))} groups {has(len(thin))} fewer than "
        f"{count(summary.thresholds.min_test)} test images and no limit protects them: {named}{more}{worse}. "
        "Gather test images, or accept that with --allow-uncounted or gate.allow_uncounted: true"
    )
    return [Check(method=method, what=UNCOUNTED, passed=False, unit="answer", reason=reason)]


def check_average(asked: Asked) -> Check:
    summary, method, limit, _ = asked
    average = summary.methods[method].test.average
    if average.n < summary.thresholds.min_test:
        return unmeasured(AVERAGE, limit, f"there are {count(average.n)} test images", method=method)
    reason = why_no_better(as_evaluation(summary, method), summary.thresholds)
    if reason is not None:
        return unmeasured(AVERAGE, limit, reason, method=method)
    return measured(AVERAGE, limit, average, method=method)


def check_gap(asked: Asked) -> Check:
    summary, method, limit, _ = asked
    test = summary.methods[method].test
    if worst_enough_group(test, summary.thresholds) is None:
        return unmeasured(GAP, limit, _too_few_groups(summary), method=method, unit="difference")
    reason = why_no_better(as_evaluation(summary, method), summary.thresholds)
    if reason is not None:
        return unmeasured(GAP, limit, reason, method=method, unit="difference")
    if test.gap is None:
        why = "seeds disagree too much to say how far the worst group is below the average"
        return unmeasured(GAP, limit, why, method=method, unit="difference")
    detail = f"; corrected for having picked the worst{_uncounted(asked)}"
    return measured(GAP, limit, test.gap, method=method, unit="difference", detail=detail)


def check_flips(asked: Asked) -> Check:
    """What rung 2 reads: how far an exchange of the cue shifts predictions either way, beyond its control."""
    summary, method, limit, _ = asked
    found = summary.methods[method].cue_use
    exchange = deciding_exchange(found)
    reason = why_not_asked(as_evaluation(summary, method), summary.thresholds)
    if reason is not None:
        return unmeasured(FLIPS, limit, reason[0].lower() + reason[1:].rstrip("."), method=method)
    if found is None or exchange is None:
        why = uncarried_text(found) if found else "no exchange of the cue was made"
        return unmeasured(FLIPS, limit, why.rstrip("."), method=method, unit="difference")
    if exchange.n_images < summary.thresholds.min_test:
        why = f"{count(exchange.n_images)} images were changed"
        return unmeasured(FLIPS, limit, why, method=method, unit="difference")
    change = intervention_label(exchange.name)
    what = f"{change[0].lower()}{change[1:]}"
    way = "towards" if exchange.size.value >= 0 else "against the cue, away from"
    detail = f"; shifted {way} the donor's class by {what}, beyond the same that keeps the cue"
    size = size_either_way(exchange.size)
    return measured(FLIPS, limit, size, method=method, unit="difference", detail=detail)


def check_drop(asked: Asked) -> Check:
    """How far the worst group fell since the earlier report, on the same images where that is possible."""
    _, method, limit, earlier = asked
    if earlier is None:
        return unmeasured(DROP, limit, "there is no earlier report", method=method, unit="difference")
    thin = next((side for side in earlier if not _has_worst_group(side)), None)
    if thin is not None:
        why = f"{_too_few_groups(thin.report)} in {thin.source}"
        return unmeasured(DROP, limit, why, method=method, unit="difference")
    pair = compare_sides(*earlier)
    row = next(row for row in pair.overall if row.name == "worst_group")
    how = "not paired" if pair.paired else pair.pairing
    detail = "; paired over images" if row.paired else f"; {how[0].lower()}{how[1:]}"
    return measured(DROP, limit, negate(row.difference), method=method, unit="difference", detail=detail)


OF_METHODS: dict[Key, tuple[str, Callable[[Asked], Check]]] = {
    "min_worst_group": (WORST, check_worst_group),
    "min_average": (AVERAGE, check_average),
    "max_gap": (GAP, check_gap),
    "max_flip_rate": (FLIPS, check_flips),
    "max_drop": (DROP, check_drop),
}


def check_leaking(summary: ReportSummary, limit: Limit) -> list[Check]:
    """Cut scenes or patients, exact and near duplicates, each on its own: an image may have twins of all."""
    cut = _check_sources(summary, limit)
    if summary.hygiene is None or not summary.hygiene.duplicates:
        return [*cut, unmeasured(LEAKS, limit, "duplicates were not looked for")]
    found = summary.hygiene.duplicates
    unseen = "" if any(kind.kind == "near" for kind in found) else "; near duplicates were not looked for"
    return [*cut, *(_check_kind(kind, limit, unseen) for kind in found)]


def _check_sources(summary: ReportSummary, limit: Limit) -> list[Check]:
    """Nothing where the data do not say which images were taken together."""
    sources, n_test = summary.dataset.sources, summary.dataset.n.get("test", 0)
    if sources is None or not n_test:
        return []
    cut = shared_sources(sources, n_test) or f"no {quoted(sources.name)} is in more than one split"
    share = share_estimate(sources.n_leaking_test, n_test)
    return [measured(f"{LEAKS}, same {sources.name}", limit, share, detail=f"; {cut}")]


def _check_kind(found: DuplicateSummary, limit: Limit, unseen: str) -> Check:
    what = f"{LEAKS}, {found.kind} duplicates"
    if not found.leaking.n:
        return unmeasured(what, limit, "there are no test images")
    have = f"; {count(found.n_leaking)} with a twin in training or validation{unseen}"
    return measured(what, limit, found.leaking, detail=have)


def _too_few_groups(summary: ReportSummary) -> str:
    return f"fewer than two groups have the {count(summary.thresholds.min_test)} test images that count"


def _has_worst_group(side: Side) -> bool:
    return worst_enough_group(side.metrics.test, side.report.thresholds) is not None


def _clearly_below(summary: ReportSummary, test: SplitMetrics, limit: float) -> list[GroupEstimate]:
    """Groups too small to count that miss the limit and are certainly below it or the average.

    What the report calls clearly worse cannot be taken for doubt.
    """
    thin = uncounted_groups(summary.dataset, test, summary.thresholds)
    n_present = sum(group.n > 0 for group in test.groups)
    worse = [group for group in clearly_bad_uncounted(test, summary.thresholds) if group.value < limit]
    return [group for group in thin if group in worse or is_clearly_below(group, limit, n_present)]


def _uncounted(asked: Asked) -> str:
    """How many groups no limit protects, because they are too small to say anything about."""
    test = asked.summary.methods[asked.method].test
    thin = len(uncounted_groups(asked.summary.dataset, test, asked.summary.thresholds))
    if not thin:
        return ""
    do = "does" if thin == 1 else "do"
    of = f"{count(thin)} of {count(len(test.groups))} groups"
    return f"; {of} {has(thin)} too few images and {do} not count"
