"""The learning-rate range test: known largest rates, and that it leaves the network as it was."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from pipeline.core.errors import TrainingError
from pipeline.train.loop import losses_at
from pipeline.train.range_test import growing_rates, suggest_rate, try_rates
from tests.fixtures.train import make_erm, make_job, make_settings, make_split
from tests.unit.train.test_loop import make_model

RATES = growing_rates(make_settings())


def descent(curvatures: list[float], momentum: float, noise: float, seed: int) -> Iterator[float]:
    """Losses of a quadratic whose lowest point is another in each batch, stepped down as SGD does."""
    rng = np.random.default_rng(seed)
    h = np.array(curvatures)
    w, velocity = np.ones(len(h)), np.zeros(len(h))
    for rate in RATES:
        gap = w - noise * rng.standard_normal(len(h))
        yield float(0.5 * (h * gap**2).sum())
        velocity = momentum * velocity + h * gap
        w = w - rate * (h * gap + momentum * velocity)


@pytest.mark.parametrize("curvatures", [[1.0], [1.0, 0.1, 0.01], [100.0, 1.0, 0.5], [20.0] * 10])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("noise", [0.03, 0.2])
def test_the_suggestion_lies_below_the_largest_stable_rate_and_within_a_decade(
    curvatures: list[float], momentum: float, noise: float
) -> None:
    # without momentum 2 / L; with Nesterov's, whose gradient also counts twice, a little less
    largest = 2 / max(curvatures) * (1 + momentum) / (1 + 2 * momentum)
    tried = [try_rates(descent(curvatures, momentum, noise, seed), RATES) for seed in range(3)]
    assert all(one.blew_up for one in tried)
    assert largest / 10 < suggest_rate(tried) < largest


def test_rates_are_one_factor_apart_and_lower_for_steps_of_one_length() -> None:
    assert np.ptp(np.diff(np.log(RATES))) < 1e-9
    assert (RATES[0], RATES[-1]) == pytest.approx((1e-5, 10))
    lion = growing_rates(make_settings(optimizer="lion"))
    assert (lion[0], lion[-1]) == pytest.approx((1e-6, 1))


def test_the_suggestion_is_of_the_median_training_and_has_two_digits() -> None:
    tried = [try_rates(descent([c], 0.0, 0.03, 0), RATES) for c in (1.0, 2.0, 1000.0)]
    middle = sorted(one.edge for one in tried)[1]
    assert suggest_rate(tried) == pytest.approx(middle / 1.5, rel=0.05)
    assert len(f"{suggest_rate(tried):g}".replace(".", "").lstrip("0")) <= 2


def test_a_loss_that_never_falls_is_an_error() -> None:
    with pytest.raises(TrainingError, match="falls at no rate from 1e-05 up"):
        try_rates([1.0 + 0.01 * i for i in range(len(RATES))], RATES)
    with pytest.raises(TrainingError, match="falls at no rate"):
        try_rates([], RATES)


def test_a_loss_that_never_rises_again_has_its_edge_at_the_end() -> None:
    tried = try_rates(np.linspace(1, 0.1, len(RATES)), RATES)
    assert tried.edge == RATES[-1]
    assert not tried.blew_up


def test_nothing_is_read_after_the_loss_blew_up() -> None:
    losses = iter([*np.linspace(1, 0.1, 100), *[50.0] * 80])
    tried = try_rates(losses, RATES)
    assert len(tried.rates_T) < 110
    assert len(list(losses)) == len(RATES) - len(tried.rates_T)


@pytest.mark.parametrize("n", [3, 12])
def test_the_network_is_as_before_and_losses_are_those_of_training(n: int) -> None:
    split, val = make_split(160), make_split(64, name="val")
    job, model = make_job(make_erm(), split, val, batch_size=32, l1=1e-3), make_model()
    before = copy.deepcopy(model.state_dict())
    found = list(losses_at(model, split, job, [0.01] * n))
    assert len(found) == n
    assert len(set(found)) == n, "it was trained"
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key
    first = job.plan.order(seed=0, epoch=0)[:32]
    pixels = torch.from_numpy(split.images[first]).permute(0, 3, 1, 2) / 255
    logits = copy.deepcopy(model).train()(pixels)
    expected = torch.nn.functional.cross_entropy(logits, torch.from_numpy(split.labels[first]))
    assert found[0] == pytest.approx(expected.item(), rel=1e-4)


def test_it_ends_where_the_loss_is_no_number_and_where_nobody_asks_further() -> None:
    split, val = make_split(160), make_split(64, name="val")
    job, model = make_job(make_erm(), split, val), make_model()
    before = copy.deepcopy(model.state_dict())
    assert len(list(losses_at(model, split, job, [1e30] * 40))) < 20
    steps = losses_at(model, split, job, [0.1] * 40)
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key
