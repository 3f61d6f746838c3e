"""The embedded demo and the audit's own network and training loop, for studies.

Shape legend: N images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch

from pipeline.core.types import SPLIT_NAMES, Int64Array, Split, SplitName
from pipeline.data.raw import RawRow
from pipeline.data.sources.photo_digits import CLASSES, PHOTOS, SIDE, PhotoDigits
from pipeline.models.interface import Classifier
from pipeline.settings.sources import PhotoDigitsSource
from pipeline.settings.train import TrainSettings
from pipeline.train.groups import Groups
from pipeline.train.loop import Job, Outcome, train_seed
from pipeline.train.networks import first_network
from pipeline.train.plans import Plan, plain_plan

GROUPS = [f"{name} on {photo}" for name in CLASSES for photo in PHOTOS]
_TRAIN: dict[str, Any] = {  # the demo's settings of params.yaml
    "model": "small_resnet", "width": 8, "stem_stride": 2, "pretrained": False, "seeds": [0], "epochs": 8,
    "batch_size": 64, "optimizer": "sgd", "lr": 0.02, "momentum": 0.9, "weight_decay": 5e-4,
    "schedule": "one_cycle", "augment": "crop", "label_smoothing": 0.0, "precision": "fp32", "device": "cpu",
    "checkpoint_seconds": 1e9,
}  # fmt: skip


@dataclass(frozen=True)
class Demo:
    """Digits on photographs; groups are class x photograph, 0..3."""

    train: Split
    val: Split
    test: Split

    @property
    def groups(self) -> Groups:
        return Groups(self.train.groups, self.val.groups, GROUPS)


@cache
def load_demo(
    *,
    n_train: int = 3000,
    n_val: int = 1000,
    n_test: int = 1200,
    strength: float = 0.95,
    label_noise: float = 0.03,
    contrast: float = 0.7,
    seed: int = 0,
) -> Demo:
    """The demo of this size, shortcut and noise; the same call gives the same pixels."""
    source = PhotoDigitsSource(
        kind="photo_digits", strength=strength, n_train=n_train, n_val=n_val, n_test=n_test,
        contrast=contrast, label_noise=label_noise, seed=seed,
    )  # fmt: skip
    rows = PhotoDigits(source).load().rows
    return Demo(*(_split(name, [row for row in rows if row.split == name]) for name in SPLIT_NAMES))


def _split(name: SplitName, rows: list[RawRow]) -> Split:
    label_N = np.array([CLASSES.index(row.label) for row in rows], np.int64)
    photo_N = np.array([PHOTOS.index(row.attributes["photo"]) for row in rows], np.int64)
    return Split(
        name=name,
        images=np.stack([np.asarray(row.image) for row in rows]),
        labels=label_N,
        ids=np.arange(len(rows)),
        files=np.array([row.name for row in rows]),
        label_flipped=np.array([row.label_flipped for row in rows]),
        annotated={"photo": photo_N},
        attributes=photo_N,
        groups=2 * label_N + photo_N,
    )


def with_labels(split: Split, labels_N: Int64Array) -> Split:
    """The same images with other labels, of two classes."""
    return replace(split, labels=labels_N, groups=2 * labels_N + split.attributes)


def train_settings(**changes: Any) -> TrainSettings:
    """The demo's training settings, but for `changes`."""
    return TrainSettings(**(_TRAIN | changes))


def new_network(demo: Demo, settings: TrainSettings, seed: int) -> Classifier:
    """The network of `settings` with the first weights of a seed, in evaluation mode."""
    pixels = demo.train.images / np.float32(255)
    mean, std = pixels.mean(axis=(0, 1, 2)).tolist(), pixels.std(axis=(0, 1, 2)).tolist()
    return first_network(settings, CLASSES, SIDE, seed=seed, mean=mean, std=std).eval()


def fit(
    demo: Demo, settings: TrainSettings, seed: int, plan: Plan | None = None
) -> tuple[Classifier, Outcome]:
    """A network trained by the audit's loop, with the weights of its last epoch, in evaluation mode.

    Args:
        plan: of a method; None: every image once an epoch, and the mean loss.
    """
    torch.set_num_threads(1)
    model = new_network(demo, settings, seed)
    job = Job(settings, plan or plain_plan(demo.groups, "last"), seed, len(GROUPS))
    outcome = train_seed(
        model, demo.train, demo.val, job, resume=None, save=lambda state: None, tick=lambda steps: None
    )
    model.load_state_dict(outcome.weights)
    return model.eval(), outcome
