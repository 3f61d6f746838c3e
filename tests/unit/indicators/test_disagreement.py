"""Disagreement of seeds and of passes with dropout, on answers written by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.indicators import disagreement, mc_dropout
from pipeline.indicators.disagreement import pairs_that_differ
from pipeline.indicators.indicator import UnmeasuredError
from pipeline.indicators.mc_dropout import draw_passes, dropping, mutual_information
from tests.fixtures.indicators import Brightness, Flat, grays, resnet, subject_of


def test_it_is_the_share_of_pairs_that_differ() -> None:
    predicted = np.random.default_rng(0).integers(0, 3, (5, 40))
    loop = np.mean([predicted[a] != predicted[b] for a, b in itertools.combinations(range(5), 2)], axis=0)
    np.testing.assert_allclose(pairs_that_differ(predicted), loop, atol=1e-12)


def test_every_seed_carries_the_same_numbers_and_one_seed_has_none() -> None:
    test = grays([0, 100, 200])
    predicted = np.array([[0, 0, 1], [0, 1, 1]])
    found = disagreement.INDICATOR.per_image(subject_of([], test, predicted_SN=predicted)).values_SRC
    np.testing.assert_array_equal(found, np.array([[[0], [1], [0]]] * 2, float))
    with pytest.raises(UnmeasuredError, match="One network"):
        disagreement.INDICATOR.per_image(subject_of([], test, predicted_SN=predicted[:1]))


def test_mutual_information_of_known_passes() -> None:
    opposite = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    unsure = torch.tensor([[[0.5, 0.5]], [[0.5, 0.5]]])
    assert mutual_information(opposite).item() == pytest.approx(math.log(2))
    assert mutual_information(unsure).item() == pytest.approx(0, abs=1e-7), "unsure alike: nothing to settle"


def test_only_what_depends_on_dropped_units_is_uncertain() -> None:
    model = Flat(4, 2)
    model.dropout = nn.Dropout(0.5)
    with torch.no_grad():
        model.mean.zero_()
        model.std.fill_(1.0)
    test = grays([0, 255, 255, 0])  # black images have features of zero: dropping them changes nothing
    found = mc_dropout.INDICATOR.per_image(subject_of([model], test)).values_SRC[0, :, 0]
    assert found[0] == pytest.approx(0, abs=1e-12)
    assert found[3] == pytest.approx(0, abs=1e-12)
    assert (found[1:3] > 1e-3).all()
    assert (found < math.log(2)).all()
    again = mc_dropout.INDICATOR.per_image(subject_of([model], test)).values_SRC[0, :, 0]
    np.testing.assert_array_equal(found, again)


def test_batch_norm_stays_as_trained_while_units_are_dropped() -> None:
    # dropout that drops next to nothing: passes are those of evaluation mode only if BatchNorm's are
    model = resnet()
    model.dropout = nn.Dropout(1e-9)
    found = mc_dropout.INDICATOR.per_image(subject_of([model], grays([0, 255] * 8, side=16), n_classes=3))
    assert np.abs(found.values_SRC).max() < 1e-9


class Twice(Flat):
    """The same network, written so that what lies before the dropout is not known."""

    def forward(self, pixels_NCHW: Tensor) -> Tensor:
        return super().forward(pixels_NCHW)


def test_features_that_are_kept_change_no_pass() -> None:
    passes, pixels = [], torch.rand(5, 3, 4, 4)
    for kind in (Flat, Twice):
        model = kind(4, 3)
        model.dropout = nn.Dropout(0.5)
        with dropping(model, torch.device("cpu"), seed=0):
            passes.append(draw_passes(model, pixels))
    assert passes[0].shape == (20, 5, 3)
    assert torch.equal(*passes)
    assert passes[0].std(0).min() > 0


@pytest.mark.parametrize("drop", [None, 0.0])
def test_without_dropout_there_is_nothing_to_say(drop: float | None) -> None:
    model = Brightness(4)
    if drop is not None:
        model.dropout = nn.Dropout(drop)
    with pytest.raises(UnmeasuredError, match="no dropout"):
        mc_dropout.INDICATOR.per_image(subject_of([model], grays([0, 255])))
