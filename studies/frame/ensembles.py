"""Small residual perceptrons side by side: one tensor holds the weights of all, none sees another.

Shape legend: M networks, N images, D inputs, H hidden units, K classes, L blocks, E evaluations, A sets that
are answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.core.types import Float32Array, Float64Array, Int64Array
from pipeline.models.interface import Classifier


@dataclass(frozen=True)
class Recipe:
    """How networks are made and trained: by Adam on all images at once."""

    width: int
    steps: int
    lr: float
    every: int  # steps between evaluations
    blocks: int = 0  # residual blocks of one layer after the first one
    dropout: float = 0.0  # of what the last layer sees
    stochastic_depth: float = 0.0  # chance to skip the last block; earlier ones less


@dataclass(frozen=True)
class Ensemble:
    first_MDH: Tensor
    blocks_LMHH: Tensor
    last_MHK: Tensor

    @classmethod
    def start(cls, recipe: Recipe, n_inputs: int, n_classes: int, seeds: Sequence[int]) -> Ensemble:
        """First weights, He et al. 2015; each network's depend on its own seed alone."""
        shapes = [(n_inputs, recipe.width), *[(recipe.width,) * 2] * recipe.blocks, (recipe.width, n_classes)]
        drawn = []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            drawn.append([torch.randn(s, generator=generator) * (2 / s[0]) ** 0.5 for s in shapes])
        first, *blocks, last = [torch.stack(same) for same in zip(*drawn, strict=True)]
        width = (len(seeds), recipe.width, recipe.width)
        stacked = torch.stack(blocks) if blocks else torch.empty((0, *width))
        return cls(*(part.requires_grad_() for part in (first, stacked, last)))

    @property
    def parameters(self) -> list[Tensor]:
        return [self.first_MDH, self.blocks_LMHH, self.last_MHK]

    def features(self, images: Tensor, gates_LM: Tensor | None = None) -> Tensor:
        """What the last layer sees, M x N x H, of images N x D or M x N x D."""
        hidden_MNH = F.relu(images @ self.first_MDH)
        for index, block_MHH in enumerate(self.blocks_LMHH):
            change = F.relu(hidden_MNH @ block_MHH)
            hidden_MNH = hidden_MNH + (
                change if gates_LM is None else gates_LM[index, :, None, None] * change
            )
        return hidden_MNH

    def logits(self, images: Tensor) -> Tensor:
        return self.features(images) @ self.last_MHK

    def network(self, m: int) -> Perceptron:
        """One of them, without blocks, as a network that the audit's indicators measure."""
        assert len(self.blocks_LMHH) == 0
        return Perceptron(self.first_MDH[m].detach(), self.last_MHK[m].detach())


class Perceptron(Classifier):
    """One hidden layer on pixels N x 1 x H x W in [0, 1]."""

    def __init__(self, first_DH: Tensor, last_HK: Tensor) -> None:
        super().__init__([0.0] * 3, [1.0] * 3)
        self.first = nn.Linear(first_DH.shape[0], first_DH.shape[1], bias=False)
        self.head = nn.Linear(last_HK.shape[0], last_HK.shape[1], bias=False)
        self.n_classes = last_HK.shape[1]
        with torch.no_grad():
            self.first.weight.copy_(first_DH.T)
            self.head.weight.copy_(last_HK.T)

    def embed(self, pixels_NCHW: Tensor) -> Tensor:
        return F.relu(self.first(pixels_NCHW.flatten(1)))

    def map_layers(self) -> list[str]:
        return []

    def cascade(self) -> list[str]:
        return ["head", "first"]


