"""Sensitivity of networks whose derivatives are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.core.types import Split
from pipeline.indicators import sensitivity, sensitivity_off
from pipeline.indicators.indicator import UnmeasuredError
from pipeline.indicators.sensitivity import draw_directions, jacobian_norm
from pipeline.indicators.sensitivity_off import draw_partners
from tests.fixtures.indicators import Brightness, Constant, Flat, grays, noise_split, resnet, subject_of


def test_of_a_linear_network_it_is_the_norm_of_the_weights_in_pixel_space() -> None:
    model = Flat(4, 5)
    norms = jacobian_norm(model, torch.rand(7, 3, 4, 4), of="logits")
    known = model.head.weight.norm() / 0.25  # normalization divides pixels by 0.25
    torch.testing.assert_close(norms, known.expand(7))


def test_of_two_classes_it_is_p_times_one_minus_p_times_the_logits_difference() -> None:
    model, pixels = Flat(4, 2), torch.rand(9, 3, 4, 4)
    p = model(pixels).softmax(1)[:, 1]
    difference = (model.head.weight[1] - model.head.weight[0]).norm() / 0.25
    known = 2**0.5 * p * (1 - p) * difference
    torch.testing.assert_close(jacobian_norm(model, pixels), known.detach())


def test_random_directions_estimate_the_square_without_bias() -> None:
    model, n_classes = Flat(4, 40), 40
    pixels = torch.rand(1, 3, 4, 4).expand(400, -1, -1, -1)
    exact = jacobian_norm(model, pixels[:1])
    directions = draw_directions(len(pixels), n_classes, torch.Generator().manual_seed(0))
    assert directions is not None
    assert directions.shape == (400, 40, 16)
    squares = jacobian_norm(model, pixels, directions_NKT=directions).square()
    error = squares.std() / len(pixels) ** 0.5
    assert abs(squares.mean() - exact.square()) < 4 * error
    assert error < 0.02 * exact.square(), "so that the comparison says something"
    assert squares.sqrt().mean() == pytest.approx(exact.item(), rel=0.03), "the root is biased by little"
    assert draw_directions(3, 16, torch.Generator()) is None, "sixteen classes are exact"


def test_a_constant_network_has_none_and_repeats_agree() -> None:
    test = noise_split(24, 3)
    values = sensitivity.INDICATOR.per_image(
        subject_of([resnet(), Constant(16, 3)], test, n_classes=3)
    ).values_SRC
    again = sensitivity.INDICATOR.per_image(subject_of([resnet()], test, n_classes=3)).values_SRC
    assert values.shape == (2, 24, 1)
    assert (values[0] > 0).all()
    assert (values[1] == 0).all()
    np.testing.assert_array_equal(values[:1], again)


def test_between_classes_a_boundary_lies_that_no_image_lies_on() -> None:
    # certain of every image, dark or bright; halfway between a dark and a bright one it is not
    subject = subject_of([Brightness(4, certainty=60)], grays([0, 20, 235, 255] * 4))
    on = sensitivity.INDICATOR.per_image(subject).values_SRC
    off = sensitivity_off.INDICATOR.per_image(subject).values_SRC
    assert off.mean() > 10 * on.mean()


def test_partners_are_of_another_class_and_one_class_has_none() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    partners = draw_partners(labels, 0)
    assert (labels[partners] != labels).all()
    one_class: Split = grays([200, 210, 220])
    with pytest.raises(UnmeasuredError, match="one class"):
        sensitivity_off.INDICATOR.per_image(subject_of([Brightness(4)], one_class))


def test_without_a_network_the_reason_is_said() -> None:
    with pytest.raises(UnmeasuredError, match="Only predictions"):
        sensitivity.INDICATOR.per_image(subject_of([], grays([0, 255])))
    with pytest.raises(UnmeasuredError, match="images_per_group is 0"):
        sensitivity.INDICATOR.per_image(subject_of([Brightness(4)], grays([0, 255]), images_per_group=0))
