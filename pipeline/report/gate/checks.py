"""Each number that a gate can ask for: where the report holds it, and when there is too little of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pipeline.core.words import count, has, join_names, quoted
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.evaluation import SplitMetrics
from pipeline.records.hygiene import DuplicateSummary
from pipeline.records.report import Report
from pipeline.records.verdict import FoundCueUse, MethodVerdict
from pipeline.report.compare.sides import Side
from pipeline.report.gate.generalization import INDICATORS, check_indicator
from pipeline.report.gate.limits import Check, Key, Limit, measured, unmeasured
from pipeline.verdict.phrases import intervention_label, name_groups, shared_sources

WORST, AVERAGE, GAP = "worst group", "average", "average minus worst group"
SHIFT = "shift of predictions towards the donor's class"
DROP, LEAKS = "fall of the worst group", "leaking test images"
UNCOUNTED = "groups too small to count"
UNCOUNTED_NAMED = 6
_ONLY_SMALL = "only groups with too few test images to count lie below the average"


class Asked(NamedTuple):
    """What one check is about."""

    report: Report
    method: str
    limit: Limit
    earlier: tuple[Side, Side] | None  # the earlier report's method and this one's

    @property
    def test(self) -> SplitMetrics:
        return self.report.methods[self.method].test

    @property
    def verdict(self) -> MethodVerdict:
        return self.report.verdict.methods[self.method]


def check_worst_group(asked: Asked) -> Check:
    worst = asked.verdict.worst
    if worst is None:
        return unmeasured(WORST, asked.limit, _too_few_groups(asked.report), method=asked.method)
    below = _clearly_below(asked)
    if below:
        check = measured(WORST, asked.limit, below[0], method=asked.method)
        reason = f"clearly below it or the average: {name_groups(below)}, although too few to count"
        return check.model_copy(update={"passed": False, "reason": reason})
    detail = f"; it is {quoted(worst.name)}{_uncounted(asked)}"
    return measured(WORST, asked.limit, worst, method=asked.method, detail=detail)


def check_uncounted(report: Report, method: str) -> list[Check]:
    """Fails while groups are too small to count: a limit that does not see them does not protect them."""
    verdict, groups = report.verdict.methods[method], report.verdict.methods[method].groups
    thin = [groups[i] for i in verdict.uncounted]
    if not thin:
        return []
    bad = [groups[i] for i in verdict.clearly_bad_uncounted]
    worse = f". Clearly worse than the average: {name_groups(bad)}" if bad else ""
    named = join_names([f"{quoted(group.name)} (n = {count(group.n)})" for group in thin[:UNCOUNTED_NAMED]])
    more = f" and {count(len(thin) - UNCOUNTED_NAMED)} more" if len(thin) > UNCOUNTED_NAMED else ""
    reason = (
        f"{count(len(thin))} of {count(len(groups))} groups {has(len(thin))} fewer than "
        f"{count(report.verdict.thresholds.min_test)} test images and no limit protects them: "
        f"{named}{more}{worse}. "
        "Gather test images, or accept that with --allow-uncounted or gate.allow_uncounted: true"
    )
    return [Check(method=method, what=UNCOUNTED, passed=False, unit="answer", asked="none", reason=reason)]


def check_average(asked: Asked) -> Check:
    average = asked.test.average
    if average.n < asked.report.verdict.thresholds.min_test:
        why = f"there are {count(average.n)} test images"
        return unmeasured(AVERAGE, asked.limit, why, method=asked.method)
    reason = asked.verdict.no_better
    if reason is not None:
        return unmeasured(AVERAGE, asked.limit, reason, method=asked.method)
    return measured(AVERAGE, asked.limit, average, method=asked.method)


def check_gap(asked: Asked) -> Check:
    gap, why = asked.test.gap, asked.verdict.no_better
    if asked.verdict.worst is None:
        why = _too_few_groups(asked.report)
    elif not asked.test.worst_group.sufficient:
        why = _ONLY_SMALL
    elif why is None and gap is None:
        why = "seeds disagree too much to say how far the worst group is below the average"
    if why is not None or gap is None:
        return unmeasured(GAP, asked.limit, why or "", method=asked.method, unit="difference")
    detail = f"; corrected for having picked the worst{_uncounted(asked)}"
    return measured(GAP, asked.limit, gap, method=asked.method, unit="difference", detail=detail)


def check_shift(asked: Asked) -> Check:
    """What rung 2 reads, with its interval: how far an exchange of the cue shifts predictions, either way."""
    verdict, shift = asked.verdict, asked.verdict.shift
    found = _found_cue(verdict)
    why = verdict.not_asked
    if why is not None:
        why = why[0].lower() + why[1:].rstrip(".")
    elif shift is None and found is None:
        why = verdict.no_shift.rstrip(".")
    elif found is None and shift and shift.n_images < asked.report.verdict.thresholds.min_test:
        why = f"{count(shift.n_images)} images were changed"
    size = found.shift if found else verdict.used.estimate
    if size is None and shift is not None:
        size = shift.size
    if why is not None or size is None:
        return unmeasured(SHIFT, asked.limit, why or "", method=asked.method, unit="difference")
    what = f"exchanging {quoted(found.title)}" if found else ""
    if not found and shift:
        change = intervention_label(shift.exchange)
        what = f"{change[0].lower()}{change[1:]}"
    is_against = _is_worse_below(size, asked.limit)
    way = "against the cue, away from" if is_against else "towards"
    detail = f"; shifted {way} the donor's class by {what}, beyond the same that keeps the cue"
    turned = -size if is_against else size
    return measured(SHIFT, asked.limit, turned, method=asked.method, unit="difference", detail=detail)


def _found_cue(verdict: MethodVerdict) -> FoundCueUse | None:
    """The cue that nobody annotated, where rung 2 is about one."""
    told = [cue for cue in verdict.found_cues if cue.is_shortcut and cue.shift == verdict.used.estimate]
    return told[0] if told and verdict.used.status == "yes" else None


def _is_worse_below(size: Estimate, limit: Limit) -> bool:
    """Whether what decides, the number or the end further from 0, lies away from the donor's class."""
    return (size.value if limit.use == "estimate" else size.low + size.high) < 0


