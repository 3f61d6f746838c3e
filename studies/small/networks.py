"""Small networks, trained by the pipeline's own loop.

Shape legend: N images, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.core.types import Float64Array, Split
from pipeline.methods.group_dro import METHOD as GROUP_DRO
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits
from pipeline.train.groups import Groups
from pipeline.train.loop import Job, train_seed
from pipeline.train.plans import Plan, plain_plan
from studies.frame.demo import train_settings
from studies.small.images import first

Watch = Callable[[int, Classifier], None]  # steps done so far, and the network then
_FEW = 2  # the loop validates after every epoch: nothing is selected here


class Mlp(Classifier):
    """Fully connected layers with ReLU."""

    def __init__(self, side: int, widths: Sequence[int], n_classes: int, *, mean: float, std: float) -> None:
        super().__init__([mean] * 3, [std] * 3)
        sizes = [3 * side * side, *widths]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        self.head = nn.Linear(widths[-1], n_classes)
        self.n_classes = n_classes

    def embed(self, pixels_NCHW: Tensor) -> Tensor:
        out = ((pixels_NCHW - self.mean) / self.std).flatten(1)
        for layer in self.layers:
            out = layer(out).relu()
        return out

    def map_layers(self) -> list[str]:
        return []

    def cascade(self) -> list[str]:
        return ["head", *(f"layers.{i}" for i in reversed(range(len(self.layers))))]


def make_mlp(train: Split, widths: Sequence[int], n_classes: int, seed: int) -> Mlp:
    """With weights drawn from `seed`, and the mean and spread of these images."""
    pixels = train.images[:1000] / 255
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Mlp(
            train.images.shape[1], widths, n_classes, mean=float(pixels.mean()), std=float(pixels.std())
        )


def epochs_of(steps: int, n_train: int, batch_size: int) -> int:
    """Epochs that come nearest to so many steps; at least one."""
    return max(1, round(steps * batch_size / n_train))


def train_network(
    model: Classifier,
    train: Split,
    seed: int,
    *,
    options: Mapping[str, Any],
    group_dro: bool = False,
    watch: Watch | None = None,
) -> Classifier:
    """Train to the end, in place; the last epoch's weights, or their average where `options` ask for one.

    Args:
        options: of `train`, over those of `frame.demo`; no augmentation, a constant rate.
        group_dro: with the weights of groups (step size 0.01) and as many images of each.
        watch: called after every step.
    """
    torch.set_num_threads(1)
    settings = train_settings(**{"augment": "none", "schedule": "constant", "seeds": [seed], **options})
    val = first(train, _FEW)
    n_groups = int(train.groups.max()) + 1
    steps = 0

    def tick(more: int) -> None:
        nonlocal steps
        steps += more
        if watch is not None:
            watch(steps, model)

    job = Job(settings, _plan(train, val, n_groups, settings.batch_size, group_dro), seed, n_groups)
    outcome = train_seed(model, train, val, job, resume=None, save=lambda state: None, tick=tick)
    model.load_state_dict(outcome.weights)
    return model.eval()


def _plan(train: Split, val: Split, n_groups: int, batch_size: int, group_dro: bool) -> Plan:
    groups = Groups(train.groups, val.groups, [str(g) for g in range(n_groups)])
    if group_dro:
        own = GROUP_DRO.settings.model_validate(
            {"selection": "last", "step_size": 0.01, "adjustment": 0.0, "allow_empty_groups": True,
             "groups": "given", "inference": "errors", "inference_epochs": 2, "clusters_per_class": 2}
        )  # fmt: skip
        return GROUP_DRO.plan(own, train, groups, batch_size=batch_size)
    return plain_plan(groups, "last")


def accuracies(model: nn.Module, split: Split) -> Float64Array:
    """Accuracy on all images, then of every group that has some, in the order of the groups."""
    right_N = predict_logits(model, split.images).argmax(1) == split.labels
    present = np.unique(split.groups)
    return np.array([right_N.mean(), *(right_N[split.groups == g].mean() for g in present)])
