"""Which images a retraining sees."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.records.retraining import Training
from pipeline.statistics.retrained.log_odds import label_log_odds
from pipeline.statistics.retrained.subsets import removed_rows, subset_members, subset_rows, training_rows

GROUPS = np.array([0] * 10 + [1] * 4 + [2] * 6)


def make(kind: str, **parts: object) -> Training:
    return Training.model_validate({"kind": kind, "repeat": 0, "seed": 0, "n_images": 0} | parts)


def test_subsets_are_random_shares_that_depend_on_seed_and_index_alone() -> None:
    first = subset_rows(1000, 0.3, seed=5, index=2)
    assert len(set(first.tolist())) == 300
    assert first.min() >= 0
    assert first.max() < 1000
    assert (np.diff(first) > 0).all()
    np.testing.assert_array_equal(first, subset_rows(1000, 0.3, seed=5, index=2))
    for other in (subset_rows(1000, 0.3, seed=5, index=3), subset_rows(1000, 0.3, seed=6, index=2)):
        assert 60 < len(np.intersect1d(first, other)) < 120  # 90 by chance
    members_MN = subset_members(1000, 0.3, seed=5, indices=[2, 7])
    np.testing.assert_array_equal(np.flatnonzero(members_MN[0]), first)
    # every image is in its share of subsets
    shares_N = subset_members(50, 0.3, seed=0, indices=range(2000)).mean(axis=0)
    np.testing.assert_allclose(shares_N, 0.3, atol=0.05)


def test_thinning_takes_from_one_group_and_nests() -> None:
    gone = {kept: set(removed_rows(GROUPS, 2, kept, seed=1).tolist()) for kept in (0.0, 0.5, 0.9)}
    assert {kept: len(rows) for kept, rows in gone.items()} == {0.0: 6, 0.5: 3, 0.9: 1}
    assert gone[0.9] < gone[0.5] < gone[0.0] == set(range(14, 20))
    rows = training_rows(make("thinned", group=2, kept=0.5), GROUPS, share=0.5, seed=1)
    assert set(rows.tolist()) == set(range(20)) - gone[0.5]


def test_rows_of_every_kind() -> None:
    everything = training_rows(make("all"), GROUPS, share=0.5, seed=1)
    np.testing.assert_array_equal(everything, np.arange(20))
    subset = training_rows(make("subset", index=4), GROUPS, share=0.5, seed=1)
    np.testing.assert_array_equal(subset, subset_rows(20, 0.5, seed=1, index=4))


def test_margins_are_log_odds_and_survive_sure_models() -> None:
    logits = np.array([[2.0, 0.0, -1.0], [200.0, 0.0, 0.0]], np.float32)
    p = np.exp(logits[0]) / np.exp(logits[0]).sum()
    margins = label_log_odds(logits, np.array([0, 0]))
    assert margins[0] == pytest.approx(np.log(p[0] / (1 - p[0])), rel=1e-5)
    assert margins[1] == pytest.approx(200 - np.log(2), rel=1e-6)
    assert label_log_odds(logits, np.array([1, 1]))[1] == pytest.approx(-200, rel=1e-5)
    assert logits[0, 0] == 2.0, "the argument stays as it is"
