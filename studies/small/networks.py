"""Small networks, trained by the pipeline's own loop.

Shape legend: N images, C channels, H height, W width.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.core.types import Float64Array, Int64Array, Split
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits
from pipeline.train.batches import group_balanced_order
from pipeline.train.groups import Groups
from pipeline.train.loop import Job, train_seed
from pipeline.train.objectives import GroupDro, group_adjustments, initial_group_weights
from pipeline.train.plans import Plan, simple_plan
from pipeline.train.subsets import repeated_passes
from studies.frame.demo import train_settings
from studies.small.images import first

Watch = Callable[[int, Classifier], None]  # steps done so far, and the network then
_FEW = 2  # the loop validates after every epoch: nothing is selected here


class Mlp(Classifier):
    """Fully connected layers with ReLU."""

    def __init__(self, side: int, widths: Sequence[int], n_classes: int, *, mean: float, std: float) -> None:
        super().__init__([mean] * 3, [std] * 3)
        sizes = [3 * side * side, *widths]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
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


PARTS = 8  # of a training: the loop's epochs, after each of which it validates and averages weights


def train_network(
    model: Classifier,
    train: Split,
    seed: int,
    *,
    steps: int,
    options: Mapping[str, Any] | None = None,
    group_dro: bool = False,
    watch: Watch | None = None,
) -> Classifier:
    """Train in place; the weights after the last step, or their average where `options` ask for one.

    Args:
        steps: optimizer steps, a few more where they are no multiple of `PARTS`.
        options: of `train`, over those of `frame.demo`; no augmentation, a constant rate.
        group_dro: with the weights of groups (step size 0.01) and as many images of each.
        watch: called after every step.
    """
    torch.set_num_threads(1)
    own = {"augment": "none", "schedule": "constant", "epochs": PARTS, "seeds": [seed], **(options or {})}
    settings = train_settings(**own)
    val = first(train, _FEW)
    n_groups = int(train.groups.max()) + 1
    done = 0

    def tick(more: int) -> None:
        nonlocal done
        done += more
        if watch is not None:
            watch(done, model)

    groups = Groups(train.groups, val.groups, [str(g) for g in range(n_groups)])
    plan = _plan(train, groups, n_rows=-(-steps // PARTS) * settings.batch_size, group_dro=group_dro)
    job = Job(settings, plan, seed, n_groups)
    outcome = train_seed(model, train, val, job, resume=None, save=lambda state: None, tick=tick)
    model.load_state_dict(outcome.weights)
    return model.eval()


def _plan(train: Split, groups: Groups, *, n_rows: int, group_dro: bool) -> Plan:
    """Passes over all images, one after the other, cut into parts of `n_rows`."""
    if group_dro:
        n_train_G = groups.n_train()
        return Plan(
            order=partial(_balanced, train.groups, n_rows),
            n_per_epoch=n_rows,
            objective=GroupDro(group_adjustments(n_train_G, 0.0), step_size=0.01),
            selection="last",
            groups_N=groups.train_N,
            val_groups_V=groups.val_V,
            initial_weights_G=initial_group_weights(n_train_G),
        )
    order = partial(repeated_passes, np.arange(len(train)), n_rows)
    return simple_plan(order, groups, "last", n_per_epoch=n_rows)


def _balanced(groups_N: Int64Array, n_rows: int, *, seed: int, epoch: int) -> Int64Array:
    """As many draws of each group as the method makes, for `n_rows` rows."""
    repeats = -(-n_rows // len(groups_N))
    drawn = [group_balanced_order(groups_N, seed=seed, epoch=epoch * repeats + i) for i in range(repeats)]
    return np.concatenate(drawn)[:n_rows]


def accuracies(model: nn.Module, split: Split) -> Float64Array:
    """Accuracy on all images, then of every group that has some, in the order of the groups."""
    right_N = predict_logits(model, split.images).argmax(1) == split.labels
    present = np.unique(split.groups)
    return np.array([right_N.mean(), *(right_N[split.groups == g].mean() for g in present)])
