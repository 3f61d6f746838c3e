"""Groups with too few test images to count: never silent, and named where they are clearly bad."""

from __future__ import annotations

from pipeline.core.words import count, has, quoted
from pipeline.records.base import GroupEstimate
from pipeline.records.evaluation import SplitMetrics
from pipeline.records.verdict import Thresholds
from pipeline.statistics.accuracy.worst_group import is_clearly_below
from pipeline.verdict.evidence.rules import GroupedData, printed
from pipeline.verdict.phrases import accuracy_brief, name_groups


def uncounted_groups(info: GroupedData, test: SplitMetrics, limits: Thresholds) -> list[GroupEstimate]:
    """Groups that have images anywhere, but too few for testing; the lowest accuracy first."""
    sizes = zip(info.groups, test.groups, strict=True)
    thin = [
        group for size, group in sizes if (size.n_train or size.n_val or size.n_test) and not group.sufficient
    ]
    return sorted(thin, key=lambda group: (not group.n, group.value))


def clearly_worse(test: SplitMetrics, limits: Thresholds) -> list[GroupEstimate]:
    """Groups of any size below the average by the size that matters and by more than chance, lowest first."""
    n_present = sum(group.n > 0 for group in test.groups)
    found = [
        group
        for group in test.groups
        if group.n
        and test.average.value - group.value >= limits.min_effect
        and is_clearly_below(group, test.average.value, n_present, alpha=limits.alpha)
    ]
    return sorted(found, key=lambda group: group.value)


def worse_clause(test: SplitMetrics, limits: Thresholds, named: int | None = None) -> str:
    """The end of a sentence: every other group that is clearly worse, the lowest one by name; or empty.

    Those with too few images to count are named apart, since no verdict rests on them.

    Args:
        named: a group that the sentence has named already.
    """
    worse = [printed(g, test, limits) for g in clearly_worse(test, limits) if g.index != named]
    counted, small = ([g for g in worse if g.sufficient is enough] for enough in (True, False))
    clause = ""
    if counted:
        others = f" and {count(len(counted) - 1)} other{'s' * (len(counted) > 2)}" if len(counted) > 1 else ""
        lowest = f"{quoted(counted[0].name)} with {accuracy_brief(counted[0])}{others}"
        also = ", too" if named is not None else ""
        clause = f"; {lowest} {'is' if len(counted) == 1 else 'are'} clearly worse{also}"
    if small:
        verb = "is" if len(small) == 1 else "are"
        clause += f"; {name_groups(small)} {verb} clearly worse, with too few images to count"
    return clause


def uncounted_clause(info: GroupedData, test: SplitMetrics, limits: Thresholds) -> str:
    """The end of a sentence that says of how many groups nothing is said; empty where of all."""
    n_thin = len(uncounted_groups(info, test, limits))
    if not n_thin:
        return ""
    return (
        f"; {count(n_thin)} of {count(len(test.groups))} groups {has(n_thin)} fewer than "
        f"{count(limits.min_test)} test images, too few to decide"
    )
