"""Averages of weights against means worked by hand, and their BatchNorm statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.train.options.averaging import Averaging
from tests.fixtures.train import make_settings


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))


def set_weight(net: nn.Sequential, value: float) -> None:
    with torch.no_grad():
        net[0].weight.fill_(value)


def test_ema_follows_with_a_decay_that_rises() -> None:
    net = network()
    averaging = Averaging(net, make_settings(average="ema", ema_decay=0.3))
    values = [1.0, 2.0, 5.0, -1.0, 0.5]
    expected = values[0]  # the first weights are taken as they are
    for n, value in enumerate(values):
        set_weight(net, value)
        averaging.after_step(net)
        if n > 0:
            decay = min(0.3, (1 + n) / (10 + n))
            expected = decay * expected + (1 - decay) * value
    averaged = averaging.after_epoch(net, 0, [])
    np.testing.assert_allclose(averaged[0].weight.detach().flatten(), expected, rtol=1e-6)
    assert net[0].weight.flatten().tolist() == [0.5, 0.5], "the network itself goes on from its own weights"


def test_ema_averages_batch_norm_statistics_and_copies_their_counter() -> None:
    net = network()
    averaging = Averaging(net, make_settings(average="ema", ema_decay=0.1))
    means = []
    for value in (1.0, 2.0, 3.0):
        net(torch.full((4, 1, 2, 2), value))
        means.append(net[1].running_mean.clone())
        averaging.after_step(net)
    averaged = averaging.after_epoch(net, 0, [])
    expected = 0.1 * (0.1 * means[0] + 0.9 * means[1]) + 0.9 * means[2]
    torch.testing.assert_close(averaged[1].running_mean, expected)
    assert averaged[1].num_batches_tracked == 3


def test_swa_is_the_mean_of_the_last_epochs_with_statistics_of_its_own() -> None:
    net = network()
    averaging = Averaging(net, make_settings(average="swa", swa_start=0.5, epochs=4))
    generator = torch.Generator().manual_seed(1)
    batches = [torch.rand(16, 1, 3, 3, generator=generator) for _ in range(3)]
    kept = []
    for epoch, value in enumerate([9.0, 9.0, 1.0, 2.0]):
        set_weight(net, value)
        kept.append(averaging.after_epoch(net, epoch, iter(batches)))
    assert kept[0] is net, "before its first epoch the network itself is judged"
    assert kept[1] is net
    averaged = kept[3]
    assert averaged[0].weight.flatten().tolist() == [1.5, 1.5]
    responses = averaged[0](torch.cat(batches)).detach()
    torch.testing.assert_close(averaged[1].running_mean, responses.mean((0, 2, 3)))
    variances = torch.stack([averaged[0](b).detach().var((0, 2, 3)) for b in batches])
    torch.testing.assert_close(averaged[1].running_var, variances.mean(0))


@pytest.mark.parametrize("kind", ["none", "ema", "swa"])
def test_a_restored_average_goes_on_where_it_was(kind: str) -> None:
    settings = make_settings(average=kind, swa_start=0.0, epochs=2)
    net, batches = network(), [torch.rand(8, 1, 2, 2)]
    first = Averaging(net, settings)
    first.after_step(net)
    first.after_epoch(net, 0, batches)
    second = Averaging(network(), settings)
    second.restore(net, first.state())
    set_weight(net, 3.0)
    for averaging in (first, second):
        averaging.after_step(net)
    one, two = (averaging.after_epoch(net, 1, batches) for averaging in (first, second))
    for key, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[key]), key


def test_without_averaging_there_is_nothing_to_save() -> None:
    net = network()
    averaging = Averaging(net, make_settings())
    averaging.after_step(net)
    assert averaging.after_epoch(net, 0, []) is net
    assert averaging.state() is None
