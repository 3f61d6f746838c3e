"""What a comparison says, once for the page, the terminal and Markdown."""

from __future__ import annotations

from pipeline.core.words import count, join_names, points
from pipeline.report.compare.reports import Comparison, Difference, MethodPair
from pipeline.verdict.phrases import method_label, points_interval

INTERVALS = (
    "Intervals are 95%: a group's allows for any of the groups having been picked, a worst group's for "
    "having picked the worst. A change is clear where its interval leaves out 0."
)


def title(comparison: Comparison) -> str:
    """ "Group DRO against ERM"."""
    return f"{comparison.second} against {comparison.first}"


def heading(pair: MethodPair) -> str:
    """The method of both, or both methods."""
    return " and ".join(dict.fromkeys(method_label(side.method) for side in (pair.first, pair.second)))


def finding(pair: MethodPair) -> str:
    """What became of the worst group and of all groups, in one sentence."""
    return f"{_worst(pair)}{_groups(pair)}."


def verdict_sentence(comparison: Comparison) -> str:
    """How many answers changed, and whose they are."""
    of, n = comparison.n_rungs, len(comparison.changed_rungs)
    changed = f"{n} of {of} answers changed" if n else f"the same {of} answers"
    asked = {
        "methods": "asked of each of the two methods",
        "baselines": "a verdict is about its report's baseline, whatever is compared",
    }[comparison.asked_of]
    return f"{changed}; {asked}."


def which_group(row: Difference) -> str:
    """Which group a worst group is, or was and is; empty of other rows."""
    return " → ".join(dict.fromkeys(filter(None, [row.first_group, row.second_group])))


def _worst(pair: MethodPair) -> str:
    worst = pair.worst
    if not worst.sufficient:
        return "Too few images to say what became of the worst group"
    if worst.difference.value == 0:
        return "The worst group is as good in both"
    if worst.shows == "open":
        gain = f"{points(worst.difference.value)} points {points_interval(worst.difference)}"
        return f"No clear change of the worst group, {gain}"
    size = points(abs(worst.difference.value)).lstrip("+")
    within = "in" if pair.first.method == pair.second.method else "with"
    names = f"{within} {pair.second.name} than {within} {pair.first.name}"
    return f"The worst group is {size} points {worst.shows} {names}"


def _groups(pair: MethodPair) -> str:
    """How many groups clearly gained, and how many lost."""
    told = [row for row in pair.groups if row.sufficient]
    if not told:
        return ""
    n_higher, n_lower = (sum(row.shows == way for row in told) for way in ("higher", "lower"))
    ways = [f"{count(n)} clearly {way}" for n, way in ((n_higher, "better"), (n_lower, "worse")) if n]
    return f"; of {count(len(told))} groups, {join_names(ways) or 'none is clearly better or worse'}"
