"""Attacks on networks whose boundaries are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.indicators import critical_samples, fgsm_accuracy, robust_accuracy
from pipeline.indicators.attacks.linf import (
    Budget,
    attack,
    cross_entropy,
    fgsm,
    gradients,
    margin,
    move,
)
from pipeline.indicators.attacks.survival import beats_constant, survivals
from pipeline.indicators.indicator import UnmeasuredError
from tests.fixtures.indicators import Brightness, Constant, Flat, grays, noise_split, resnet, subject_of

BUDGET = Budget(radius=8 / 255, steps=5, restarts=1, seed=0)


def test_what_lies_within_the_radius_falls_and_no_image_more() -> None:
    # 127.5 is the boundary and the radius is 8 gray levels: 119 and 136 stay, 120 and 135 fall
    levels = [0, 100, 119, 120, 127, 128, 135, 136, 200, 255]
    falls = [0, 0, 0, 1, 1, 1, 1, 0, 0, 0]
    subject = subject_of([Brightness(4)], grays(levels))
    critical = critical_samples.INDICATOR.per_image(subject)
    robust = robust_accuracy.INDICATOR.per_image(subject)
    np.testing.assert_array_equal(critical.values_SRC[0, :, 0], falls)
    np.testing.assert_array_equal(robust.values_SRC[0, :, 0], 1 - np.array(falls))
    assert "100.0% of these images are right, with it 60.0%" in robust.notes[0]
    # of a linear network one step along the sign is the best there is
    np.testing.assert_array_equal(fgsm_accuracy.INDICATOR.per_image(subject).values_SRC, robust.values_SRC)


def test_a_wrong_answer_may_be_critical_and_is_never_robust() -> None:
    levels, labels = [0, 60, 130, 240, 250, 255, 10, 20], [0, 0, 0, 1, 1, 1, 0, 0]
    subject = subject_of([Brightness(4)], grays(levels, labels=labels))
    assert critical_samples.INDICATOR.per_image(subject).values_SRC[0, 2, 0] == 1
    assert robust_accuracy.INDICATOR.per_image(subject).values_SRC[0, 2, 0] == 0


def test_a_constant_answer_has_no_critical_sample_and_is_not_called_robust() -> None:
    subject = subject_of([Constant(4)], grays([0, 50, 200, 250]))
    critical = critical_samples.INDICATOR.per_image(subject)
    assert (critical.values_SRC == 0).all()
    assert critical.notes == ()
    for indicator in (robust_accuracy.INDICATOR, fgsm_accuracy.INDICATOR):
        with pytest.raises(UnmeasuredError, match="single answer"):
            indicator.per_image(subject)


def test_a_constant_network_among_others_is_left_out_by_name() -> None:
    subject = subject_of([Brightness(4), Constant(4)], grays([0, 50, 200, 250]))
    found = robust_accuracy.INDICATOR.per_image(subject)
    assert (found.values_SRC[0] == 1).all()
    assert np.isnan(found.values_SRC[1]).all()
    assert "1 of 2 networks are left out" in found.notes[1]


def test_answers_at_random_seldom_beat_a_constant() -> None:
    rng, labels = np.random.default_rng(0), np.repeat([0, 1, 2], 60)
    at_random = np.mean([beats_constant(rng.integers(0, 3, 180), labels) for _ in range(1000)])
    nearly_constant = np.mean([beats_constant((rng.random(180) < 0.05) * 1, labels) for _ in range(1000)])
    assert 0.02 < at_random < 0.09
    assert nearly_constant < 0.09
    assert beats_constant(np.where(rng.random(180) < 0.3, labels, 0), labels), "a little better is found"


@pytest.mark.parametrize("seed", [0, 1])
def test_pgd_is_nowhere_weaker_than_fgsm_and_stays_within_ball_and_range(seed: int) -> None:
    model, pixels = resnet(seed), torch.rand(48, 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    pixels[:4] = (pixels[:4] > 0.5).float()  # at the ends of the range, where clamps bite
    labels = model(pixels).argmax(1)
    budget = Budget(radius=0.5 / 255, steps=5, restarts=1, seed=0)
    found = attack(model, pixels, labels, budget)
    first, masked = fgsm(model, pixels, labels, budget.radius)
    with torch.no_grad():
        at_fgsm, at_best, clean = (
            margin(model(first), labels),
            margin(model(found.pixels_NCHW), labels),
            margin(model(pixels), labels),
        )
    assert (at_best >= torch.maximum(at_fgsm, clean) - 1e-5).logical_or(found.flips_N).all()
    assert (at_best > clean + 1e-4).all(), "each search gets somewhere"
    assert (found.flips_N >= found.fgsm_flips_N).all()
    assert found.fgsm_flips_N.sum() < found.flips_N.sum() < len(labels), "and finds what one step does not"
    torch.testing.assert_close(found.margin_N, at_best, atol=1e-4, rtol=1e-4)
    assert torch.equal(at_best > 0, found.flips_N)
    assert (found.pixels_NCHW - pixels).abs().max() <= budget.radius + 1e-6
    assert found.pixels_NCHW.min() >= 0
    assert found.pixels_NCHW.max() <= 1
    assert not masked.any()


def test_a_larger_radius_fools_more_and_repeats_agree() -> None:
    model, pixels = resnet(), torch.rand(24, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    labels = model(pixels).argmax(1)
    small, large, again = (
        attack(model, pixels, labels, Budget(radius=r, steps=4, restarts=1, seed=3))
        for r in (0.2 / 255, 2 / 255, 0.2 / 255)
    )
    assert (large.flips_N >= small.flips_N).all()
    assert large.flips_N.sum() > small.flips_N.sum()
    assert torch.equal(small.pixels_NCHW, again.pixels_NCHW)


def test_a_saturated_softmax_does_not_pass_for_robustness() -> None:
    levels = [100, 120, 124, 131, 133, 180] * 2
    calm = subject_of([Brightness(4, certainty=1)], grays(levels))
    certain = subject_of([Brightness(4, certainty=1e5)], grays(levels))
    pixels = torch.full((1, 3, 4, 4), 120 / 255)
    _, grad = gradients(certain.models[0], pixels, torch.tensor([0]), cross_entropy)
    assert (grad == 0).all(), "cross-entropy alone sees no way"
    for indicator in (robust_accuracy.INDICATOR, fgsm_accuracy.INDICATOR):
        found = indicator.per_image(certain)
        np.testing.assert_array_equal(found.values_SRC, indicator.per_image(calm).values_SRC)
        assert "100.0% of images the gradient of cross-entropy is zero" in found.notes[-1]
        assert len(indicator.per_image(calm).notes) == 1


def test_of_two_classes_margin_and_cross_entropy_point_the_same_way() -> None:
    model, pixels = resnet(n_classes=2), torch.rand(8, 3, 16, 16)
    labels = torch.arange(8) % 2
    signs = [gradients(model, pixels, labels, loss)[1].sign() for loss in (cross_entropy, margin)]
    assert (signs[0] == signs[1]).float().mean() > 0.999  # up to rounding near zero


def test_one_search_serves_all_that_read_it() -> None:
    subject = subject_of([resnet()], noise_split(12, 3), n_classes=3)
    first = survivals(subject)
    critical_samples.INDICATOR.per_image(subject)
    assert survivals(subject) is first


class Deaf(Flat):
    def forward(self, pixels_NCHW: Tensor) -> Tensor:
        with torch.no_grad():
            return super().forward(pixels_NCHW)


def test_a_network_without_gradients_is_told() -> None:
    with pytest.raises(UnmeasuredError, match="no gradient"):
        critical_samples.INDICATOR.per_image(subject_of([Deaf(4, 2)], grays([0, 255])))


def test_steps_leave_neither_ball_nor_range() -> None:
    center = torch.tensor([[[[0.0, 0.5, 1.0]]]])
    moved = move(center, center, torch.tensor([[[[-1.0, 2.0, 3.0]]]]), by=0.3, radius=0.1)
    torch.testing.assert_close(moved, torch.tensor([[[[0.0, 0.6, 1.0]]]]))
