"""Two reports side by side, or two methods of one, as typed differences and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.core.errors import InputError
from pipeline.core.words import quoted
from pipeline.records.base import Artifact, Estimate, GroupEstimate, Provenance, Record
from pipeline.records.verdict import RungName, Status
from pipeline.report.compare.pairing import SAME, PairedGain, find_pairing, group_key
from pipeline.report.compare.sides import Side
from pipeline.report.markdown import plain
from pipeline.report.page.html import load_template
from pipeline.statistics.intervals import independent_difference

AVERAGES = ("average", "adjusted_average", "group_mean", "worst_group", "worst_group_corrected")
LABELS = {
    "average": "Average",
    "adjusted_average": "Adjusted average",
    "group_mean": "Mean of groups",
    "worst_group": "Worst group",
    "worst_group_corrected": "Worst group, bias-corrected",
}


class SideInfo(Record):
    source: str
    dataset: str
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
    p_value: float | None = None  # paired only
    p_holm: float | None = None  # corrected over the groups with enough images
    sufficient: bool = True


class MethodPair(Record):
    """One method of the first report against one of the second, on test images."""

    first: SideInfo
    second: SideInfo
    paired: bool
    pairing: str  # why it is paired or not, in words
    overall: list[Difference]
    groups: list[Difference]  # of both, in the first report's order
    only_first: list[str]
    only_second: list[str]


class RungChange(Record):
    rung: RungName
    first: Status
    second: Status


class Comparison(Artifact):
    """What `python -m pipeline compare` finds."""

    pairs: list[MethodPair]
    n_rungs: int  # of the ladder, that both reports have
    changed_rungs: list[RungChange]  # of the two reports' own baselines


def compare_reports(pairs: Sequence[tuple[Side, Side]], provenance: Provenance) -> Comparison:
    """Every pair of methods, and the rungs of the ladder whose answer changed.

    Raises:
        InputError: two sides have no group in common.
    """
    first, second = pairs[0][0].report, pairs[0][1].report
    before = {rung.rung: rung.status for rung in first.verdict.rungs}
    after = {rung.rung: rung.status for rung in second.verdict.rungs}
    shared = [name for name in before if name in after]
    return Comparison(
        provenance=provenance,
        pairs=[compare_sides(*pair) for pair in pairs],
        n_rungs=len(shared),
        changed_rungs=[
            RungChange(rung=name, first=before[name], second=after[name])
            for name in shared
            if before[name] != after[name]
        ],
    )


def _listed(names: Sequence[str]) -> str:
    """The first names, short and without characters that a terminal or a log would act on."""
    shown = ", ".join(quoted(plain(name), 40) for name in names[:4])
    return shown + ("..." if len(names) > 4 else "")


def compare_sides(first: Side, second: Side) -> MethodPair:
    """Averages, worst group and every common group: second minus first.

    Raises:
        InputError: no group in common.
    """
    theirs = {group.name: group for group in second.metrics.test.groups}
    ours = first.metrics.test.groups
    names = [group.name for group in ours]
    common = [(group, theirs[group.name]) for group in ours if group.name in theirs]
    if not common:
        raise InputError(
            f"{first.source} ({first.report.dataset.name}) and {second.source} "
            f"({second.report.dataset.name}) have no group in common, so there is nothing to compare: "
            f"groups are {_listed(names)} and {_listed(list(theirs))}. Compare reports "
            "of one dataset, or of datasets whose classes and attribute values have the same names."
        )
    found = find_pairing(first, second)
    return MethodPair(
        first=_describe(first),
        second=_describe(second),
        paired=bool(found.rows),
        pairing=" ".join([found.words, *_unaskable(first, second)]),
        overall=[
            _row(name, (a, b), found.rows.get(name))
            for name in AVERAGES
            if (a := getattr(first.metrics.test, name)) and (b := getattr(second.metrics.test, name))
        ],
        groups=[_row(a.name, (a, b), found.rows.get(group_key(a.name))) for a, b in common],
        only_first=[name for name in names if name not in theirs],
        only_second=[name for name in theirs if name not in names],
    )


def _row(name: str, both: tuple[Estimate, Estimate], paired: PairedGain | None) -> Difference:
    """Paired where that is possible and is about the same numbers, else Newcombe's interval."""
    first, second = both
    value = second.value - first.value
    found = paired if paired is not None and abs(paired.gain.value - value) < SAME else None
    return Difference(
        name=name,
        first=first,
        second=second,
        difference=found.gain if found else independent_difference(second, first),
        paired=found is not None,
        p_value=found.p_value if found else None,
        p_holm=found.p_holm if found else None,
        sufficient=all(e.sufficient for e in both if isinstance(e, GroupEstimate)),
    )


def _unaskable(*sides: Side) -> Iterator[str]:
    """What is said of a side whose model is no better than a constant."""
    for which, side in zip(("first", "second"), sides, strict=True):
        reason = side.report.verdict.methods[side.method].not_asked
        if reason is not None:
            yield f"Of the {which}: {reason[0].lower()}{reason[1:]}"


def _describe(side: Side) -> SideInfo:
    return SideInfo(
        source=side.source,
        dataset=side.report.dataset.name,
        method=side.method,
        seeds=side.metrics.seeds,
        created=side.report.provenance.created,
        params_hash=side.report.provenance.params_hash,
    )


def render_comparison(comparison: Comparison) -> str:
    """One self-contained HTML page."""
    page: str = load_template("compare.html.j2").render(c=comparison, labels=LABELS)
    return page
