"""What expensive indicators look at: the first networks and a sample of test, or why they cannot.

Shape legend: N images, R images of the sample, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from pipeline.core.types import Float64Array, Int64Array, UInt8Array
from pipeline.indicators.indicator import UnmeasuredError
from pipeline.indicators.subject import Subject
from pipeline.models.interface import Classifier
from pipeline.models.predict import to_pixels

BATCH_SIZE = 128


def networks(subject: Subject) -> Sequence[Classifier]:
    """The networks that expensive indicators look at.

    Raises:
        UnmeasuredError: there is none.
    """
    if not subject.few_models:
        raise UnmeasuredError("Only predictions are known of this model: this needs the network itself.")
    return subject.few_models


def sampled_rows(subject: Subject) -> Int64Array:
    """Rows of test, R.

    Raises:
        UnmeasuredError: the settings ask for none.
    """
    if len(subject.sample) == 0:
        raise UnmeasuredError(
            "indicators.images_per_group is 0. Set it to 32 or more to measure what looks at single images."
        )
    return subject.sample


def device_of(model: Classifier) -> torch.device:
    """Where the network is."""
    return next(model.parameters()).device


def batches_of(images_NHW3: UInt8Array | Float64Array, model: Classifier) -> Iterator[tuple[slice, Tensor]]:
    """Rows and their pixels in [0, 1], N x C x H x W, where the network is, of images in 0 to 255."""
    for start in range(0, len(images_NHW3), BATCH_SIZE):
        rows = slice(start, min(start + BATCH_SIZE, len(images_NHW3)))
        yield rows, to_pixels(torch.from_numpy(np.array(images_NHW3[rows])), device_of(model))
