"""Sharpness leaves networks as they were, says what it needs, and repeats."""

from __future__ import annotations

import pytest
import torch

from pipeline.indicators import sharpness
from pipeline.indicators.indicator import UnmeasuredError
from pipeline.models.as_found import moving_weights
from tests.fixtures.indicators import Constant, assert_as_found, noise_split, resnet, state_of, subject_of

PARTS = ["worst", "average", "plain"]


def test_every_network_has_its_numbers_and_they_repeat() -> None:
    subject = subject_of([resnet(0), resnet(1)], noise_split(16, 3, side=8), n_classes=3)
    found = sharpness.INDICATOR.per_model(subject)
    assert list(found.parts) == PARTS
    assert all(len(numbers) == 2 for numbers in found.parts.values())
    assert all(number > 0 for number in found.parts["worst"])
    assert found.parts == sharpness.INDICATOR.per_model(subject).parts
    assert set(found.titles) == set(PARTS)


@pytest.mark.slow  # what differentiates forward loads for seconds
def test_the_eigenvalue_comes_when_it_is_asked_for() -> None:
    model = resnet()
    before = state_of(model)
    subject = subject_of([model], noise_split(12, 3, side=8), n_classes=3, sharpness_eigenvalue=True)
    found = sharpness.INDICATOR.per_model(subject)
    assert [*PARTS, "eigenvalue"] == list(found.parts)
    assert found.parts["eigenvalue"][0] > 0
    assert_as_found(model, before)


def test_images_are_drawn_from_all_of_train_alike() -> None:
    rows = sharpness._draw(1000, 100, seed=0)
    assert len(set(rows.tolist())) == 100
    assert (rows == sharpness._draw(1000, 100, seed=0)).all()
    assert (sharpness._draw(50, 100, seed=0) == range(50)).all()


def test_what_cannot_be_measured_says_why() -> None:
    test = noise_split(6, 2)
    with pytest.raises(UnmeasuredError, match="sharpness_images is 0"):
        sharpness.INDICATOR.per_model(subject_of([Constant(16)], test, sharpness_images=0))
    with pytest.raises(UnmeasuredError, match="Only predictions"):
        sharpness.INDICATOR.per_model(subject_of([], test))


def test_weights_come_back_bit_for_bit_when_something_fails() -> None:
    model = resnet()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = next(model.parameters()).requires_grad_(False)
    with pytest.raises(RuntimeError, match="halfway"), moving_weights(model) as parameters:  # noqa: PT012
        with torch.no_grad():
            for parameter in parameters:
                parameter.mul_(1.1).add_(float("nan"))
        raise RuntimeError("halfway")
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not first.requires_grad
