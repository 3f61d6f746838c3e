"""Groups with too few test images to count: never silent, and named where they are clearly bad."""

from __future__ import annotations

from pipeline.core.words import count, has
from pipeline.records.base import GroupEstimate
from pipeline.records.evaluation import SplitMetrics
from pipeline.records.verdict import Thresholds
from pipeline.statistics.accuracy.worst_group import is_clearly_below
from pipeline.verdict.evidence.rules import GroupedData
from pipeline.verdict.phrases import name_groups


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


def clearly_bad_uncounted(test: SplitMetrics, limits: Thresholds) -> list[GroupEstimate]:
    """Those of them that have too few images to count."""
    return [group for group in clearly_worse(test, limits) if not group.sufficient]


def bad_clause(test: SplitMetrics, limits: Thresholds, named: int | None = None) -> str:
    """The end of a sentence that names small groups which are clearly worse; empty where none is.

    `named` is a group that the sentence has named already.
    """
    bad = [group for group in clearly_bad_uncounted(test, limits) if group.index != named]
    if not bad:
        return ""
    verb = "is" if len(bad) == 1 else "are"
    return f"; {name_groups(bad)} {verb} clearly worse, with too few images to count"


def uncounted_clause(info: GroupedData, test: SplitMetrics, limits: Thresholds) -> str:
    """The end of a sentence that says of how many groups nothing is said; empty where of all."""
    n_thin = len(uncounted_groups(info, test, limits))
    if not n_thin:
        return ""
    return (
        f"; {count(n_thin)} of {count(len(test.groups))} groups {has(n_thin)} fewer than "
        f"{count(limits.min_test)} test images, too few to decide"
    )
