"""Two reports side by side, or two methods of one, as typed differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pipeline.core.errors import InputError
from pipeline.core.words import quoted
from pipeline.records.base import Artifact, Estimate, GroupEstimate, Provenance, Record
from pipeline.records.verdict import Rung, RungName, Status
from pipeline.report.compare.matching import match_groups, note_attributes
from pipeline.report.compare.pairing import SAME, find_pairing
from pipeline.report.compare.sides import Side, name_reports, name_sides
from pipeline.report.markdown import plain
from pipeline.statistics.intervals import independent_difference

AVERAGES = ("average", "adjusted_average", "group_mean", "worst_group", "worst_group_corrected")
LABELS = {
    "average": "Average",
    "adjusted_average": "Adjusted average",
    "group_mean": "Mean of groups",
    "worst_group": "Worst group",
    "worst_group_corrected": "Worst group, bias-corrected",
}
Shows = Literal["higher", "lower", "open"]


class SideInfo(Record):
    name: str  # what tells it from the other side
    source: str
    dataset: str
    title: str
    method: str
    seeds: list[int]
    created: str
    params_hash: str


class Difference(Record):
    """A number of both sides and second minus first."""

    name: str  # one of `average`, `adjusted_average`, ..., or a group
    first: Estimate
    second: Estimate
    difference: Estimate
    paired: bool  # over the same images; else the two intervals are combined as if independent
    shows: Shows  # what its interval says: open where that holds 0
    sufficient: bool = True
    first_group: str | None = None  # of a worst group: which one that is on each side
    second_group: str | None = None


class MethodPair(Record):
    """One method of the first report against one of the second, on test images."""

    first: SideInfo
    second: SideInfo
    paired: bool
    pairing: str  # why it is paired or not, in words
    overall: list[Difference]
    groups: list[Difference]  # of both, in the first report's order
    only_first: list[str]  # groups without a partner: none of this label and attribute value
    only_second: list[str]

    @property
    def worst(self) -> Difference:
        return next(row for row in self.overall if row.name == "worst_group")


class RungChange(Record):
    rung: RungName
    question: str
    first: Status
    second: Status


class Comparison(Artifact):
    """What `python -m pipeline compare` finds."""

    first: str  # what tells the two apart
    second: str
    pairs: list[MethodPair]
    n_rungs: int  # of the ladder, that both have
    changed_rungs: list[RungChange]
    asked_of: Literal["methods", "baselines"]  # whose answers these are


def compare_reports(pairs: Sequence[tuple[Side, Side]], provenance: Provenance) -> Comparison:
    """Every pair of methods, and the questions of the ladder whose answer changed.

    Of two methods these are the questions that are asked of each, of two reports all five.

    Raises:
        InputError: two sides have no group in common.
    """
    first, second = pairs[0]
    of_methods = first.method != second.method
    before, after = (_answers(side, of_methods=of_methods) for side in (first, second))
    return Comparison(
        provenance=provenance,
        first=(name_sides if of_methods else name_reports)(first, second)[0],
        second=(name_sides if of_methods else name_reports)(first, second)[1],
        pairs=[compare_sides(*pair) for pair in pairs],
        n_rungs=len(before),
        changed_rungs=[
            RungChange(rung=name, question=rung.question, first=rung.status, second=after[name].status)
            for name, rung in before.items()
            if rung.status != after[name].status
        ],
        asked_of="methods" if of_methods else "baselines",
    )


def _answers(side: Side, *, of_methods: bool) -> dict[RungName, Rung]:
    if of_methods:
        return {"used": side.verdict.used, "harmful": side.verdict.harmful}
    return {rung.rung: rung for rung in side.report.verdict.rungs}


def _listed(names: Sequence[str]) -> str:
    """The first names, short and without characters that a terminal or a log would act on."""
    shown = ", ".join(quoted(plain(name), 40) for name in names[:4])
    return shown + ("..." if len(names) > 4 else "")


def compare_sides(first: Side, second: Side) -> MethodPair:
    """Averages, worst group and every common group: second minus first.

    Raises:
        InputError: no group in common.
    """
    matched, names = match_groups(first, second), name_sides(first, second)
    if not matched.groups:
        raise InputError(
            f"{first.source} ({first.report.dataset.name}) and {second.source} "
            f"({second.report.dataset.name}) have no group in common, so there is nothing to compare: "
            f"groups are {_listed(matched.only_first)} and {_listed(matched.only_second)}. Compare reports "
            "of one dataset, or of datasets whose classes and attribute values have the same names."
        )
    found = find_pairing(first, second)
    notes = [found.words, note_attributes(names, first, second), *_unaskable(names, first, second)]
    return MethodPair(
        first=_describe(first, names[0]),
        second=_describe(second, names[1]),
        paired=bool(found.groups),
        pairing=" ".join(filter(None, notes)),
        overall=[
            _row(name, (a, b), found.overall.get(name))
            for name in AVERAGES
            if (a := getattr(first.metrics.test, name)) and (b := getattr(second.metrics.test, name))
        ],
        groups=[_row(g.name, (g.first, g.second), found.groups.get(g.first.index)) for g in matched.groups],
        only_first=matched.only_first,
        only_second=matched.only_second,
    )


def _row(name: str, both: tuple[Estimate, Estimate], paired: Estimate | None) -> Difference:
    """Paired where that is possible and is about the same numbers, else Newcombe's interval.

    The intervals of groups allow for all of them having been looked at, so that of a difference does, too:
    it alone says what is clear, and nobody reads another answer beside it.
    """
    first, second = both
    value = second.value - first.value
    found = paired if paired is not None and abs(paired.value - value) < SAME else None
    difference = found or independent_difference(second, first)
    enough = all(e.sufficient for e in both if isinstance(e, GroupEstimate))
    clear = difference.low > 0 or difference.high < 0
    return Difference(
        name=name,
        first=first,
        second=second,
        difference=difference,
        paired=found is not None,
        shows="open" if not (clear and enough and difference.n) else "higher" if value > 0 else "lower",
        sufficient=enough,
        first_group=_which_worst(name, first),
        second_group=_which_worst(name, second),
    )


def _which_worst(name: str, estimate: Estimate) -> str | None:
    return estimate.name if name == "worst_group" and isinstance(estimate, GroupEstimate) else None


def _unaskable(names: tuple[str, str], *sides: Side) -> Iterator[str]:
    """What is said of a side whose model is no better than a constant."""
    for name, side in zip(names, sides, strict=True):
        reason = side.verdict.not_asked
        if reason is not None:
            yield f"Of {name}: {reason[0].lower()}{reason[1:]}"


def _describe(side: Side, name: str) -> SideInfo:
    made = side.report.provenance
    return SideInfo(
        name=name,
        source=side.source,
        dataset=side.report.dataset.name,
        title=side.report.dataset.title,
        method=side.method,
        seeds=side.metrics.seeds,
        created=made.created,
        params_hash=made.params_hash,
    )
