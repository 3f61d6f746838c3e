"""Every group that is clearly served worse is named: none, one, two or many of them."""

from __future__ import annotations

import pytest

from pipeline.records.verdict import Verdict
from pipeline.statistics.accuracy.groups import split_metrics
from pipeline.verdict.evidence.small_groups import clearly_worse, worse_clause
from tests.fixtures.planted.outcomes import measured
from tests.fixtures.report import LIMITS, build_verdict, photo_birds, replant


def audited(*erm: float) -> Verdict:
    return build_verdict(replant(photo_birds(), test=(400,) * 4, erm=erm))


def test_two_failing_groups_are_both_named_and_a_single_one_alone() -> None:
    verdict = audited(0.97, 0.55, 0.50, 0.97)
    names = [group.name for group in verdict.methods["erm"].groups]
    assert verdict.methods["erm"].clearly_worse == [2, 1]
    for text in (verdict.headline, verdict.rungs[2].evidence):
        assert f"“{names[1]}” with 55.0%" in text
        assert "is clearly worse, too" in text
        assert f"“{names[2]}”" in text
    single = audited(0.97, 0.92, 0.50, 0.97)
    assert single.methods["erm"].clearly_worse == [2]
    assert "clearly worse, too" not in single.headline + single.rungs[2].evidence


def test_where_no_group_is_worse_none_is_named() -> None:
    verdict = audited(0.92, 0.91, 0.92, 0.91)
    assert verdict.methods["erm"].clearly_worse == []
    assert "clearly worse, too" not in verdict.headline + verdict.rungs[2].evidence


@pytest.mark.parametrize(
    ("n_bad", "end"), [(1, "is clearly"), (2, "and 1 other are"), (8, "and 7 others are")]
)
def test_many_failing_groups_are_counted(n_bad: int, end: str) -> None:
    table = (0.5,) * n_bad + (0.9,) * (60 - n_bad)
    names = tuple(f"g{i}" for i in range(60))
    test = measured(table, (200,) * 60, names, (100,) * 60, 100)
    assert len(clearly_worse(test, LIMITS)) == n_bad
    clause = worse_clause(test, LIMITS)
    assert clause.startswith("; “g0” with 50.0%")
    assert end in clause


def test_a_null_of_many_groups_names_nobody() -> None:
    import numpy as np

    rng, groups_N = np.random.default_rng(0), np.repeat(np.arange(60), 40)
    found = []
    for _ in range(20):
        test = split_metrics(
            rng.random((3, len(groups_N))) < 0.8,
            groups_N,
            group_names=[str(g) for g in range(60)],
            n_train=[100] * 60,
            seeds=range(3),
            min_images=30,
        )
        found.append(bool(clearly_worse(test, LIMITS)))
    assert sum(found) <= 2
