"""What several indicators read of a method's answers.

Shape legend: S networks (seeds), N images, K classes, D features.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.errors import CannotExplainError
from pipeline.core.types import Float32Array, Float64Array, SplitName
from pipeline.indicators.indicator import UnmeasuredError
from pipeline.indicators.subject import Subject


def confidence_and_right(subject: Subject) -> Float64Array:
    """Probability of the predicted class and whether it is the image's (1 or 0), S x N x 2.

    Raises:
        UnmeasuredError: the probability is not known.
    """
    if subject.confidence_SN is None:
        raise UnmeasuredError("The table of predictions has no probabilities.")
    right_SN = subject.predicted_SN == subject.test.labels
    return np.stack([subject.confidence_SN, right_SN.astype(np.float64)], axis=2)


def log_probabilities(subject: Subject, name: SplitName) -> Float64Array:
    """Of all classes, S x N x K.

    Raises:
        UnmeasuredError: there is no network to ask.
    """
    need_networks(subject)
    return subject.log_probabilities(name)


def embeddings(subject: Subject, s: int, name: SplitName) -> Float32Array:
    """What the last layer of network s sees of a split, N x D.

    Raises:
        UnmeasuredError: the network has no last linear layer.
    """
    try:
        return subject.embeddings(s, name)
    except CannotExplainError as error:
        raise UnmeasuredError(str(error)) from error


def need_networks(subject: Subject) -> None:
    """Raise `UnmeasuredError` where only predictions are known."""
    if not subject.models:
        raise UnmeasuredError("Only predictions are known of this model, and it takes the network.")


def need_validation(subject: Subject) -> None:
    """Raise `UnmeasuredError` where validation images are no held-out ones."""
    if subject.trained_on_val:
        raise UnmeasuredError("Validation images trained this model, so nothing can be fitted on them.")
    if len(subject.val) == 0:
        raise UnmeasuredError("There are no validation images.")
