"""When accuracy is reached, jumps, what is learned first, falls: planted ones are found, others are not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import Generator
from scipy import stats

from pipeline.core.types import Float64Array
from pipeline.statistics.dynamics.change_points import find_changes
from pipeline.statistics.dynamics.conflicting import find_conflict, spoken_for
from pipeline.statistics.dynamics.crossings import find_crossings, find_delay, first_crossing
from pipeline.statistics.dynamics.early_stop import find_fall
from pipeline.statistics.dynamics.first_learned import early_epochs, judge_first
from pipeline.statistics.dynamics.over_seeds import mean_over_seeds

N = 200  # images


def rng_of(case: int) -> Generator:
    return np.random.default_rng([18, case])


def saturating(n_epochs: int, tau: float, start: float = 0.5, end: float = 0.92) -> Float64Array:
    return end - (end - start) * np.exp(-np.arange(n_epochs) / tau)


def noisy(rng: Generator, curve: Float64Array, n: int = N) -> Float64Array:
    return rng.binomial(n, curve) / n


def test_a_mean_over_seeds_has_students_interval_and_one_seed_has_none() -> None:
    values = rng_of(0).normal(size=5)
    low, high = stats.t.interval(0.95, 4, loc=values.mean(), scale=stats.sem(values))
    found = mean_over_seeds(values)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high))
    assert mean_over_seeds(values[:1]) is None


# --- jumps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_epochs", [10, 30, 60])
def test_smooth_curves_have_no_jump(n_epochs: int) -> None:
    rng = rng_of(1)
    curves = [noisy(rng, saturating(n_epochs, tau)) for tau in rng.uniform(0.5, n_epochs / 2, 150)]
    assert np.mean([find_changes(curve, N) == [] for curve in curves]) >= 0.95


@pytest.mark.parametrize("n_epochs", [20, 40])
def test_a_planted_jump_is_found_where_it_is(n_epochs: int) -> None:
    rng, hits = rng_of(2), []
    for _ in range(100):
        jump = int(rng.integers(5, n_epochs - 4))
        curve = saturating(n_epochs, rng.uniform(1, 6), 0.45, 0.55)
        curve[jump:] += rng.uniform(0.25, 0.4)
        found = find_changes(noisy(rng, curve), N) or []
        hits.append(len(found) == 1 and abs(found[0].epoch - jump) <= 1 and found[0].size > 0.15)
    assert np.mean(hits) >= 0.9


def test_epochs_that_differ_by_more_than_their_images_explain_are_no_jumps() -> None:
    rng = rng_of(3)
    curves = [saturating(30, 4.0) + rng.normal(0, 0.06, 30) for _ in range(100)]
    assert np.mean([find_changes(curve.clip(0, 1), 2000) == [] for curve in curves]) >= 0.95


def test_few_epochs_tell_nothing() -> None:
    assert find_changes(np.linspace(0, 1, 7), N) is None


# --- crossings -----------------------------------------------------------------------------------


def test_a_level_counts_from_where_it_is_kept() -> None:
    curve = np.array([0.2, 0.95, 0.4, 0.91, 0.93, 0.92])
    assert first_crossing(curve, 0.9, 10_000) == 3
    assert first_crossing(curve, 0.96, 10_000) is None
    assert first_crossing(np.array([0.2, 0.95, 0.88, 0.95]), 0.9, 100) == 1, "chance of 100 images"


def test_crossings_know_absolute_accuracy_from_the_own_best() -> None:
    curves = [np.minimum(0.1 * np.arange(1, 11), 0.8) for _ in range(3)]
    found = {(c.of, c.level): c for c in find_crossings(curves, n=100_000, n_steps=10)}
    steps = {key: c.steps.value if c.steps else None for key, c in found.items()}
    assert steps == {
        ("accuracy", 0.5): 50.0, ("accuracy", 0.9): None, ("best", 0.5): 40.0, ("best", 0.9): 80.0,
    }  # fmt: skip
    assert found["accuracy", 0.9].n_crossed == 0
    halves = found["best", 0.5].steps
    assert halves is not None
    assert halves.low == 30, "it is known to an epoch"


def test_delayed_generalization_is_told_from_learning_with_noise() -> None:
    rng, found, null = rng_of(4), [], []
    for _ in range(60):
        train = [noisy(rng, saturating(30, 3.0, 0.5, 0.99), 3000) for _ in range(4)]
        jumps = rng.integers(18, 23, 4)
        late = [noisy(rng, np.where(np.arange(30) < jump, 0.55, 0.95)) for jump in jumps]
        same = [noisy(rng, saturating(30, 3.0, 0.5, 0.85)) for _ in range(4)]
        sizes = {"n_train": 3000, "n_val": N, "n_steps": 50}
        planted = find_delay(train, late, **sizes)
        found.append(planted is not None and planted.is_delayed and 400 < planted.steps.value < 900)
        plain = find_delay(train, same, **sizes)
        null.append(plain is not None and plain.is_delayed)
    assert np.mean(found) >= 0.9
    assert np.mean(null) <= 0.05


# --- conflicting images, and what is learned first ---------------------------------------------------


def test_values_speak_for_labels_however_frequent_these_are() -> None:
    # nine of ten images are of label 0, and most of value 1 too: it still speaks for label 1
    label = np.repeat([0, 1], [900, 100])
    value = np.r_[np.repeat([0, 1], [700, 200]), np.repeat([0, 1], [10, 90])]
    assert spoken_for(label, value, n_labels=2).tolist() == [0, 1]


def test_a_constant_and_chance_follow_cue_and_label_alike() -> None:
    rng = rng_of(5)
    train = np.arange(300) % 3, np.arange(300) % 3
    labels = rng.choice(3, 4000, p=[0.7, 0.2, 0.1])
    found = find_conflict(train, (labels, rng.integers(3, size=4000)), np.arange(3))
    assert found is not None
    for said in (np.full(4000, k) for k in range(3)):
        shares = found.followed(said)
        assert shares["follows_label"] == pytest.approx(shares["follows_cue"])
    assert found.followed(labels)["follows_label"] == pytest.approx(1)
    assert found.followed(found.cue_N)["follows_cue"] == pytest.approx(1)
    shares = found.followed(rng.integers(3, size=4000))
    assert shares["follows_label"] == pytest.approx(1 / 3, abs=0.06)
    assert shares["follows_cue"] == pytest.approx(1 / 3, abs=0.06)


def test_superclasses_count_where_they_form_the_groups() -> None:
    label_of = np.array([0, 0, 1, 1])
    train = np.arange(80) % 4, (np.arange(80) % 4) // 2
    found = find_conflict(train, (np.array([0, 3]), np.array([1, 0])), label_of)
    assert found is not None
    assert found.followed(np.array([1, 2]))["follows_label"] == 1, "another class of the superclass"


def test_values_that_speak_for_one_label_alone_tell_nothing() -> None:
    train = np.r_[np.zeros(5, int), np.ones(5, int)], np.zeros(10, int)
    assert find_conflict(train, train, np.arange(2)) is None


def followed(rng: Generator, p_cue: Float64Array, seeds: int, n: int = 60) -> tuple[list[Float64Array], ...]:
    """Shares of images that take the cue for good or not: seeds mostly agree on an image."""
    lean = rng.normal(size=n)
    cue = []
    for _ in range(seeds):
        threshold = stats.norm.ppf(p_cue) * np.sqrt(2)
        cue.append((lean + rng.normal(size=n) < threshold[:, None]).mean(axis=1))
    return [1 - c for c in cue], cue


@pytest.mark.parametrize(("early", "verdict"), [(0.85, "cue first"), (0.15, "label first")])
def test_what_is_learned_first_is_found(early: float, verdict: str) -> None:
    rng, curve = rng_of(6), np.r_[np.full(4, early), np.full(16, 0.1)]
    train = saturating(20, 1.2, 0.5, 0.99)
    n_early = early_epochs(train, 3000)
    assert n_early == 3
    found = []
    for _ in range(60):
        label, cue = followed(rng, curve, seeds=4)
        found.append(judge_first(label, cue, [n_early] * 4, n_effective=60).verdict)
    assert np.mean([f == verdict for f in found]) >= 0.9


def test_chance_is_neither_first() -> None:
    rng, found = rng_of(7), []
    for _ in range(200):
        label, cue = followed(rng, np.full(10, 0.5), seeds=3)
        found.append(judge_first(label, cue, [5] * 3, n_effective=60).verdict)
    assert np.mean([f == "cannot tell" for f in found]) >= 0.95
    one = judge_first([np.ones(3)], [np.zeros(3)], [2], n_effective=60)
    assert (one.verdict, one.lead) == ("cannot tell", None)


# --- falls -----------------------------------------------------------------------------------------


def test_a_group_that_falls_again_is_found_with_its_epoch() -> None:
    rng, found = rng_of(8), []
    curve = np.interp(np.arange(30), [0, 10, 29], [0.4, 0.8, 0.55])
    for _ in range(100):
        fall = find_fall([noisy(rng, curve) for _ in range(5)], n_groups=4, least=0.05)
        found.append(fall is not None and fall.is_clear and abs(fall.epoch - 10) <= 3)
    assert np.mean(found) >= 0.9


def test_a_group_that_stays_does_not_fall() -> None:
    rng, found = rng_of(9), []
    for _ in range(200):
        fall = find_fall([noisy(rng, saturating(30, 3.0), 40) for _ in range(3)])
        assert fall is not None
        found.append(fall.size.low > 0)
    assert np.mean(found) <= 0.05
    assert find_fall([np.ones(30)] * 2) is None
