"""TRAK on the last linear layer alone: no backward pass, exact gradients, a fifth of the time.

The gradient of an image's margin f = log(p / (1 - p)) with respect to the layer's weight and bias is
the outer product of df/dlogits and the embedding with a one appended. Per image that is C + D numbers
instead of C (D + 1): features are multiplied out block by block and never kept.

df/dlogits is 1 at the label and minus the softmax over the other classes elsewhere, so it sums to 0.
In an orthonormal basis of the vectors that do so it has C - 1 coordinates and the same inner products:
scores are those of all C (D + 1) parameters, and the second moment has no direction without gradient.

What the body of the network learned from an image is not seen.

Shape legend: N training images, M targets, C classes, D features of the embedding, P = (C - 1)(D + 1),
K dimensions used (P, or fewer by a sketch), B images of one block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import helmert
from torch import Tensor
from torch.nn import functional as F

from pipeline.attribution.gradients.projector import BlockSketch
from pipeline.attribution.scores import Factor, FactoredScores, blocks
from pipeline.attribution.selection import Examples
from pipeline.attribution.store.solving import factorize, solve
from pipeline.core.errors import InputError, TrainingError
from pipeline.core.types import Float32Array, Float64Array, Int64Array
from pipeline.models.interface import Classifier

MOST_DIMENSIONS = 4096  # sketched above: the second moment costs N K^2 operations and 8 K^2 bytes
ROWS = 1024  # targets whose features exist at a time


@dataclass(frozen=True)
class LastLayer:
    """What the last layer sees and sends of some images, and its gradients from that.

    Tensors are float32 on the CPU.
    """

    embeddings_ND: Tensor
    logit_gradients_NC: Tensor  # of the margin; C - 1 columns
    loss_weights_N: Float64Array  # 1 - p(label)
    sketch: BlockSketch | None  # None: features are the gradients themselves
    stream: int  # of the sketch: one for each model

    def __len__(self) -> int:
        return len(self.embeddings_ND)

    def features(self, rows: slice) -> Float32Array:
        """Gradients of the margin, B x K."""
        embeddings_BD = F.pad(self.embeddings_ND[rows], (0, 1), value=1.0)
        outer = self.logit_gradients_NC[rows, :, None] * embeddings_BD[:, None, :]
        flat = outer.flatten(1) if self.sketch is None else self.sketch.project(outer, stream=self.stream)
        features: Float32Array = flat.numpy()
        return features


def last_layer_trak(  # settings by name
    models: Sequence[Classifier],
    *,
    train: Examples,
    targets: Examples,
    ridge: float,
    loss_weighting: float,
    seed: int,
    device: str = "cpu",
    batch_size: int = 256,
    most_dimensions: int = MOST_DIMENSIONS,
) -> FactoredScores:
    """TRAK scores from the last linear layer's gradients, exact up to `most_dimensions` of them.

    mean over models of g(target)^T (G^T G + lambda I)^-1 g(train), times the mean over models of
    1 - p(label of the training image) to the power `loss_weighting`; lambda is `ridge` times the mean
    squared norm of the training gradients, as in TRAK on all layers.

    Raises:
        InputError: no model, or G^T G + lambda I cannot be inverted.
        TrainingError: gradients are not finite.
    Source: Park et al. 2023 (arXiv:2303.14186), section 3, with the gradient of one layer.
    """
    if not models:
        raise InputError("attribution needs at least one trained model: run the train stage first.")
    n_out, n_in = models[0].head.weight.shape
    n_parameters = (n_out - 1) * (n_in + 1)
    sketch = None
    if n_parameters > most_dimensions:
        sketch = BlockSketch(n_in=n_parameters, n_out=most_dimensions, seed=seed)
    dim = n_parameters if sketch is None else most_dimensions
    factors: list[Factor] = []
    weights: list[Float64Array] = []
    for stream, model in enumerate(models):
        seen, asked = (
            _last_layer(*_forward(model, examples, device, batch_size), examples.labels, sketch, stream)
            for examples in (train, targets)
        )
        factors.append(_precondition(seen, asked, dim=dim, ridge=ridge, device=device))
        weights.append(seen.loss_weights_N)
    weights_N = np.mean(weights, axis=0) ** loss_weighting
    return FactoredScores(factors, weights_N, n_targets=len(targets), dim=dim, device=device)


@torch.no_grad()
def _forward(model: Classifier, examples: Examples, device: str, batch_size: int) -> tuple[Tensor, Tensor]:
    """Logits N x C and embeddings N x D in fp32 evaluation mode; the model comes back as it was."""
    was_training, home = model.training, model.mean.device
    model.eval().to(device)
    logits, embeddings = [], []
    for start in range(0, len(examples), batch_size):
        pixels, _ = examples.batch(start, min(len(examples), start + batch_size), device)
        embeddings.append(model.embed(pixels).float())
        logits.append(model.head(embeddings[-1]).float().cpu())
        embeddings[-1] = embeddings[-1].cpu()
    model.train(was_training).to(home)
    return torch.cat(logits), torch.cat(embeddings)


def _last_layer(
    logits_NC: Tensor, embeddings_ND: Tensor, labels: Int64Array, sketch: BlockSketch | None, stream: int
) -> LastLayer:
    own_NC = F.one_hot(torch.from_numpy(labels), logits_NC.shape[1]).bool()
    wide_NC = logits_NC.double()
    others_NC = wide_NC.masked_fill(own_NC, -torch.inf)
    gradients_NC = own_NC.double() - others_NC.softmax(dim=1)  # -inf: exactly 0 at the label
    margins_N = wide_NC[own_NC] - others_NC.logsumexp(dim=1)
    basis_CC = torch.from_numpy(helmert(logits_NC.shape[1]))  # rows: orthonormal, each sums to 0
    return LastLayer(
        embeddings_ND=embeddings_ND,
        logit_gradients_NC=(gradients_NC @ basis_CC.T).float(),
        loss_weights_N=torch.sigmoid(-margins_N).numpy(),
        sketch=sketch,
        stream=stream,
    )


def _precondition(seen: LastLayer, asked: LastLayer, *, dim: int, ridge: float, device: str) -> Factor:
    """The training images' features, and (G^T G + lambda I)^-1 g(target) of every target, M x K."""
    n = len(seen)
    if not (torch.isfinite(seen.embeddings_ND).all() and torch.isfinite(seen.logit_gradients_NC).all()):
        raise TrainingError(
            "last-layer gradients are not finite, so the network's weights are not usable. "
            "Train it again with a lower train.lr."
        )
    inverse = factorize(seen.features, n=n, dim=dim, ridge=ridge, device=device)
    parts = [
        solve(inverse, torch.from_numpy(asked.features(cols)), seen.features, n=n).float().cpu().numpy()
        for cols in blocks(len(asked), ROWS)
    ]
    targets_MK: Float32Array = np.concatenate(parts)
    return Factor(seen.features, targets_MK.__getitem__)
