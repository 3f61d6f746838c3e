"""Is a network better than one that gives a single answer to every image, which survives everything?

Shape legend: R images of the sample.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Int64Array

Z_ONE_SIDED = 1.645  # 5 %


def beats_constant(answers_R: Int64Array, labels_R: Int64Array) -> bool:
    """Whether the mean of the classes' accuracies is above 1 / K, which is every constant answer's.

    Above by 1.645 of its standard errors: an error of 5 % for a network that answers at random.
    """
    right_R = answers_R == labels_R
    classes = np.unique(labels_R)
    recall_K = np.array([right_R[labels_R == c].mean() for c in classes])
    n_K = np.array([np.count_nonzero(labels_R == c) for c in classes])
    error = np.sqrt((recall_K * (1 - recall_K) / n_K).sum()) / len(classes)
    return bool(recall_K.mean() - Z_ONE_SIDED * error > 1 / len(classes))
