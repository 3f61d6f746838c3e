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

from pipeline.attribution.projector import BlockSketch
from pipeline.attribution.selection import Examples
from pipeline.core.errors import InputError, TrainingError
from pipeline.core.types import Float32Array
from pipeline.models.classifier import Classifier

MOST_DIMENSIONS = 4096  # sketched above: the second moment costs N K^2 operations and 8 K^2 bytes
ROWS = 1024  # images whose features exist at a time
LEAST_PIVOT = 1e-12  # squared ratio of Cholesky pivots below which the second moment counts as singular


@dataclass(frozen=True)
class LastLayer:
    """What the last layer sees and sends of some images, and its gradients from that.

    All tensors are float32 on the CPU.
    """

    embeddings_ND: Tensor
    logit_gradients_NC: Tensor  # of the margin; C - 1 columns
    loss_weights_N: Tensor  # 1 - p(label)
    sketch: BlockSketch | None  # None: features are the gradients themselves
    stream: int  # of the sketch: one for each model

    def __len__(self) -> int:
        return len(self.embeddings_ND)

    def features(self, rows: slice) -> Tensor:
        """Gradients of the margin, B x K."""
        embeddings_BD = torch.nn.functional.pad(self.embeddings_ND[rows], (0, 1), value=1.0)
        outer = self.logit_gradients_NC[rows, :, None] * embeddings_BD[:, None, :]
        return outer.flatten(1) if self.sketch is None else self.sketch.project(outer, stream=self.stream)


class LastLayerScores:
    """TRAK scores of the last layer, mean over models."""

    def __init__(
        self, train: Sequence[LastLayer], targets: Sequence[LastLayer], *, ridge: float, loss_weighting: bool
    ) -> None:
        self._train = train
        self._targets = [
            _precondition(seen, asked, ridge) for seen, asked in zip(train, targets, strict=True)
        ]
        weights_N = torch.stack([seen.loss_weights_N for seen in train]).mean(dim=0)
        self._weights_N = weights_N if loss_weighting else torch.ones_like(weights_N)

    @property
    def n_train(self) -> int:
        return len(self._train[0])

    @property
    def n_targets(self) -> int:
        return len(self._targets[0])

    def block(self, rows: slice, cols: slice) -> Float32Array:
        """Scores of training images `rows` on targets `cols`; positive = helps."""
        pairs = zip(self._train, self._targets, strict=True)
        total = torch.stack([seen.features(rows) @ asked_MK[cols].T for seen, asked_MK in pairs]).mean(dim=0)
        scores: Float32Array = (total * self._weights_N[rows, None]).numpy()
        return scores


def last_layer_trak(  # settings by name
    models: Sequence[Classifier],
    *,
    train: Examples,
    targets: Examples,
    ridge: float,
    loss_weighting: bool,
    seed: int,
    device: str = "cpu",
    batch_size: int = 256,
    most_dimensions: int = MOST_DIMENSIONS,
) -> LastLayerScores:
    """TRAK scores from the last linear layer's gradients, exact up to `most_dimensions` of them.

    mean over models of g(target)^T (G^T G + lambda I)^-1 g(train), times the mean over models of
    1 - p(label of the training image) if `loss_weighting`; lambda is `ridge` times the mean squared norm
    of the training gradients, as in TRAK on all layers.

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
    seen: list[LastLayer] = []
    asked: list[LastLayer] = []
    for stream, model in enumerate(models):
        for examples, kept in ((train, seen), (targets, asked)):
            logits_NC, embeddings_ND = _forward(model, examples, device, batch_size)
            labels_N = torch.from_numpy(examples.labels)
            kept.append(_last_layer(logits_NC, embeddings_ND, labels_N, sketch, stream))
    return LastLayerScores(seen, asked, ridge=ridge, loss_weighting=loss_weighting)


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
    logits_NC: Tensor, embeddings_ND: Tensor, labels_N: Tensor, sketch: BlockSketch | None, stream: int
) -> LastLayer:
    own_NC = torch.nn.functional.one_hot(labels_N, logits_NC.shape[1]).bool()
    wide_NC = logits_NC.double()
    others_NC = wide_NC.masked_fill(own_NC, -torch.inf)
    gradients_NC = own_NC.double() - others_NC.softmax(dim=1)  # -inf: exactly 0 at the label
    margins_N = wide_NC[own_NC] - others_NC.logsumexp(dim=1)
    basis_CC = torch.from_numpy(helmert(logits_NC.shape[1]))  # rows: orthonormal, each sums to 0
    return LastLayer(
        embeddings_ND=embeddings_ND,
        logit_gradients_NC=(gradients_NC @ basis_CC.T).float(),
        loss_weights_N=torch.sigmoid(-margins_N).float(),
        sketch=sketch,
        stream=stream,
    )


def _precondition(seen: LastLayer, asked: LastLayer, ridge: float) -> Tensor:
    """(G^T G + lambda I)^-1 g(target) of every target, M x K."""
    moment_KK = _second_moment(seen)
    mean_square = float(moment_KK.trace()) / len(seen)
    if not np.isfinite(mean_square):
        raise TrainingError(
            "last-layer gradients are not finite, so the network's weights are not usable. "
            "Train it again with a lower train.lr."
        )
    moment_KK.diagonal().add_(ridge * mean_square)
    factor_KK, failed = torch.linalg.cholesky_ex(moment_KK)
    pivots_K = factor_KK.diagonal()
    if int(failed) or float(pivots_K.min() / pivots_K.max()) ** 2 < LEAST_PIVOT:
        raise InputError(
            f"the {len(moment_KK)} x {len(moment_KK)} matrix of last-layer gradients cannot be inverted with "
            f"attribute.ridge = {ridge:g}: some directions carry no gradient. Set attribute.ridge above 0 "
            "(0.01 serves)."
        )
    parts = [
        torch.cholesky_solve(asked.features(slice(start, start + ROWS)).double().T, factor_KK).T.float()
        for start in range(0, len(asked), ROWS)
    ]
    return torch.cat(parts)


def _second_moment(seen: LastLayer) -> Tensor:
    """G^T G in float64, K x K."""
    n_features = seen.features(slice(0, 1)).shape[1]
    total_KK = torch.zeros(n_features, n_features, dtype=torch.float64)
    for start in range(0, len(seen), ROWS):
        block_BK = seen.features(slice(start, start + ROWS)).double()
        total_KK.addmm_(block_BK.T, block_BK)
    return total_KK
