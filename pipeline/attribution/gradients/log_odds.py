"""The margin whose gradients are compared, and the loss weighting Q, from one set of logits.

Shape legend: B images, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def label_log_odds(logits_BK: Tensor, labels_B: Tensor) -> Tensor:
    """log(p / (1 - p)) of the label, B.

    Source: Park et al. 2023 (arXiv:2303.14186), section 3.3; as `trak.modelout_functions` computes it.
    """
    classes = torch.arange(logits_BK.shape[-1], device=labels_B.device)
    is_label_BK = labels_B[:, None] == classes  # one_hot looks at values, which torch.func.vmap refuses
    others_B = logits_BK.masked_fill(is_label_BK, -torch.inf).logsumexp(dim=-1)
    return logits_BK.masked_fill(~is_label_BK, 0).sum(dim=-1) - others_B


def one_minus_p(logits_BK: Tensor, labels_B: Tensor) -> Tensor:
    """1 - p(label), B: the derivative of the loss by the margin, up to its sign."""
    p_BK = logits_BK.softmax(dim=-1)
    return 1 - p_BK.gather(1, labels_B[:, None])[:, 0]
