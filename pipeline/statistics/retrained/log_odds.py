"""The quantity that attribution explains.

Shape legend: N images, K classes.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from pipeline.core.types import Float32Array, Int64Array


def label_log_odds(logits_NK: Float32Array, labels_N: Int64Array) -> Float32Array:
    """Log-odds of the label, log(p / (1 - p)): its logit minus the logsumexp of the other logits.

    Source: the model output of TRAK (Park et al. 2023, arXiv:2303.14186, section 2).

    >>> margins_N = label_log_odds(np.log(np.array([[0.8, 0.2]], np.float32)), np.array([0]))
    >>> round(float(margins_N[0]), 3), round(float(np.log(0.8 / 0.2)), 3)
    (1.386, 1.386)
    """
    logits_NK = logits_NK.astype(np.float64)
    rows = np.arange(len(labels_N))
    label_logits_N = logits_NK[rows, labels_N]
    logits_NK[rows, labels_N] = -np.inf
    margins_N: Float32Array = (label_logits_N - logsumexp(logits_NK, axis=1)).astype(np.float32)
    return margins_N
