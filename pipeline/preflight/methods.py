"""Which training methods the groups are large enough for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from pipeline.methods.feasibility import reason_against
from pipeline.plan.params import DatasetSettings
from pipeline.preflight.sizes import Sizes
from pipeline.settings.methods import MethodName


def reasons_against(
    sizes: Sizes, settings: DatasetSettings, methods: Sequence[MethodName] = get_args(MethodName)
) -> dict[MethodName, str]:
    """Of `methods` those that training would stop for want of images in a group, each with the reason."""
    found = {
        method: reason_against(
            getattr(settings.methods, method),
            sizes.groups,
            batch_size=settings.train_for(method).batch_size,
        )
        for method in methods
    }
    return {method: str(error) for method, error in found.items() if error is not None}
