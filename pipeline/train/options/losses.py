"""What an image's logits cost: cross-entropy, or a loss that wrong labels mislead less.

Each gives one number an image, so that every objective (means, group DRO) takes it, and is defined for shares
of the classes, so that it goes with mixup, CutMix and label smoothing: of a class label all is in one share.

Shape legend: B images, K classes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.settings.train import TrainSettings

LOG_OF_NOTHING = -4.0  # the logarithm of a share of 0 in the reverse cross-entropy


def image_losses(logits_BK: Tensor, targets: Tensor, settings: TrainSettings) -> Tensor:
    """The loss of every image, B.

    Args:
        logits_BK: in float32.
        targets: classes B, or shares of them B x K.
    """
    smoothing = settings.label_smoothing
    if settings.loss == "cross_entropy":
        return F.cross_entropy(logits_BK, targets, reduction="none", label_smoothing=smoothing)
    shares_BK = _shares(targets, logits_BK, smoothing)
    log_p_BK = logits_BK.log_softmax(1)
    if settings.loss == "generalized_cross_entropy":
        return generalized_cross_entropy(log_p_BK, shares_BK, settings.gce_q)
    if settings.loss == "symmetric_cross_entropy":
        return symmetric_cross_entropy(log_p_BK, shares_BK, settings.sce_alpha, settings.sce_beta)
    return bootstrapped_cross_entropy(log_p_BK, shares_BK, settings.bootstrap_beta)


def generalized_cross_entropy(log_p_BK: Tensor, shares_BK: Tensor, q: float) -> Tensor:
    """(1 - p^q) / q of the label's probability p: cross-entropy as q goes to 0, 1 - p at q = 1.

    1 - p is half of the absolute errors added up over the classes. A probability of 0 costs 1 / q, no more.

    Source: Zhang and Sabuncu 2018 (arXiv:1805.07836).
    """
    # not 1 - p ** q: exact where q is small
    return (shares_BK * -torch.expm1(q * log_p_BK)).sum(1) / q


def symmetric_cross_entropy(log_p_BK: Tensor, shares_BK: Tensor, alpha: float, beta: float) -> Tensor:
    """alpha times the cross-entropy plus beta times the reverse one: labels and predictions change places.

    The logarithm of a label's 0 is taken as -4: of a class label the second part is 4 (1 - p).

    Source: Wang et al. 2019 (arXiv:1908.06112).
    """
    cross_B = -(shares_BK * log_p_BK).sum(1)
    reverse_B = -(log_p_BK.exp() * shares_BK.log().clamp(min=LOG_OF_NOTHING)).sum(1)
    return alpha * cross_B + beta * reverse_B


def bootstrapped_cross_entropy(log_p_BK: Tensor, shares_BK: Tensor, beta: float) -> Tensor:
    """Cross-entropy with beta of the label and 1 - beta of the prediction itself as the target (soft).

    It is beta times the cross-entropy plus 1 - beta times the prediction's entropy, and its gradient is that.

    Source: Reed et al. 2015 (arXiv:1412.6596).
    """
    targets_BK = beta * shares_BK + (1 - beta) * log_p_BK.exp()
    return -(targets_BK * log_p_BK).sum(1)


def _shares(targets: Tensor, logits_BK: Tensor, smoothing: float) -> Tensor:
    """Shares of the classes, B x K, smoothed as torch's cross-entropy does."""
    n_classes = logits_BK.shape[1]
    shares_BK = F.one_hot(targets, n_classes) if targets.ndim == 1 else targets
    return shares_BK.to(logits_BK.dtype) * (1 - smoothing) + smoothing / n_classes
