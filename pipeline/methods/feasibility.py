"""Whether a method can be trained on groups of given sizes, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.errors import InputError
from pipeline.records.data import GroupInfo
from pipeline.settings.methods import AnyMethodSettings, DfrSettings, RepairSettings, SubgSettings
from pipeline.train.last_layer import check_enough_images
from pipeline.train.plans import Groups, check_groups, check_repair
from pipeline.train.subsets import subset_size


def reason_against(
    method: AnyMethodSettings, sizes: Sequence[GroupInfo], *, batch_size: int
) -> InputError | None:
    """The error that training would stop with for want of images in a group; None where it would not."""
    n_train_G, n_val_G = [g.n_train for g in sizes], [g.n_val for g in sizes]
    names = [g.name for g in sizes]
    everything = np.arange(len(sizes), dtype=np.int64)
    groups = Groups(np.repeat(everything, n_train_G), np.repeat(everything, n_val_G), names)
    try:
        if isinstance(method, DfrSettings):
            check_enough_images(n_train_G, n_val_G, names, method)
            return None
        if isinstance(method, RepairSettings):
            if method.groups == "given":
                check_repair(groups)
            return None
        check_groups(method, groups)
        if isinstance(method, SubgSettings) and method.groups == "given":
            subset_size(groups.train_N, names, batch_size)
    except InputError as error:
        return error
    return None
