"""RWG: reweighting by group, every group is drawn equally often.

Source: Idrissi et al. 2022 (arXiv:2110.14503).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from pipeline.methods.method import GroupMethod, Words
from pipeline.methods.sources import IDRISSI
from pipeline.settings.methods import GroupSettings

if TYPE_CHECKING:
    from pipeline.core.types import Split
    from pipeline.train.groups import Groups
    from pipeline.train.plans import Plan


class RwgSettings(GroupSettings):
    """Every group is drawn equally often."""

    key: ClassVar[str] = "rwg"


class Rwg(GroupMethod[RwgSettings]):
    settings = RwgSettings
    words = Words(
        label="RWG",
        first="group-balanced sampling (RWG)",
        subtitle="training that draws every group equally often",
        text="Reweighting by group: ERM on images drawn so that every group comes up equally often.",
        sources=(IDRISSI,),
    )

    def plan(self, settings: RwgSettings, train: Split, groups: Groups, *, batch_size: int) -> Plan:
        from pipeline.train.batches import group_balanced_order
        from pipeline.train.plans import simple_plan

        self.check(settings, groups, batch_size=batch_size)
        return simple_plan(partial(group_balanced_order, groups.train_N), groups, settings.selection)


METHOD = Rwg()
