"""A small planted training problem: the class is a left/right bar, a color is the shortcut."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.core.settings import ErmSettings, GroupDroSettings, TrainSettings
from pipeline.core.types import Split, SplitName

GROUP_NAMES = ["left/red", "left/blue", "right/red", "right/blue"]


def make_settings(**changes: Any) -> TrainSettings:
    base: dict[str, Any] = {
        "model": "small_resnet",
        "width": 4,
        "stem_stride": 1,
        "pretrained": False,
        "seeds": [0],
        "epochs": 3,
        "batch_size": 32,
        "optimizer": "sgd",
        "lr": 0.05,
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "schedule": "one_cycle",
        "augment": "none",
        "label_smoothing": 0.0,
        "precision": "fp32",
        "device": "cpu",
        "checkpoint_seconds": 1000.0,
    }
    return TrainSettings(**(base | changes))


def make_erm(selection: str = "average") -> ErmSettings:
    return ErmSettings.model_validate({"selection": selection})


def make_dro(**changes: Any) -> GroupDroSettings:
    base = {"selection": "worst_group", "step_size": 0.01, "adjustment": 0.0, "allow_empty_groups": False}
    return GroupDroSettings.model_validate(base | changes)


def make_split(
    n: int, *, name: SplitName = "train", strength: float = 0.9, seed: int = 0, bar: int = 40
) -> Split:
    """16 x 16 noise with a bar as bright as `bar` (class) on a tinted ground (attribute)."""
    rng = np.random.default_rng([seed, len(name)])
    labels = np.arange(n) % 2
    agrees = rng.random(n) < strength
    attributes = np.where(agrees, labels, 1 - labels)
    images = rng.integers(60, 120, size=(n, 16, 16, 3))
    images[attributes == 0, :, :, 0] += 80
    images[attributes == 1, :, :, 2] += 80
    images[labels == 0, 4:12, 2:5] += bar
    images[labels == 1, 4:12, 11:14] += bar
    return Split(
        name=name,
        images=images.astype(np.uint8),
        labels=labels.astype(np.int64),
        attributes=attributes.astype(np.int64),
        groups=(2 * labels + attributes).astype(np.int64),
        ids=np.arange(n),
        files=np.array([f"{name}_{i}.png" for i in range(n)]),
    )
