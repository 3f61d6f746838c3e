"""Expected counts and adjusted residuals of the groups' table, by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipeline.records.data import GroupInfo
from pipeline.statistics.cues.independence import compare_with_independence


def groups(table: list[list[int]]) -> list[GroupInfo]:
    return [
        GroupInfo(name=f"{i}/{j}", label=str(i), attribute=str(j), n_train=n, n_val=0, n_test=0)
        for i, row in enumerate(table)
        for j, n in enumerate(row)
    ]


def test_expected_counts_are_those_of_scipy() -> None:
    table = [[3498, 184, 20], [56, 1057, 90]]
    found = compare_with_independence(groups(table))
    expected = stats.contingency.expected_freq(np.array(table))
    np.testing.assert_allclose(found.expected_G, expected.ravel())


def test_residuals_are_standard_normal_without_association() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.array([300, 700]), np.array([200, 500, 300])
    tables = stats.random_table(rows, columns).rvs(2000, random_state=rng)
    residuals = np.array([compare_with_independence(groups(t.tolist())).residual_G for t in tables])
    assert residuals.mean() == pytest.approx(0, abs=0.02)
    assert residuals.std(axis=0) == pytest.approx(np.ones(6), abs=0.06)


def test_tables_that_leave_no_choice_have_no_residual() -> None:
    assert compare_with_independence(groups([[5, 0]])).residual_G.tolist() == [0, 0]
    assert compare_with_independence(groups([[0, 0], [0, 0]])).residual_G.tolist() == [0, 0, 0, 0]
