"""Squares on walls, and models that read one known thing."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.core.results import AttributeInfo, DatasetInfo, GroupInfo, Provenance, SourceInfo
from pipeline.core.settings import EvaluateSettings
from pipeline.core.types import Split
from pipeline.explain.changed import predict_classes
from pipeline.explain.cue_use import choose_cue
from pipeline.explain.reliance import Reliance, measure_reliance
from pipeline.models.networks import Classifier

SIDE = 16
OBJECT = slice(5, 11)


def make_info(
    origin: Any = "annotated",
    n_train: tuple[int, ...] = (95, 5, 5, 95),
    n_val: tuple[int, ...] = (10, 10, 10, 10),
) -> DatasetInfo:
    cells = [("dark", "red"), ("dark", "blue"), ("bright", "red"), ("bright", "blue")]
    groups = [
        GroupInfo(name=f"{y} on {a}", label=y, attribute=a, n_train=n, n_val=v, n_test=40)
        for (y, a), n, v in zip(cells, n_train, n_val, strict=True)
    ]
    return DatasetInfo(
        provenance=Provenance(),
        name="squares",
        title="Squares",
        classes=["dark", "bright"],
        group_labels=["dark", "bright"],
        class_to_group_label=[0, 1],
        attributes=[AttributeInfo(name="wall", values=["red", "blue"], origin=origin)],
        groups=groups,
        n={"train": 200, "val": 40, "test": 160},
        image_size=SIDE,
        has_masks=True,
        channel_mean=[0.5] * 3,
        channel_std=[0.25] * 3,
        source_info=SourceInfo(source="made here", licence="none"),
    )


def make_split(n: int = 160, seed: int = 0, masks: bool = True) -> Split:
    """Dark or bright squares (the label) on red or blue walls (the attribute), independent."""
    rng = np.random.default_rng(seed)
    labels, attributes = np.arange(n) % 2, np.arange(n) // 2 % 2
    walls = np.array([[200, 40, 40], [40, 40, 200]])[attributes]
    images = np.broadcast_to(walls[:, None, None], (n, SIDE, SIDE, 3)).copy()
    images[:, OBJECT, OBJECT] = np.array([30, 220])[labels][:, None, None, None]
    images = np.clip(images + rng.integers(-20, 21, images.shape), 0, 255).astype(np.uint8)
    mask = np.zeros((n, SIDE, SIDE), np.uint8)
    mask[:, OBJECT, OBJECT] = 255
    return Split(
        name="test",
        images=images,
        labels=labels.astype(np.int64),
        attributes=attributes.astype(np.int64),
        groups=(2 * labels + attributes).astype(np.int64),
        ids=np.arange(1000, 1000 + n),
        files=np.array([f"{i}.png" for i in range(n)]),
        masks=mask if masks else None,
    )


def make_train(seed: int = 3) -> Split:
    """Training images in which red walls go with dark squares in 19 of 20, as `make_info` counts them."""
    split = make_split(400, seed)
    kept = (split.labels == split.attributes) | (np.arange(400) % 40 < 4)
    return split.take(kept)


class Crop(nn.Module):
    def __init__(self, part: slice) -> None:
        super().__init__()
        self.part = part

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW[:, :, self.part, self.part]


class Spread(nn.Module):
    """Largest minus least channel: how colorful a pixel is, whatever its hue."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return (x_NCHW.amax(1, keepdim=True) - x_NCHW.amin(1, keepdim=True)).expand(-1, 3, -1, -1)


class TopMinusBottom(nn.Module):
    """How much brighter the upper half is than the lower: where things are."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        half = x_NCHW.shape[2] // 2
        return x_NCHW[:, :, :half] - x_NCHW[:, :, half:]


def reader(stages: nn.Module, weights: list[float], bias: float) -> Classifier:
    """Class 1 where weights · (channel means of what `stages` gives) + bias > 0; pixels in [0, 1]."""
    model = Classifier(nn.Sequential(stages), 3, 2, mean=[0.0] * 3, std=[1.0] * 3)
    with torch.no_grad():
        model.head.weight.copy_(torch.tensor([[0.0] * 3, weights]))
        model.head.bias.copy_(torch.tensor([0.0, bias]))
    return model


LUMA = [0.299, 0.587, 0.114]
WALL_READER = reader(Crop(slice(0, 4)), [-1.0, 0.0, 1.0], 0.0)  # blue minus red of a corner
SQUARE_READER = reader(Crop(OBJECT), [0.0, 1.0, 0.0], -0.5)
LUMA_READER = reader(nn.Identity(), LUMA, -0.3)
SPREAD_READER = reader(Spread(), [1.0, 0.0, 0.0], -0.15)
LAYOUT_READER = reader(TopMinusBottom(), LUMA, 0.0)
NOISE_READER = reader(Crop(slice(0, 1)), [0.0, 1.0, 0.0], -40 / 255)  # one pixel's green: noise


def make_settings(
    *, min_test: int = 20, min_val: int = 5, max_images: int | None = None, seed: int = 0
) -> EvaluateSettings:
    return EvaluateSettings(min_test=min_test, min_val=min_val, max_images=max_images, seed=seed)


def run_reliance(
    models: list[Classifier],
    test: Split,
    info: DatasetInfo | None = None,
    *,
    batch_size: int = 256,
    **settings: Any,
) -> Reliance:
    info = info or make_info()
    return measure_reliance(
        models=models,
        test=test,
        info=info,
        cue=choose_cue(make_train(), test, info, test.labels),
        predicted_SN=predict_classes(models, test.images),
        settings=make_settings(**settings),
        batch_size=batch_size,
    )
