"""Group DRO: the groups with the highest loss get more weight at every step.

Source: Sagawa et al. 2020 (arXiv:1911.08731).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pipeline.methods.method import GroupMethod, Words
from pipeline.methods.sources import SAGAWA
from pipeline.settings.methods import GroupSettings

if TYPE_CHECKING:
    from pipeline.core.types import Split
    from pipeline.train.groups import Groups
    from pipeline.train.plans import Plan


class GroupDroSettings(GroupSettings):
    """The groups with the highest loss get more weight."""

    key: ClassVar[str] = "group_dro"
    step_size: float = Field(gt=0, description="eta of the group weights")
    adjustment: float = Field(ge=0, description="C of the generalization adjustment C/sqrt(n_g)")


class GroupDro(GroupMethod[GroupDroSettings]):
    settings = GroupDroSettings
    words = Words(
        label="Group DRO",
        first="group-weighted training (Group DRO)",
        subtitle="training that puts more weight on the groups with the highest loss",
        text="Distributionally robust optimization over groups: at every step, groups with a high loss get "
        "more weight. It needs group labels in training, given or inferred.",
        sources=(SAGAWA,),
    )

    def plan(self, settings: GroupDroSettings, train: Split, groups: Groups, *, batch_size: int) -> Plan:
        from pipeline.train import objectives
        from pipeline.train.batches import group_balanced_order
        from pipeline.train.plans import Plan

        self.check(settings, groups, batch_size=batch_size)
        n_train_G = groups.n_train()
        adjustments_G = objectives.group_adjustments(n_train_G, settings.adjustment)
        return Plan(
            order=partial(group_balanced_order, groups.train_N),
            n_per_epoch=len(train),
            objective=objectives.GroupDro(adjustments_G, settings.step_size),
            selection=settings.selection,
            groups_N=groups.train_N,
            val_groups_V=groups.val_V,
            initial_weights_G=objectives.initial_group_weights(n_train_G),
        )


METHOD = GroupDro()
