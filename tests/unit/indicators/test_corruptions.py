"""What survives common corruptions, of networks whose answers are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.core.types import Int64Array, Split, UInt8Array
from pipeline.indicators import corruption_kinds, corruptions
from pipeline.indicators.indicator import UnmeasuredError
from pipeline.indicators.subject import Subject
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits
from pipeline.pixels.corruptions.corrupt import NAMES, corrupt
from pipeline.settings.indicators import IndicatorsSettings
from tests.fixtures.cues import photographs

SIDE = 8


class Bright(Classifier):
    """Class 1 where the mean of all pixels is above `border`; it counts the images that it has seen."""

    def __init__(self, border: float = 0.5) -> None:
        super().__init__([0.0] * 3, [1.0] * 3)
        self.head, self.n_classes, self.n_seen = nn.Linear(1, 2), 2, 0
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[-1.0], [1.0]]))
            self.head.bias.copy_(torch.tensor([border, -border]))
        self.eval()

    def embed(self, pixels_NCHW: Tensor) -> Tensor:
        self.n_seen += len(pixels_NCHW)
        return pixels_NCHW.mean((1, 2, 3))[:, None]


def subject_of(models: list[Classifier], images: UInt8Array, labels: Int64Array, **changes: Any) -> Subject:
    n = len(images)
    split = Split(
        "test", images, labels, np.arange(n) + 7, np.array([""] * n), attributes=labels, groups=labels
    )
    settings = {
        "images_per_group": 16,
        "max_models": None,
        "severities": [1, 5],
        "seed": 0,
        "permutations": 99,
    }
    settings |= {"attack_radius": 0.1, "attack_steps": 1, "attack_restarts": 1}
    settings |= {"sharpness_images": 0, "sharpness_radius": 0.1}
    return Subject(
        train=split,
        val=split,
        test=split,
        seeds=list(range(max(len(models), 1))),
        models=models,
        predicted_SN=np.zeros((1, n), np.int64),
        confidence_SN=None,
        settings=IndicatorsSettings(**(settings | changes)),
        n_classes=2,
    )


def grays(*levels: int) -> tuple[UInt8Array, Int64Array]:
    """Of one level each; the label is whether it is above 127."""
    images = np.broadcast_to(np.array(levels, np.uint8)[:, None, None, None], (len(levels), SIDE, SIDE, 3))
    return images.copy(), (np.array(levels) > 127).astype(np.int64)


def test_the_corruption_that_hurts_is_found_and_those_that_do_not_are_not() -> None:
    """At 32 pixels and below the severities 1 and 5 of brightness add 13 and 77 levels."""
    parts = corruption_kinds.INDICATOR.per_model(subject_of([Bright()], *grays(40, 100, 120, 200))).parts
    assert list(parts) == [corruption_kinds.ALL, *NAMES]
    assert parts["brightness"] == [(3 / 4 + 2 / 4) / 2]
    for name in (
        "contrast",
        "pixelate",
        "jpeg_compression",
        "defocus_blur",
        "motion_blur",
        "elastic_transform",
    ):
        assert parts[name] == [1.0]  # a gray image stays as bright
    assert parts[corruption_kinds.ALL][0] == pytest.approx(np.mean([parts[name][0] for name in NAMES]))


def test_an_image_counts_by_the_corruptions_that_it_survives() -> None:
    images, labels = grays(*[40, 100, 120, 200] * 4)
    labels[1::4] = 1  # answered wrongly, and rightly once it is brighter: that is no merit
    found = corruptions.INDICATOR.per_image(subject_of([Bright()], images, labels))
    survived = found.values_SRC[0, :, 0]
    assert np.isnan(survived[1])
    assert survived[3] == 1
    assert survived[2] < survived[0]
    assert "75.0% are right" in found.notes[0]
    assert "mean corruption error" in found.notes[0]


def test_answers_are_those_of_each_image_alone() -> None:
    """A slow twin: one corruption, severity, image and network at a time."""
    images = photographs(12, 0, 16)
    levels = images.mean(axis=(1, 2, 3)) / 255
    border = float(np.median(levels))
    labels = (levels > border).astype(np.int64)
    models: list[Classifier] = [Bright(border - 0.01), Bright(border + 0.01)]
    subject = subject_of(models, images, labels, severities=[2, 4])
    found = corruptions.INDICATOR.per_image(subject).values_SRC
    for s, model in enumerate(models):
        for r in range(12):
            answers = [
                predict_logits(model, corrupt(images[r : r + 1], name, v, seed=0, ids_N=np.array([r + 7])))
                for name in NAMES
                for v in (2, 4)
            ]
            right = predict_logits(model, images[r : r + 1]).argmax() == labels[r]
            survived = np.mean([a.argmax() == labels[r] for a in answers])
            np.testing.assert_allclose(found[s, r, 0], survived if right else np.nan)


def test_a_network_of_one_answer_is_not_robust() -> None:
    images, labels = grays(40, 100, 120, 200)
    for indicator in (corruptions.INDICATOR.per_image, corruption_kinds.INDICATOR.per_model):
        with pytest.raises(UnmeasuredError, match="single answer"):
            indicator(subject_of([Bright(-1.0), Bright(2.0)], images, labels))
    found = corruptions.INDICATOR.per_image(subject_of([Bright(), Bright(2.0)], images, labels))
    assert np.isnan(found.values_SRC[1]).all()
    assert "1 of 2 networks are left out" in found.notes[1]


def test_both_indicators_ask_once_and_leave_the_network_as_it_was() -> None:
    images, labels = grays(40, 100, 120, 200)
    model = Bright()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    subject = subject_of([model], images, labels)
    corruptions.INDICATOR.per_image(subject)
    assert model.n_seen == 4 * (1 + 15 * 2)
    corruption_kinds.INDICATOR.per_model(subject)
    assert model.n_seen == 4 * (1 + 15 * 2)
    assert not any(module.training for module in model.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_an_image_is_measured_the_same_among_fewer() -> None:
    images = photographs(24, 1, 16)
    levels = images.mean(axis=(1, 2, 3)) / 255
    border = float(np.median(levels))
    labels = (levels > border).astype(np.int64)
    many, few = (subject_of([Bright(border)], images, labels, images_per_group=n) for n in (16, 6))
    kept = np.isin(many.sample, few.sample)
    values = corruptions.INDICATOR.per_image(many).values_SRC[:, kept]
    np.testing.assert_array_equal(corruptions.INDICATOR.per_image(few).values_SRC, values)


@pytest.mark.parametrize(
    ("changes", "n_models", "side", "reason"),
    [
        ({"severities": []}, 1, SIDE, "indicators.severities is empty"),
        ({"images_per_group": 0}, 1, SIDE, "images_per_group is 0"),
        ({}, 0, SIDE, "Only predictions are known"),
        ({}, 1, 4, "4 x 4 pixels cannot be corrupted"),
    ],
)
def test_the_reason_is_told_where_nothing_is_measured(
    changes: dict[str, Any], n_models: int, side: int, reason: str
) -> None:
    images, labels = photographs(4, 2, side), np.arange(4) % 2
    subject = subject_of([Bright() for _ in range(n_models)], images, labels, **changes)
    for indicator in (corruptions.INDICATOR.per_image, corruption_kinds.INDICATOR.per_model):
        with pytest.raises(UnmeasuredError, match=reason):
            indicator(subject)
