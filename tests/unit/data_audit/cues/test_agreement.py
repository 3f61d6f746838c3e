"""Chance agreement against shuffles, marks of classes against counts."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.statistics.cues.agreement import chance_p, channel_bits, count_tables, marked_share


@pytest.mark.parametrize(
    ("shares", "skill"), [((0.5, 0.5), 0.08), ((0.8, 0.2), 0.1), ((0.3, 0.3, 0.4), 0.06)]
)
def test_the_tail_is_that_of_shuffled_labels(shares: tuple[float, ...], skill: float) -> None:
    rng = np.random.default_rng(0)
    labels_N = rng.choice(len(shares), 400, p=shares)
    predicted_N = np.where(rng.random(400) < skill, labels_N, rng.integers(0, len(shares), 400))
    blocks_N = np.arange(400) % 2
    found = chance_p(count_tables(predicted_N, labels_N, blocks_N, len(shares)))

    def balanced(targets_N: np.typing.NDArray[np.int64]) -> float:
        return float(np.mean([(predicted_N == targets_N)[targets_N == k].mean() for k in range(len(shares))]))

    draws = []
    for _ in range(4000):
        shuffled_N = labels_N.copy()
        for block in range(2):
            rows = np.flatnonzero(blocks_N == block)
            shuffled_N[rows] = labels_N[rng.permutation(rows)]
        draws.append(balanced(shuffled_N))
    reached = (np.array(draws) >= balanced(labels_N) - 1e-12).mean()
    assert found == pytest.approx(reached, abs=0.02)


def test_a_guess_that_never_varies_agrees_by_chance() -> None:
    labels_N = np.arange(100) % 2
    assert chance_p(count_tables(np.zeros(100, np.int64), labels_N, np.zeros(100, np.int64), 2)) == 1.0


def test_marks_are_shares_beyond_those_of_others() -> None:
    labels_N = np.repeat([0, 1, 2], [10, 20, 30])
    predicted_N = labels_N.copy()
    predicted_N[10:15] = 0
    marked_K, variance_K = marked_share(predicted_N, labels_N, 4)
    assert marked_K[:3] == pytest.approx([1 - 5 / 20, 0.75, 1.0])
    assert np.isinf(variance_K[3]), "a class without images"


def test_bits_of_sure_and_of_blind_guesses() -> None:
    assert channel_bits(0.1, 10) == 0
    assert channel_bits(1.0, 8) == 3
    assert 0 < channel_bits(0.75, 2) < 0.2
