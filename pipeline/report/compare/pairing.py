"""Whether two results are of the same test images, and what a paired comparison then finds.

Shape legend: S seeds, N images.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.records.base import Estimate
from pipeline.records.evaluation import GroupComparison
from pipeline.report.compare.sides import Scored, Side
from pipeline.statistics.accuracy.worst_group import worst_of
from pipeline.statistics.comparison.compare import Contender, Target, compare_methods

SAME = 1e-6  # accuracies closer than this are the same number


@dataclass(frozen=True)
class Pairing:
    """Second minus first on the same images; empty with the reason why.

    Overall (`average`, `worst_group`) and by group index.
    """

    words: str
    overall: dict[str, Estimate] = field(default_factory=dict)
    groups: dict[int, Estimate] = field(default_factory=dict)


def find_pairing(first: Side, second: Side) -> Pairing:
    """From what the report itself stored, so that both say the same, else from predictions, else none."""
    stored = next(
        (
            c
            for c in first.report.verdict.comparisons
            if (c.baseline, c.method) == (first.method, second.method) and first.report == second.report
        ),
        None,
    )
    if stored is not None and stored.groups:
        return Pairing(
            "Paired, as stored in the report: both were scored on the same test images.",
            {"average": stored.average_gain, "worst_group": stored.worst_group_gain},
            _by_index(stored.groups),
        )
    obstacle = _obstacle(first, second)
    if first.scored is not None and second.scored is not None and not obstacle:
        return _from_predictions(first, second, first.scored, second.scored)
    return Pairing(f"Unpaired: {obstacle} A paired comparison would say more.")


def _obstacle(first: Side, second: Side) -> str:
    """Why the two cannot be paired, as a sentence; empty if they can."""
    for side in (first, second):
        where = f"evaluation/{side.report.dataset.name}/{side.method}/predictions.parquet"
        if side.scored is None:
            return f"{side.source} has no {where} beside its reports folder."
        measured = float(side.scored.correct_SN.mean())
        if side.scored.seeds != side.metrics.seeds or abs(measured - side.metrics.test.average.value) > SAME:
            return f"{where} of {side.source} is of another run than the report."
    a, b = first.report.dataset, second.report.dataset
    named = [
        [s.report.verdict.titles.name_group(g) for g in s.report.dataset.groups] for s in (first, second)
    ]
    if (a.name, a.n, a.source_info) != (b.name, b.n, b.source_info) or named[0] != named[1]:
        return "the reports are of different data."
    assert first.scored is not None
    assert second.scored is not None
    for ours, theirs in (
        (first.scored.ids_N, second.scored.ids_N),
        (first.scored.labels_N, second.scored.labels_N),
        (first.scored.groups_N, second.scored.groups_N),
    ):
        if not np.array_equal(ours, theirs):
            return "the two were scored on different test images."
    if len(first.scored.seeds) != len(second.scored.seeds):
        return f"there are {len(first.scored.seeds)} and {len(second.scored.seeds)} seeds."
    return ""


def _from_predictions(first: Side, second: Side, before: Scored, after: Scored) -> Pairing:
    names = [group.name for group in first.report.dataset.groups]
    tests = first.metrics.test, second.metrics.test
    found = compare_methods(
        Contender(first.method, before.correct_SN, worst_of(tests[0])),
        Contender(second.method, after.correct_SN, worst_of(tests[1])),
        before.groups_N,
        names,
        target=Target(tests[0].worst_group.index, len(tests[0].considered)),
        seed=0,
        sufficient=[
            a.sufficient and b.sufficient for a, b in zip(tests[0].groups, tests[1].groups, strict=True)
        ],
        sources_N=before.sources_N,
    )
    return Pairing(
        "Paired: both were scored on the same test images.",
        {"average": found.average_gain, "worst_group": found.worst_group_gain},
        _by_index(found.groups),
    )


def _by_index(groups: list[GroupComparison]) -> dict[int, Estimate]:
    return {g.index: g.gain for g in groups if g.gain.n}