def train_ensemble(
    recipe: Recipe,
    images_ND: Float32Array,
    labels_MN: Int64Array,
    seeds: Sequence[int],
    asked: Sequence[tuple[Float32Array, Int64Array]],
) -> tuple[Ensemble, list[Float64Array]]:
    """Train M networks on the same images, each with labels of its own.

    Args:
        asked: images, and labels N or M x N (-1: not counted), whose accuracy is noted.

    Returns:
        The networks, and for each of `asked` the accuracies E x M, the first before any step.
    """
    torch.set_num_threads(1)
    n_classes = int(labels_MN.max()) + 1
    networks = Ensemble.start(recipe, images_ND.shape[1], n_classes, seeds)
    generator = torch.Generator().manual_seed(seeds[0])
    images, labels = torch.from_numpy(images_ND), torch.from_numpy(labels_MN)
    sets = [
        (torch.from_numpy(x), torch.from_numpy(np.broadcast_to(y, (len(seeds), len(x))).copy()))
        for x, y in asked
    ]
    optimizer = torch.optim.Adam(networks.parameters, lr=recipe.lr, fused=True)
    noted: list[list[Tensor]] = [[] for _ in sets]
    for step in range(recipe.steps + 1):
        if step % recipe.every == 0:
            for known, (x, y) in zip(noted, sets, strict=True):
                known.append(_accuracy(networks, x, y))
        if step == recipe.steps:
            break
        hidden_MNH = networks.features(images, _gates(recipe, len(seeds), generator))
        if recipe.dropout:
            keep = torch.rand(hidden_MNH.shape, generator=generator) >= recipe.dropout
            hidden_MNH = hidden_MNH * keep / (1 - recipe.dropout)
        loss = F.cross_entropy((hidden_MNH @ networks.last_MHK).flatten(0, 1), labels.flatten())
        optimizer.zero_grad()
        (loss * len(seeds)).backward()  # the sum of the networks' mean losses
        optimizer.step()
    return networks, [torch.stack(known).double().numpy() for known in noted]


def _gates(recipe: Recipe, n_networks: int, generator: torch.Generator) -> Tensor | None:
    """0 where a block is skipped in this step, else 1 / the chance that it is not, L x M."""
    if not recipe.stochastic_depth:
        return None
    depth_L1 = torch.arange(1, recipe.blocks + 1)[:, None] / recipe.blocks
    kept_L1 = 1 - recipe.stochastic_depth * depth_L1
    return (torch.rand((recipe.blocks, n_networks), generator=generator) < kept_L1) / kept_L1


@torch.no_grad()
def _accuracy(networks: Ensemble, images: Tensor, labels_MN: Tensor) -> Tensor:
    right_MN = networks.logits(images).argmax(2) == labels_MN
    counted_MN = labels_MN >= 0
    return (right_MN & counted_MN).sum(1) / counted_MN.sum(1).clamp_min(1)


@dataclass(frozen=True)
class Digits:
    """scikit-learn's digits, pixels in [0, 1], in three parts."""

    train: tuple[Float32Array, Int64Array]
    val: tuple[Float32Array, Int64Array]
    test: tuple[Float32Array, Int64Array]


def load_digits_in_parts(n_train: int, n_val: int, seed: int = 0) -> Digits:
    """The same parts for the same call; the rest is test."""
    from sklearn.datasets import load_digits

    images_ND, labels_N = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels_N))
    parts = np.split(order, [n_train, n_train + n_val])
    pixels = (images_ND / 16).astype(np.float32)
    return Digits(*((pixels[rows], labels_N[rows].astype(np.int64)) for rows in parts))


def with_noise(labels_N: Int64Array, share: float, seed: int, n_classes: int = 10) -> Int64Array:
    """Labels of which `share` are wrong: drawn anew among all other classes."""
    rng = np.random.default_rng([seed, 1])
    rows = rng.permutation(len(labels_N))[: round(share * len(labels_N))]
    noisy = labels_N.copy()
    noisy[rows] = (noisy[rows] + rng.integers(1, n_classes, len(rows))) % n_classes
    return noisy


def with_random(labels_N: Int64Array, share: float, seed: int, n_classes: int = 10) -> Int64Array:
    """Labels of which `share` are drawn anew among all classes: some stay right (Zhang et al. 2017)."""
    rng = np.random.default_rng([seed, 2])
    rows = rng.permutation(len(labels_N))[: round(share * len(labels_N))]
    drawn = labels_N.copy()
    drawn[rows] = rng.integers(0, n_classes, len(rows))
    return drawn
