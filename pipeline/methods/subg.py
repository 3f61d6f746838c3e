"""SUBG: subsampling by group, every group is cut down to the smallest group's size.

Source: Idrissi et al. 2022 (arXiv:2110.14503).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pipeline.core.errors import CannotTrainError
from pipeline.methods.method import GroupMethod, Words, Workload
from pipeline.methods.sources import IDRISSI
from pipeline.settings.methods import GroupSettings

if TYPE_CHECKING:
    from pipeline.core.types import Split
    from pipeline.train.groups import Groups
    from pipeline.train.plans import Plan


class SubgSettings(GroupSettings):
    """Every group is cut down to the smallest group's size."""

    key: ClassVar[str] = "subg"
    keep_steps: bool = Field(
        description="pass over the subset until an epoch has as many steps as one over all images"
    )


class Subg(GroupMethod[SubgSettings]):
    settings = SubgSettings
    words = Words(
        label="SUBG",
        first="group-balanced subset (SUBG)",
        subtitle="training on as many images of every group as the smallest one has",
        text="Subsampling by group: ERM on as many images of every group as the smallest one has, drawn once "
        "per seed.",
        sources=(IDRISSI,),
    )

    def plan(self, settings: SubgSettings, train: Split, groups: Groups, *, batch_size: int) -> Plan:
        from pipeline.train.plans import simple_plan
        from pipeline.train.subsets import subset_order

        super().check(settings, groups, batch_size=batch_size)
        size = subset_size(groups, batch_size)
        n_rows = len(train) if settings.keep_steps else size
        order = partial(subset_order, groups.train_N, n_rows)
        return simple_plan(order, groups, settings.selection, n_per_epoch=n_rows)

    def check(self, settings: SubgSettings, groups: Groups, *, batch_size: int) -> None:
        super().check(settings, groups, batch_size=batch_size)
        if settings.groups == "given":
            subset_size(groups, batch_size)

    def drawn(self, settings: SubgSettings, work: Workload) -> float:
        if settings.keep_steps:
            return work.n_train
        sizes = [n for n in work.n_train_G if n]
        return len(sizes) * min(sizes, default=0)


def subset_size(groups: Groups, batch_size: int) -> int:
    """Images in the subset.

    Raises:
        CannotTrainError: fewer than one batch of them.
    """
    counts = [(n, name) for n, name in zip(groups.n_train(), groups.names, strict=True) if n]
    fewest, smallest = min(counts, key=lambda count: count[0], default=(0, "none"))
    size = fewest * len(counts)
    if size < batch_size:
        raise CannotTrainError(
            f"SUBG's subset has {size} images ({fewest} of each group; the smallest is {smallest}), less "
            f"than one batch (train.batch_size: {batch_size}). Use rwg, which keeps all images, merge groups "
            "(groups.group_by), collect more images of this group, or lower "
            "methods.subg.train.batch_size."
        )
    return size


METHOD = Subg()
