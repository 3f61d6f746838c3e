"""Which training methods the groups are large enough for."""

from __future__ import annotations

from pipeline.methods.registry import method_names
from pipeline.methods.run import reason_against
from pipeline.plan.params import DatasetSettings
from pipeline.preflight.sizes import Sizes


def reasons_against(sizes: Sizes, settings: DatasetSettings) -> dict[str, str]:
    """The methods that training would stop for want of images in a group, each with the reason."""
    found = {name: reason_against(settings.setup(name), sizes.groups) for name in method_names()}
    return {name: str(error) for name, error in found.items() if error is not None}
