"""Every indicator that runs networks leaves them, and the random state, bit for bit as they were."""

from __future__ import annotations

import importlib

import pytest
import torch
from torch import nn

from pipeline.indicators.indicator import ImageIndicator
from tests.fixtures.indicators import assert_as_found, noise_split, resnet, state_of, subject_of

NAMES = [
    "sensitivity",
    "sensitivity_off",
    "critical_samples",
    "robust_accuracy",
    "fgsm_accuracy",
    "sharpness",
]


@pytest.mark.parametrize("name", NAMES)
def test_networks_are_left_as_they_were_found(name: str) -> None:
    model = resnet()
    model.dropout = nn.Dropout(0.5)
    model.stages[0].train()  # odd flags, a frozen parameter and a gradient: all must survive
    model.head.bias.requires_grad_(False)
    model.head.weight.grad = torch.ones_like(model.head.weight)
    test = noise_split(12, 3, side=8)
    labels = model.eval()(torch.from_numpy(test.images).permute(0, 3, 1, 2) / 255).argmax(1).numpy()
    test.labels[:] = labels  # better than a constant
    model.stages[0].train()
    subject = subject_of([model], test, n_classes=3, starts=[resnet(1)], predicted_SN=labels[None])
    indicator = importlib.import_module(f"pipeline.indicators.{name}").INDICATOR
    before = state_of(model)
    measure = indicator.per_image if isinstance(indicator, ImageIndicator) else indicator.per_model
    measure(subject)
    assert_as_found(model, before)
