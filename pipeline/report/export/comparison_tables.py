"""Tables of gains over the baseline, and of which method is recommended."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.records.evaluation import MethodComparison
from pipeline.records.report import Report
from pipeline.report.export.rows import Row, Table, measured, spread, two_groups

_UNTESTED: Row = {"p_value": None, "p_holm": None}


def comparison_tables(s: Report) -> list[Table]:
    """Every gain, and the choice that validation images make."""
    alone = "Only one method was trained, so there is nothing to compare."
    return [
        Table(
            "comparisons",
            "Gain of a method over the baseline, paired on the same test images. gain is in the group that "
            "the verdict speaks of and allows for picking it and for the number of methods; group_gain "
            "allows for all groups looked at (there it is gain), group_gain_alone for nothing. "
            "worst_group_gain and seed_gain compare the worst group of each, named before → after.",
            [row for c in s.verdict.comparisons for row in _comparison_rows(s, c)],
            alone if len(s.methods) == 1 else "No methods were compared.",
        ),
        Table(
            "recommendation",
            "Which method validation images choose: the lowest group of each there, by how much it lies "
            "behind the leader's, and what it needs; lead is the leader's over the baseline. tied: not shown "
            "to be worse than the leader.",
            list(_recommendation_rows(s)),
            "There is no other method.",
        ),
    ]


def _comparison_rows(s: Report, c: MethodComparison) -> Iterator[Row]:
    def row(measure: str, group: str | None, **rest: object) -> Row:
        who = {"baseline": c.baseline, "method": c.method, "measure": measure, "group": group, "seed": None}
        return {**who, "sufficient": True, **_UNTESTED, **rest}

    yield row("gain", c.group, **spread(c.gain), p_value=c.p_value)
    yield row("average_gain", None, **spread(c.average_gain))
    yield row("worst_group_gain", _worst_of_each(s, c), **spread(c.worst_group_gain))
    for g in c.groups:
        yield row("group_gain", g.name, **spread(g.gain), sufficient=g.sufficient)
        tested = {"sufficient": g.sufficient, "p_value": g.p_value, "p_holm": g.p_holm}
        yield row("group_gain_alone", g.name, **spread(g.alone), **tested)
    seeds = s.methods[c.method].seeds if c.method in s.methods else []
    for i, gain in enumerate(c.per_seed_gain):
        seed = seeds[i] if i < len(seeds) else i
        yield row("seed_gain", _worst_of_each(s, c, i), seed=seed, **spread(None) | {"value": gain})


def _worst_of_each(s: Report, c: MethodComparison, seed: int | None = None) -> str | None:
    """The names of the groups whose accuracies are compared, of all seeds or of one."""
    if c.baseline not in s.methods or c.method not in s.methods:
        return None
    tests = s.methods[c.baseline].test, s.methods[c.method].test
    if seed is None:
        return two_groups(*(test.worst_group.name for test in tests))
    if any(seed >= len(test.per_seed) for test in tests):
        return None
    return two_groups(*(test.groups[test.per_seed[seed].worst_group_index].name for test in tests))


def _recommendation_rows(s: Report) -> Iterator[Row]:
    found = s.verdict.recommendation
    for candidate in found.validation.candidates:
        who: Row = {
            "method": candidate.method,
            "needs": candidate.needs,
            "chosen": candidate.method == found.chosen,
            "tied": candidate.method in found.tied,
            "reason": candidate.why_not or None,
        }
        rows = measured({"worst": candidate.worst, "behind": candidate.behind})
        for row in rows or [{"measure": None, **spread(None)}]:
            named = candidate.worst.name if candidate.worst and row["measure"] == "worst" else None
            yield {**who, "group": named, **row}
    if found.validation.lead is not None:
        yield {
            "method": found.validation.candidates[0].method,
            **measured({"lead": found.validation.lead})[0],
        }
