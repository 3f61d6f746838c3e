"""Foreground sensitivity and agreement of mistakes: planted answers are recovered, nulls are not flagged."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipeline.core.errors import InputError
from pipeline.statistics.cues.reliance import color_agreement, foreground_sensitivity

TWO = np.repeat([0, 1], 100)


def right(*shares: float, n: int = 100) -> np.ndarray:
    """One model, `n` images per class, of which the first share is right."""
    return np.concatenate([np.arange(n) < round(share * n) for share in shares])[None]


# --- foreground sensitivity ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a_F", "a_B", "value"),
    [
        (1.0, 0.5, 1.0),  # object alone is enough, background alone is guessing
        (0.5, 1.0, -1.0),
        (0.9, 0.5, 2 / 3),  # 0.4 / (2 x 0.3)
        (0.3, 0.1, 0.5),  # below a half the least accuracy bounds it: 0.2 / (2 x 0.2)
        (0.4, 0.0, 1.0),
        (0.7, 0.7, 0.0),
    ],
)
def test_foreground_sensitivity_by_hand(a_F: float, a_B: float, value: float) -> None:
    estimate = foreground_sensitivity(right(a_F, a_F), right(a_B, a_B), TWO, seed=0)
    assert estimate is not None
    assert estimate.value == pytest.approx(value)
    assert -1 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.n == 200


def test_falling_back_to_the_common_class_is_not_using_the_background() -> None:
    """900 of class 0, 100 of class 1. Without the object the model says 0, and is right 90 % of the time."""
    labels = np.repeat([0, 1], [900, 100])
    by_object, blind = np.ones((1, 1000), bool), (labels == 0)[None]
    estimate = foreground_sensitivity(by_object, blind, labels, seed=0)
    assert estimate is not None
    assert estimate.value == 1.0
    neither = foreground_sensitivity(blind, blind, labels, seed=0)
    assert neither is not None
    assert neither.value == 0.0


def test_nothing_is_said_where_both_are_always_right_or_never() -> None:
    for share in (0.0, 1.0):
        assert foreground_sensitivity(right(share, share), right(share, share), TWO, seed=0) is None
    few = foreground_sensitivity(np.array([[True]]), np.array([[False]]), np.array([0]), seed=0)
    assert few is not None
    assert (few.value, few.n) == (1.0, 1)
    assert few.low < 0, "one image leaves every doubt"


def test_the_interval_covers_the_true_sensitivity() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 60)
    truth, covered = 0.3 / (2 * 0.35), 0
    for seed in range(120):
        with_object, with_background = rng.random((1, 120)) < 0.8, rng.random((1, 120)) < 0.5
        estimate = foreground_sensitivity(with_object, with_background, labels, seed=seed)
        assert estimate is not None
        covered += estimate.low <= truth <= estimate.high
    assert covered / 120 >= 0.9


def test_shapes_of_sensitivity_must_agree() -> None:
    with pytest.raises(InputError, match="cannot pair"):
        foreground_sensitivity(np.ones((1, 3), bool), np.ones((1, 4), bool), np.zeros(3, np.int64), seed=0)


# --- agreement with color --------------------------------------------------------------------


def draw(
    rng: np.random.Generator, labels: np.ndarray, accuracy: float, n_classes: int, n_seeds: int = 1
) -> np.ndarray:
    """Predictions whose mistakes fall on the next few classes, independent of everything but the label."""
    wrong = (labels + rng.integers(1, max(2, n_classes // 2), (n_seeds, len(labels)))) % n_classes
    return np.where(rng.random((n_seeds, len(labels))) < accuracy, labels, wrong)


def test_agreement_by_hand() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    color = np.array([1, 1, 0, 0, 2, 0, 1, 1])
    model = np.array([[1, 0, 1, 0, 2, 1, 0, 1]])  # wrong on images 0, 2, 4 and 6; color agrees on 0 and 4
    found = color_agreement(model, labels, color, seed=0)
    assert found is not None
    assert (found.n_errors, found.share.value, found.share.n) == (4, 0.5, 4)
    # color says 1 for half of class 0 (two mistakes), 2 and 0 for a quarter of class 1 (a mistake each)
    assert found.expected == pytest.approx((0.5 + 0.5 + 0.25 + 0.25) / 4)
    assert found.excess.value == pytest.approx(0.125)
    # class 0 reaches 0, 1 or 2 agreements with 1, 4, 1 of 6 draws, class 1 with 7, 4, 1 of 12
    assert found.p_value == pytest.approx((4 * 5 + 1 * 12 + 1 * 1) / 72, abs=0.04)
    assert found.excess.low < 0 < found.excess.high, "four mistakes prove nothing"


def test_the_color_classifier_agrees_with_itself() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 500)
    color = draw(rng, labels, 0.4, 5)[0]
    found = color_agreement(np.stack([color, color]), labels, color, seed=0)
    assert found is not None
    assert found.share.value == 1.0
    assert found.n_errors == 2 * np.count_nonzero(color != labels)
    assert found.share.n == np.count_nonzero(color != labels)
    assert found.expected == pytest.approx(0.63, abs=0.01)  # color mistakes every class for the next one
    assert found.excess.low > 0.3
    assert found.p_value == 1 / 2000


def test_half_of_the_mistakes_follow_color() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 4000)
    color = draw(rng, labels, 0.3, 10)[0]
    model = np.where(rng.random((3, 4000)) < 0.3, color, draw(rng, labels, 0.7, 10, 3))
    found = color_agreement(model, labels, color, seed=0)
    assert found is not None
    # of the mistakes 0.3 x 0.7 are copies; the other 0.7 x 0.3 agree as often as chance
    assert found.share.value == pytest.approx(0.5 + 0.5 * found.expected, abs=0.04)
    assert found.excess.low > 0.3
    assert found.p_value < 0.001


@pytest.mark.slow
@pytest.mark.parametrize(("n_classes", "n_images", "n_seeds"), [(2, 200, 1), (2, 200, 3), (10, 300, 2)])
def test_independent_mistakes_are_not_flagged(n_classes: int, n_images: int, n_seeds: int) -> None:
    """Given the class nothing is shared, though both mistake the same classes for the same others."""
    rng = np.random.default_rng(1)
    p_values, covered, excess = [], 0, []
    for seed in range(120):
        labels = rng.integers(0, n_classes, n_images)
        color = draw(rng, labels, 0.4, n_classes)[0]
        found = color_agreement(draw(rng, labels, 0.7, n_classes, n_seeds), labels, color, seed=seed)
        assert found is not None
        p_values.append(found.p_value)
        excess.append(found.excess.value)
        covered += found.excess.low <= 0 <= found.excess.high
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert np.mean(np.array(p_values) < 0.05) <= 0.1
    assert covered / 120 >= 0.9
    assert abs(np.mean(excess)) < 0.01


def test_with_two_classes_agreement_is_being_wrong_together() -> None:
    labels = np.array([0] * 50 + [1] * 50)
    wrong = np.arange(100) % 10 < 2  # one fifth of each class
    color, model = np.where(wrong, 1 - labels, labels), np.where(wrong, 1 - labels, labels)[None]
    together = color_agreement(model, labels, color, seed=0)
    apart = color_agreement(np.roll(model ^ labels, 2) ^ labels, labels, color, seed=0)
    assert together is not None
    assert apart is not None
    assert (together.share.value, apart.share.value) == (1.0, 0.0)
    assert (together.expected, apart.expected) == pytest.approx((0.2, 0.2))
    assert together.excess.low > 0.5
    assert apart.excess.high < 0
    assert (together.p_value, apart.p_value) == (1 / 2000, 1.0)


def test_no_mistakes_no_agreement() -> None:
    labels = np.arange(6) % 3
    assert color_agreement(labels[None], labels, np.zeros(6, np.int64), seed=0) is None


def test_one_mistake_is_no_evidence() -> None:
    labels = np.zeros(50, np.int64)
    model = labels.copy()
    model[7] = 1
    found = color_agreement(model[None], labels, model, seed=0)
    assert found is not None
    assert (found.n_errors, found.share.value) == (1, 1.0)
    assert found.share.low < 0.3
    assert found.excess.low < 0.3


def test_one_class_and_a_color_classifier_that_says_one_thing() -> None:
    labels, model = np.zeros(30, np.int64), np.repeat([0, 1], 15)
    found = color_agreement(model[None], labels, np.ones(30, np.int64), seed=0)
    assert found is not None
    assert (found.share.value, found.expected, found.excess.value, found.p_value) == (1, 1, 0, 1)


def test_sizes_of_agreement_must_agree() -> None:
    with pytest.raises(InputError, match="same test images"):
        color_agreement(np.zeros((1, 3), np.int64), np.zeros(3, np.int64), np.zeros(4, np.int64), seed=0)