def check_drop(asked: Asked) -> Check:
    """How far the worst group fell since the earlier report, on the same images where that is possible."""
    from pipeline.report.compare.reports import compare_sides  # statistics load late: few gates ask this

    _, method, limit, earlier = asked
    if earlier is None:
        return unmeasured(DROP, limit, "there is no earlier report", method=method, unit="difference")
    thin = next((side for side in earlier if side.report.verdict.methods[side.method].worst is None), None)
    if thin is not None:
        why = f"{_too_few_groups(thin.report)} in {thin.source}"
        return unmeasured(DROP, limit, why, method=method, unit="difference")
    small = next((side for side in earlier if not side.metrics.test.worst_group.sufficient), None)
    if small is not None:
        why = f"{_ONLY_SMALL}, in {small.source}"
        return unmeasured(DROP, limit, why, method=method, unit="difference")
    pair = compare_sides(*earlier)
    row = next(row for row in pair.overall if row.name == "worst_group")
    how = "not paired" if pair.paired else pair.pairing
    detail = "; paired over images" if row.paired else f"; {how[0].lower()}{how[1:]}"
    return measured(DROP, limit, -row.difference, method=method, unit="difference", detail=detail)


def _check_indicator(key: Key, asked: Asked) -> Check:
    return check_indicator(asked.report, asked.method, asked.limit, key)


OF_METHODS: dict[Key, tuple[str, Callable[[Asked], Check]]] = {
    "min_worst_group": (WORST, check_worst_group),
    "min_average": (AVERAGE, check_average),
    "max_gap": (GAP, check_gap),
    "max_flip_rate": (SHIFT, check_shift),
    "max_drop": (DROP, check_drop),
    **{key: (asked.what, partial(_check_indicator, key)) for key, asked in INDICATORS.items()},
}


def check_leaking(report: Report, limit: Limit) -> list[Check]:
    """Cut scenes or patients, exact and near duplicates, each on its own: an image may have twins of all."""
    cut = _check_sources(report, limit)
    if report.hygiene is None or not report.hygiene.duplicates:
        return [*cut, unmeasured(LEAKS, limit, "duplicates were not looked for")]
    found = report.hygiene.duplicates
    unseen = "" if any(kind.kind == "near" for kind in found) else "; near duplicates were not looked for"
    return [*cut, *(_check_kind(kind, limit, unseen) for kind in found)]


def _check_sources(report: Report, limit: Limit) -> list[Check]:
    """Nothing where the data do not say which images were taken together."""
    sources, share = report.dataset.sources, report.verdict.leaking_sources
    if sources is None or share is None:
        return []
    cut = shared_sources(sources, share.n) or f"no {quoted(sources.name)} is in more than one split"
    return [measured(f"{LEAKS}, same {sources.name}", limit, share, detail=f"; {cut}")]


def _check_kind(found: DuplicateSummary, limit: Limit, unseen: str) -> Check:
    what = f"{LEAKS}, {found.kind} duplicates"
    if not found.leaking.n:
        return unmeasured(what, limit, "there are no test images")
    have = f"; {count(found.n_leaking)} with a twin in training or validation{unseen}"
    return measured(what, limit, found.leaking, detail=have)


def _too_few_groups(report: Report) -> str:
    least = count(report.verdict.thresholds.min_test)
    return f"fewer than two groups have the {least} test images that count"


def _clearly_below(asked: Asked) -> list[GroupEstimate]:
    """Groups too small to count that miss the limit and are certainly below it or the average.

    What the report calls clearly worse cannot be taken for doubt.
    """
    verdict, groups, limit = asked.verdict, asked.verdict.groups, asked.limit.threshold
    worse = [i for i in verdict.clearly_bad_uncounted if groups[i].value < limit]
    return [groups[i] for i in verdict.uncounted if i in worse or verdict.below[i] < limit]


def _uncounted(asked: Asked) -> str:
    """How many groups no limit protects, because they are too small to say anything about."""
    thin = len(asked.verdict.uncounted)
    if not thin:
        return ""
    do = "does" if thin == 1 else "do"
    of = f"{count(thin)} of {count(len(asked.test.groups))} groups"
    return f"; {of} {has(thin)} too few images and {do} not count"
