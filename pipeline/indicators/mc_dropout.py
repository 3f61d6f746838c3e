"""Uncertainty by dropout: how far passes with other units dropped disagree.

Shape legend: S networks, R images of the sample, N images, K classes, T passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from pipeline.indicators.indicator import ByImage, ImageIndicator, UnmeasuredError, Words
from pipeline.indicators.looked_at import batches_of, device_of, networks, sampled_rows
from pipeline.indicators.subject import Subject
from pipeline.models.as_found import evaluating
from pipeline.models.interface import Classifier

N_PASSES = 20


def dropouts(model: nn.Module) -> list[_DropoutNd]:
    """The dropout layers that drop something in training."""
    return [m for m in model.modules() if isinstance(m, _DropoutNd) and m.p > 0]


@contextmanager
def dropping(model: nn.Module, device: torch.device, seed: int) -> Iterator[None]:
    """Evaluation mode but for dropout, with random numbers of its own; all as before afterwards."""
    with evaluating(model), torch.random.fork_rng([device] if device.type == "cuda" else []), torch.no_grad():
        torch.manual_seed(seed)
        for layer in dropouts(model):
            layer.train()
        yield


def draw_passes(model: Classifier, pixels_NCHW: Tensor) -> Tensor:
    """Probabilities of `N_PASSES` passes, T x N x K; what lies before the only dropout is computed once."""
    if dropouts(model) == [model.dropout] and type(model).forward is Classifier.forward:
        features_ND = model.embed(pixels_NCHW)
        logits = [model.head(model.dropout(features_ND)) for _ in range(N_PASSES)]
    else:
        logits = [model(pixels_NCHW) for _ in range(N_PASSES)]
    return torch.stack(logits).double().softmax(2)


def mutual_information(probabilities_TNK: Tensor) -> Tensor:
    """Entropy of the mean minus the mean entropy, N, in nats: 0 where all passes agree, at most ln K.

    Source: Houlsby et al. 2011 (arXiv:1112.5745).
    """
    total_N = torch.special.entr(probabilities_TNK.mean(0)).sum(1)
    within_N = torch.special.entr(probabilities_TNK).sum(2).mean(0)
    found_N: Tensor = (total_N - within_N).clamp_min(0)  # rounding
    return found_N


def _per_image(subject: Subject) -> ByImage:
    models = networks(subject)
    if not all(dropouts(model) for model in models):
        raise UnmeasuredError("The network has no dropout. Set train.dropout above 0 to train with it.")
    images = subject.test.images[sampled_rows(subject)]
    values_SR1 = np.empty((len(models), len(images), 1))
    for s, model in enumerate(models):
        with dropping(model, device_of(model), subject.settings.seed):
            for rows, pixels in batches_of(images, model):
                values_SR1[s, rows, 0] = mutual_information(draw_passes(model, pixels)).cpu().numpy()
    return ByImage(values_SR1)


INDICATOR = ImageIndicator(
    name="mc_dropout",
    words=Words(
        title="uncertainty by dropout",
        sees="How far the probabilities of one image disagree between passes in which other units "
        "are dropped: what more training images could settle.",
        unit="number",
        better="lower",
        source="Gal & Ghahramani 2016 (arXiv:1506.02142)",
    ),
    per_image=_per_image,
    images="sample",
)
