"""Labels that look wrong to models that never saw the image.

Shape legend: N images in question, V validation images, C classes, Q cells (groups, or classes).
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import BoolArray, Float64Array, Int64Array

DOUBTED = 0.05  # of the validation images of a cell may look as wrong


def label_margins(probabilities_NC: Float64Array, labels_N: Int64Array) -> Float64Array:
    """How much likelier the label is than the likeliest other class, as a difference of logarithms.

    >>> label_margins(np.array([[0.5, 0.25, 0.25]]), np.array([0])).round(3).tolist()
    [0.693]
    """
    rows, log_NC = np.arange(len(labels_N)), np.log(np.clip(probabilities_NC, 1e-12, 1.0))
    own_N = log_NC[rows, labels_N]
    log_NC[rows, labels_N] = -np.inf
    margins_N: Float64Array = own_N - log_NC.max(axis=1)
    return margins_N


def look_wrong(
    margins_N: Float64Array, cells_N: Int64Array, margins_V: Float64Array, cells_V: Int64Array
) -> tuple[BoolArray, float]:
    """Images to which models prefer another class, and more than to 19 of 20 validation images of their cell.

    The models must not have trained on an image: one learned by heart contradicts nothing. Comparing with
    validation keeps images of a hard class from being suspected for being hard. Cells without validation
    images are compared with all of these.

    Returns:
        which of the N look wrong, and how many would if they were as often wrong as validation images.

    Source: predictions out of sample as in confident learning, Northcutt et al. 2021 (arXiv:1911.00068);
        the comparison with validation images as in conformal tests, Bates et al. 2023 (arXiv:2104.08279).

    >>> margins_V, one_cell = np.arange(-1.0, 19), np.zeros(20, int)
    >>> wrong_N, _ = look_wrong(np.array([-3.0, -0.1]), one_cell[:2], margins_V, one_cell)
    >>> wrong_N.tolist()
    [True, False]
    """
    wrong_N, expected = np.zeros(len(margins_N), bool), 0.0
    for cell in np.unique(cells_N).tolist():
        own, like = cells_N == cell, cells_V == cell
        reference = margins_V[like] if like.any() else margins_V
        if not len(reference):
            continue
        bar = min(0.0, float(np.quantile(reference, DOUBTED, method="lower")))
        wrong_N[own] = margins_N[own] < bar
        expected += float((reference < bar).mean()) * int(own.sum())
    return wrong_N, expected
