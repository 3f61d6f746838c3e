"""Verdicts of studies on planted curves that support, refute, and say too little."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studies import (
    batch_size,
    delayed_robustness,
    flat_minima,
    jacobian_gap,
    lottery_ticket,
    scaling_law,
    simplicity_bias,
)
from studies.small import fits
from studies.small.images import plain_digits
from studies.small.networks import make_mlp

RNG = np.random.default_rng(0)


def noisy(values: np.ndarray, scale: float, n: int = 6) -> np.ndarray:
    return values + scale * np.random.default_rng(1).normal(size=(n, *np.shape(values)))


# --- scaling law ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "noise", "exponent", "verdict"),
    [
        (1.0, 0.03, 0.5, "supported"),
        (2.0, 0.03, 0.5, "refuted"),  # a wall
        (1.0, 0.03, 0.0, "not shown"),  # nothing falls
        (1.0, 0.4, 0.5, "not shown"),  # too noisy
    ],
)
def test_scaling_law(
    factor: float, noise: float, exponent: float, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling_law, "N_DRAWS", 60)  # quicker
    sizes = np.array([100, 200, 400, 800, 1600, 6400.0])
    clean = 0.4 * (sizes / 100) ** -exponent
    clean[-1] *= factor  # what the fit cannot foretell
    errors = clean * np.exp(noisy(np.zeros(6), noise))
    parameters = np.array([10.0, 100, 1000])
    both = np.stack([errors, errors], axis=2)
    found = scaling_law.judge(sizes, both, parameters, both[:, :3])
    assert found.verdict == verdict


# --- batch size ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sharper", "worse", "noise", "verdict"),
    [
        (3.0, 0.05, 0.005, "supported"),
        (1 / 3, 0.05, 0.005, "refuted"),
        (3.0, -0.05, 0.005, "refuted"),
        (3.0, 0.01, 0.1, "not shown"),
    ],
)
def test_batch_size(sharper: float, worse: float, noise: float, verdict: str) -> None:
    sharpness = np.stack([np.exp(noisy(np.log([1.0, sharper]), noise))] * 2)
    accuracy = np.stack([noisy(np.array([0.9, 0.9 - worse]), noise)] * 2)
    line = noisy(np.zeros(len(batch_size.POINTS)), 1e-3)
    found = batch_size.judge(np.array([16.0, 256]), sharpness, accuracy, sharpness, line, line)
    assert found.verdict == verdict


def test_a_planted_barrier_has_its_height() -> None:
    points = np.linspace(-0.25, 1.25, 13)
    loss = 0.2 + 0.1 * points + 0.5 * np.exp(-(((points - 0.5) / 0.15) ** 2))
    assert batch_size.barriers(points, loss[None])[0] == pytest.approx(0.5, abs=0.01)
    assert batch_size.barriers(points, (0.2 + 0.1 * points)[None])[0] == pytest.approx(0, abs=1e-12)
    assert batch_size.barriers(points, ((points - 0.5) ** 2)[None])[0] == pytest.approx(0, abs=1e-12)


# --- Jacobian norm and gap -----------------------------------------------------------------------


def test_sensitivity_and_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fits, "N_DRAWS", 40)  # quicker
    norm, augmented = np.linspace(0.1, 1, 32), np.arange(32) % 2 == 0
    gap = 0.2 * norm + 0.01 * RNG.normal(size=32)
    assert jacobian_gap.judge(norm, gap, augmented).verdict == "supported"
    assert jacobian_gap.judge(norm, -gap, augmented).verdict == "refuted"
    assert jacobian_gap.judge(norm, RNG.normal(size=32), augmented).verdict == "not shown"


def test_augmentation_alone_is_not_taken_for_a_correlation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fits, "N_DRAWS", 40)
    augmented = np.arange(32) < 16
    norm = np.where(augmented, 0.1, 0.9) + 0.01 * RNG.normal(size=32)
    gap = np.where(augmented, 0.02, 0.2) + 0.001 * RNG.normal(size=32)
    found = jacobian_gap.judge(norm, gap, augmented)
    assert found.numbers[0].estimate.low > 0
    assert found.verdict != "supported"


# --- simplicity bias -----------------------------------------------------------------------------

TIMES = np.geomspace(2, 500, 16)
STRENGTHS, EASES = np.array([0.6, 0.75, 0.9, 0.97]), np.array([1.0, 2, 4, 6])


def learning(middle: np.ndarray) -> np.ndarray:
    """Curves from 0.5 to 0.95 that reach 70 % near `middle`."""
    return 0.5 + 0.45 / (1 + (TIMES / middle[..., None]) ** -3)


def planted_learning(by_strength: float, by_ease: float, noise: float = 0.0) -> np.ndarray:
    grid = by_strength * np.arange(4)[:, None] + by_ease * np.arange(4)
    conflicting = learning(20 * np.exp(0.3 * noisy(grid, noise, 4)))
    aligned = learning(np.full_like(conflicting[..., 0], 20.0))
    return np.stack([conflicting, aligned], axis=3)


@pytest.mark.parametrize(
    ("by_strength", "by_ease", "noise", "verdict"),
    [(1, 1, 0.1, "supported"), (1, -1, 0.1, "refuted"), (-1, 1, 0.1, "refuted"), (0, 0, 1.0, "not shown")],
)
def test_simplicity_bias(by_strength: float, by_ease: float, noise: float, verdict: str) -> None:
    curves = planted_learning(by_strength, by_ease, noise)
    assert simplicity_bias.judge(TIMES, STRENGTHS, EASES, curves).verdict == verdict


def test_delays_are_the_planted_ones_and_never_counts_as_twice_the_end() -> None:
    curves = planted_learning(1, 0)
    found = simplicity_bias.delays(TIMES, curves)
    assert found[0, :, 0] == pytest.approx([0, 0.3, 0.6, 0.9], abs=0.05)
    curves[0, 0, 0, 0] = 0.5
    expected = np.log(2 * 500 / simplicity_bias.first_times(TIMES, curves[0, 0, 0, 1]))
    assert simplicity_bias.delays(TIMES, curves)[0, 0, 0] == pytest.approx(float(expected))


# --- delayed robustness --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lag", "rise", "noise", "verdict"),
    [
        (20.0, 0.4, 0.02, "supported"),
        (1.0, 0.4, 0.02, "refuted"),
        (20.0, 0.0, 0.02, "refuted"),
        (20.0, 0.1, 1.2, "not shown"),
    ],
)
def test_delayed_robustness(lag: float, rise: float, noise: float, verdict: str) -> None:
    times = np.geomspace(5, 10_000, 18)
    clean = 0.95 / (1 + (times / 30) ** -2)
    rises = rise * noisy(np.ones(1), noise)
    hard = 0.3 + rises / (1 + (times / (30 * lag)) ** -2)
    curves = np.stack([np.tile(clean, (6, 1)), hard, hard], axis=1)
    assert delayed_robustness.judge(times, curves).verdict == verdict


def test_a_curve_that_falls_settles_when_it_has_fallen() -> None:
    times = np.array([1.0, 10, 100, 1000, 10_000, 100_000])
    assert delayed_robustness.settling_time(times, np.array([0.2, 0.6, 0.5, 0.4, 0.4, 0.4])) > 100
    assert delayed_robustness.settling_time(times, np.array([0.2, 0.4, 0.4, 0.4, 0.4, 0.4])) < 10


# --- lottery tickets -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ticket", "fresh", "noise", "verdict"),
    [
        (0.96, 0.9, 0.003, "supported"),
        (0.85, 0.8, 0.003, "refuted"),
        (0.96, 0.98, 0.003, "refuted"),
        (0.96, 0.955, 0.05, "not shown"),
    ],
)
def test_lottery_ticket(ticket: float, fresh: float, noise: float, verdict: str) -> None:
    accuracy = np.array([[0.965, ticket], [0.965, fresh], [0.965, fresh]])
    found = lottery_ticket.judge(np.array([1.0, 0.06]), noisy(accuracy, noise), judged=1)
    assert found.verdict == verdict


def test_pruning_keeps_the_largest_weights_that_were_left() -> None:
    train, _ = plain_digits(0, 100)
    model = make_mlp(train, [8, 4], 10, seed=0)
    masks = {name: torch.ones_like(p) for name, p in model.named_parameters() if p.ndim > 1}
    once = lottery_ticket.prune(model, masks, 0.5)
    twice = lottery_ticket.prune(model, once, 0.5)
    name = "layers.0.weight"
    weights, kept = model.state_dict()[name].abs(), twice[name].bool()
    assert int(kept.sum()) == weights.numel() // 4
    assert weights[kept].min() >= weights[~kept].max()
    assert bool((twice[name] <= once[name]).all())
    assert lottery_ticket.density(lottery_ticket.shuffled(twice, torch.Generator())) == pytest.approx(
        lottery_ticket.density(twice)
    )


@pytest.mark.slow
def test_pruned_weights_stay_zero_while_training() -> None:
    train, _ = plain_digits(0, 100)
    start = make_mlp(train, [8], 10, seed=0)
    kept = {name: p > 0 for name, p in start.named_parameters() if p.ndim > 1}
    masks = {name: mask.float() for name, mask in kept.items()}
    settings = lottery_ticket.LotteryTicketSettings(
        n_train=100, widths=[8], rounds=2, kept=0.5, judged_round=1, steps=10, lr=0.1, seeds=[0, 1, 2]
    )
    trained = lottery_ticket._train(start, masks, train, 0, settings)
    for name, parameter in trained.named_parameters():
        if name in masks:
            assert not parameter[masks[name] == 0].any()
            assert not torch.equal(parameter, dict(start.named_parameters())[name] * masks[name])


# --- flat minima ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flatter", "better", "noise", "verdict"),
    [
        (3.0, 0.03, 0.003, "supported"),
        (1 / 3, 0.03, 0.003, "refuted"),
        (3.0, -0.03, 0.003, "refuted"),
        (3.0, 0.0, 0.02, "not shown"),
    ],
)
def test_flat_minima(flatter: float, better: float, noise: float, verdict: str) -> None:
    sharpness = np.exp(noisy(np.log([1.0, *[1 / flatter] * 3]), noise))
    accuracy = noisy(np.array([0.9, *[0.9 + better] * 3]), noise)
    assert flat_minima.judge(sharpness, accuracy, accuracy).verdict == verdict
