"""Whether a method can be trained on groups of given sizes, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.core.errors import InputError
from pipeline.methods.method import Setup
from pipeline.records.data import GroupInfo
from pipeline.train.groups import Groups


def reason_against(setup: Setup[Any], sizes: Sequence[GroupInfo]) -> InputError | None:
    """The error that training would stop with for want of images in a group; None where it would not."""
    everything = np.arange(len(sizes), dtype=np.int64)
    groups = Groups(
        np.repeat(everything, [g.n_train for g in sizes]),
        np.repeat(everything, [g.n_val for g in sizes]),
        [g.name for g in sizes],
    )
    try:
        setup.method.check(setup.settings, groups, batch_size=setup.train.batch_size)
    except InputError as error:
        return error
    return None
