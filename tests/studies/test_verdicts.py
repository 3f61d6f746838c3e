"""Verdicts on planted curves: those that must support, refute, and say nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts.arrays import Arrays
from studies import double_descent, grokking, memorization, regularization
from studies.frame.runs import here

RNG = np.random.default_rng(0)
CLAIMED = [0.3, 0.5]


def _curves(kind: str, fraction: float, decay: float, memorized: int, known: float) -> grokking.Curves:
    """Three networks that know training and held-out pairs from these evaluations on."""
    steps = np.arange(100)[:, None]
    parts = [np.where(steps >= at, 1.0, 0.1).repeat(3, axis=1) for at in (memorized, known)]
    return grokking.Curves(kind, fraction, decay, 10, np.stack(parts, axis=1))


def _grokked(kind: str = "mlp") -> list[grokking.Curves]:
    return [
        _curves(kind, 0.3, 1.0, 5, np.inf),
        _curves(kind, 0.5, 1.0, 5, 50),
        _curves(kind, 0.3, 0.0, 5, np.inf),
        _curves(kind, 0.5, 0.0, 5, np.inf),
    ]


def test_grokking_is_seen_where_it_is_planted_and_its_delay_is_the_planted_one() -> None:
    found = grokking.judge([*_grokked(), *_grokked("transformer")], CLAIMED)
    assert found.verdict == "supported"
    delays = [n.estimate.value for n in found.numbers if "delay" in n.title]
    assert delays == pytest.approx([450.0, 450.0])  # of either kind, where it groks


@pytest.mark.parametrize(
    ("row", "instead", "verdict"),
    [
        (1, _curves("mlp", 0.5, 1.0, 5, np.inf), "refuted"),  # none groks
        (1, _curves("mlp", 0.5, 1.0, 5, 8), "refuted"),  # known at once: not delayed
        (3, _curves("mlp", 0.5, 0.0, 5, 50), "refuted"),  # decay is not needed: half of those without
        (1, _curves("mlp", 0.5, 1.0, 1000, np.inf), "not shown"),  # not even memorized
    ],
)
def test_grokking_that_is_not_there(row: int, instead: grokking.Curves, verdict: str) -> None:
    curves = _grokked()
    curves[row] = instead
    assert grokking.judge(curves, CLAIMED).verdict == verdict


def test_one_seed_that_does_not_grok_is_not_enough() -> None:
    curves = _grokked()
    accuracies = curves[1].accuracies.copy()
    accuracies[:, 1, 0] = 0.1
    curves[1] = replace(curves[1], accuracies=accuracies)
    assert grokking.judge(curves, CLAIMED).verdict == "not shown"


RATIOS = np.array([0.5, 0.9, 1.0, 1.1, 5.0])
WIDTHS = np.array([1.0, 2.0, 4.0, 8.0])
PEAK = np.array([1.0, 3.0, 50.0, 3.0, 1.0])
BUMP = np.array([0.3, 0.4, 0.3, 0.2])


def _noisy(values: Any, seeds: int = 5, sd: float = 0.005) -> np.ndarray:
    return np.asarray(values) + sd * np.random.default_rng(1).normal(size=(seeds, len(values)))


@pytest.mark.parametrize(
    ("fits", "widths", "verdict"),
    [
        (PEAK, BUMP, "supported"),
        (PEAK[[0, 2, 1, 3, 4]], BUMP, "refuted"),  # the peak is elsewhere
        (np.array([1, 1.2, 1.5, 1.2, 1]), BUMP, "refuted"),  # no peak to speak of
        (PEAK, np.array([0.4, 0.3, 0.25, 0.2]), "refuted"),  # only falls
        (PEAK, np.array([0.3, 0.3, 0.3, 0.3]), "not shown"),
    ],
)
def test_double_descent(fits: np.ndarray, widths: np.ndarray, verdict: str) -> None:
    found = double_descent.judge(RATIOS, _noisy(fits), WIDTHS, _noisy([0.3, 0.05, 0, 0]), _noisy(widths))
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("left", "note"), [([0.05, 0, 0, 0], "narrowest network nearly"), ([0.3, 0, 0, 0.12], "widest network")]
)
@pytest.mark.parametrize("widths", [BUMP, np.array([0.4, 0.3, 0.25, 0.2])])
def test_without_the_threshold_within_the_widths_nothing_is_said_of_networks(
    left: list[float], note: str, widths: np.ndarray
) -> None:
    found = double_descent.judge(RATIOS, _noisy(PEAK), WIDTHS, _noisy(left), _noisy(widths))
    assert found.verdict == "not shown"
    assert any(note in text for text in found.notes)


def test_random_features_peak_at_the_threshold() -> None:
    settings = double_descent.RandomFeaturesSettings(
        samples=20, dimensions=10, features=[5, 15, 20, 30, 200], noise=0.5, draws=20, seeds=[0, 1]
    )
    for seed in settings.seeds:
        errors = double_descent.random_features(settings, seed)["errors"]
        assert errors.argmax() == 2
        assert errors[4] < errors[2] / 2


def _level(level: float, follows: float = 1.0, wrong: float = 0.2) -> Arrays:
    """Networks of 5 seeds: all measures rise with noise by `follows`; `wrong` labels known with the right."""
    jitter = 0.01 * np.random.default_rng(int(100 * level)).random(5)
    ones = np.ones((4, 5))
    rises = np.array([0.1, 0.95, 1.0, 1.0])[:, None] * ones
    arrays = {
        "given": rises, "right": rises, "wrong": np.array([0, wrong, 0.9, 1.0])[:, None] * ones,
        "test": np.array([0.1, 0.9, 0.8, 0.9 - level / 2])[:, None] * ones - 0.01 + jitter,
        "probe": 0.9 - 0.3 * level + jitter, "probe_untrained": 0.7 + jitter,
    }  # fmt: skip
    return arrays | dict.fromkeys(memorization.MEASURES, 1 + follows * level + jitter)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, "supported"),
        ({"follows": -1.0}, "refuted"),
        ({"follows": 0.0}, "refuted"),  # noise alone
        ({"follows": 0.008}, "not shown"),  # hardly more
        ({"wrong": 0.9}, "refuted"),  # wrong labels are learned as early as right ones
    ],
)
def test_memorization(change: dict[str, float], verdict: str) -> None:
    found = {level: _level(level, **change) for level in (0.0, 0.4, 0.7, 1.0)}
    assert memorization.judge(found, 0.4, 10).verdict == verdict


def test_networks_that_memorize_nothing_say_nothing_of_memorization() -> None:
    found = {level: _level(level) for level in (0.0, 0.4, 0.7, 1.0)}
    found[1.0] = found[1.0] | {"given": np.full((4, 5), 0.5)}
    assert memorization.judge(found, 0.4, 10).verdict == "not shown"


def test_memorization_runs_and_measures_what_it_says() -> None:
    settings = memorization.MemorizationSettings(
        levels=[0.0, 0.5, 1.0], shown_level=0.5, n_train=60, n_probe=60, width=16, steps=10, every=5, lr=0.01,
        attack_radius=0.1, attack_steps=2, measured_images=20, seeds=[0, 1],
    )  # fmt: skip
    finding = memorization.run(settings, here)
    assert finding.verdict == "not shown"  # ten steps learn nothing by heart
    assert [n.seeds for n in finding.numbers] == [2] * len(finding.numbers)


def _regularized(
    gain: float, zeros: float = 0.8, spread: float = 0.005
) -> tuple[Arrays, Arrays, dict[str, Arrays]]:
    rng = np.random.default_rng(2)
    linear = {
        "zeros_l1": zeros + 0.02 * rng.random(8), "zeros_l2": np.zeros(8),
        "length_l2": 1 + 0.1 * rng.random(8), "length_none": 2 + 0.1 * rng.random(8),
    }  # fmt: skip
    by_degree = np.array([0.5, 0.1, 5.0]) * np.exp(0.1 * rng.normal(size=(8, 3)))
    polynomial = {"train": by_degree, "test": by_degree, "test_ridge": np.minimum(by_degree, 0.2)}
    noise = spread * rng.normal(size=(4, 8))
    plain = np.array([0.1, 0.8 + gain, 0.8])[:, None] * np.ones((3, 8)) + noise[0]
    better = plain + gain + noise[1]
    trained = {
        "plain": {"test": plain + spread * rng.normal(size=(3, 8)), "val": plain},
        "dropout": {"test": better, "val": better},
        "deep": {"test": plain, "val": plain},
        "stochastic_depth": {"test": better, "val": better},
    }
    return linear, polynomial, trained


@pytest.mark.parametrize(
    ("arguments", "verdict"),
    [
        ({"gain": 0.1}, "supported"),
        ({"gain": -0.1}, "refuted"),
        ({"gain": 0.1, "zeros": 0.2}, "refuted"),
        ({"gain": 0.0, "spread": 0.1}, "not shown"),
    ],
)
def test_regularization(arguments: dict[str, float], verdict: str) -> None:
    assert regularization.judge(*_regularized(**arguments), [1, 3, 15], 10).verdict == verdict


def test_ridge_is_the_penalized_solution_and_errors_on_training_points_fall() -> None:
    settings = _settings()
    errors = regularization.polynomial(settings)
    assert (np.diff(errors["train"], axis=1) <= 1e-12).all()  # nested models
    shrunk = regularization.linear(settings)
    assert (shrunk["length_l2"] < shrunk["length_none"]).all()
    assert (shrunk["zeros_l2"] == 0).all()
    assert (shrunk["zeros_l1"] > 0).all()


def _settings() -> regularization.RegularizationSettings:
    return regularization.RegularizationSettings.model_validate(
        {
            "linear": {"samples": 60, "features": 20, "relevant": 3, "noise": 0.5},
            "polynomial": {"samples": 20, "noise": 0.3, "degrees": [1, 3, 9], "ridge": 0.1},
            "network": {
                "n_train": 50, "n_val": 50, "label_noise": 0.2, "width": 8, "blocks": 1, "steps": 4,
                "every": 2,
                "lr": 0.01, "dropout": 0.5, "stochastic_depth": 0.5,
            },
            "seeds": [0, 1],
        }
    )  # fmt: skip


def test_regularization_runs() -> None:
    finding = regularization.run(_settings(), here)
    assert len(finding.numbers) == 7
    assert all(np.isfinite(n.estimate.value) for n in finding.numbers)
