"""Aligned minus conflicting: known answers, what is harder whatever its class, sources, and no answer."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.types import Int64Array
from pipeline.statistics.cues.alignment import Alignment, NamedImages


def measured(correct_SN, labels_N, named_N, *, sources_N=None, n_picked=1) -> Alignment:
    return NamedImages(labels_N, named_N, sources_N).measure(correct_SN, n_picked=n_picked)


def drawn(n: int, n_classes: int, kappa: float, rng: np.random.Generator) -> tuple[Int64Array, Int64Array]:
    labels_N = rng.integers(0, n_classes, n)
    named_N = np.where(rng.random(n) < kappa, labels_N, rng.integers(0, n_classes, n))
    return labels_N, named_N


def right(chance: np.ndarray, rng: np.random.Generator, n_seeds: int = 3) -> np.ndarray:
    return rng.random((n_seeds, len(chance))) < chance


def test_both_numbers_by_hand() -> None:
    """Class 0: 8 aligned of which 6 right, 2 conflicting of which 1; class 1: 5 of 5 and 2 of 5."""
    labels_N, named_N = np.repeat([0, 0, 1, 1], [8, 2, 5, 5]), np.repeat([0, 1, 1, 0], [8, 2, 5, 5])
    correct_SN = np.array([[1] * 6 + [0] * 2 + [1, 0] + [1] * 5 + [1] * 2 + [0] * 3])
    found = measured(correct_SN, labels_N, named_N)
    assert found.difference is not None
    assert found.beyond is not None
    assert found.difference.value == pytest.approx((1.6 * 0.25 + 2.5 * 0.6) / 4.1)
    assert found.beyond.value == pytest.approx((0.25 + 0.6) / 2)
    assert (found.n_aligned, found.n_conflicting, found.n_classes) == (13, 7, 2)


def test_it_equals_least_squares_with_a_level_for_each_class_and_name() -> None:
    rng = np.random.default_rng(0)
    labels_N, named_N = drawn(600, 5, 0.5, rng)
    correct_SN = right(np.full(600, 0.7), rng, 2)
    columns = [labels_N[:, None] == np.arange(5), named_N[:, None] == np.arange(5)]
    found = measured(correct_SN, labels_N, named_N)
    for estimate, levels in ((found.difference, columns[:1]), (found.beyond, columns)):
        design = np.column_stack([labels_N == named_N, *levels]).astype(float)
        expected = np.linalg.lstsq(design, correct_SN.mean(axis=0), rcond=None)[0][0]
        assert estimate is not None
        assert estimate.value == pytest.approx(expected)


@pytest.mark.parametrize(("n_classes", "gap"), [(2, 0.2), (10, 0.2), (100, 0.3)])
def test_a_planted_gap_is_recovered(n_classes: int, gap: float) -> None:
    rng = np.random.default_rng(1)
    labels_N, named_N = drawn(8000, n_classes, 0.6, rng)
    level_K = rng.uniform(0.6, 0.9, n_classes)  # classes of different difficulty
    correct_SN = right(level_K[labels_N] - gap * (named_N != labels_N), rng)
    found = measured(correct_SN, labels_N, named_N)
    for estimate in (found.difference, found.beyond):
        assert estimate is not None
        assert estimate.low > 0
        assert estimate.low < gap < estimate.high


def test_what_is_harder_whatever_its_class_is_no_gap_beyond() -> None:
    """Class 1 is rare, and images that the cue calls 1 are 30 points harder in both classes."""
    rng = np.random.default_rng(2)
    labels_N = (rng.random(20000) < 0.1).astype(np.int64)
    named_N = np.where(rng.random(20000) < 0.6, labels_N, rng.integers(0, 2, 20000))
    correct_SN = right(0.9 - 0.3 * named_N, rng)
    found = measured(correct_SN, labels_N, named_N)
    assert found.difference is not None
    assert found.beyond is not None
    assert found.difference.low > 0.1, "the bait"
    assert found.beyond.low < 0 < found.beyond.high


def test_intervals_cover_in_nineteen_of_twenty_and_with_few_images() -> None:
    for n in (60, 400):
        hits, rng = 0, np.random.default_rng(n)
        for _ in range(300):
            labels_N, named_N = drawn(n, 2, 0.6, rng)
            estimate = measured(right(np.full(n, 0.8), rng, 1), labels_N, named_N).beyond
            hits += estimate is None or estimate.low <= 0 <= estimate.high
        assert hits / 300 >= 0.93


def test_images_of_a_source_count_as_one() -> None:
    """Forty scenes of twenty images, all right or all wrong: images alone would say that a cue is used."""
    fired = {"alone": 0, "together": 0}
    for seed in range(100):
        rng = np.random.default_rng(seed)
        scenes_N = np.arange(40).repeat(20)
        labels_N, named_N = rng.integers(0, 2, (2, 40))[:, scenes_N]
        correct_SN = rng.random((1, 40))[:, scenes_N] < 0.8
        for name, sources_N in (("alone", None), ("together", scenes_N)):
            estimate = measured(correct_SN, labels_N, named_N, sources_N=sources_N).beyond
            fired[name] += estimate is not None and not estimate.low <= 0 <= estimate.high
    assert fired["alone"] > 30, "the bait"
    assert fired["together"] <= 8


@pytest.mark.parametrize(
    ("labels", "named"), [([], []), ([0, 0, 1], [0, 0, 1]), ([0, 1], [1, 0]), ([0, 0, 0], [0, 1, 1])]
)
def test_where_images_cannot_tell_there_is_no_number_beyond(labels: list[int], named: list[int]) -> None:
    """None, all aligned, all conflicting, and one class: the class is then what the cue names."""
    labels_N, named_N = np.array(labels, np.int64), np.array(named, np.int64)
    found = measured(np.ones((2, len(labels)), bool), labels_N, named_N)
    assert found.beyond is None
    assert (found.difference is None) == (found.n_classes == 0)


def test_more_tries_and_more_doubt() -> None:
    rng = np.random.default_rng(5)
    labels_N, named_N = drawn(400, 2, 0.6, rng)
    correct_SN = right(np.full(400, 0.8), rng)
    one, many = (measured(correct_SN, labels_N, named_N, n_picked=n).beyond for n in (1, 20))
    assert one is not None
    assert many is not None
    assert many.high - many.low > 1.3 * (one.high - one.low)
