"""RWY: reweighting by class, every class is drawn equally often.

Source: Idrissi et al. 2022 (arXiv:2110.14503).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from pipeline.methods.method import NetworkMethod, Words
from pipeline.methods.sources import IDRISSI
from pipeline.settings.methods import NetworkSettings

if TYPE_CHECKING:
    from pipeline.core.types import Split
    from pipeline.train.groups import Groups
    from pipeline.train.plans import Plan


class RwySettings(NetworkSettings):
    """Every class is drawn equally often."""

    key: ClassVar[str] = "rwy"


class Rwy(NetworkMethod[RwySettings]):
    settings = RwySettings
    words = Words(
        label="RWY",
        first="class-balanced sampling (RWY)",
        subtitle="training that draws every class equally often",
        text="Reweighting by class: ERM on images drawn so that every class comes up equally often. It needs "
        "no group labels.",
        sources=(IDRISSI,),
    )

    def plan(self, settings: RwySettings, train: Split, groups: Groups, *, batch_size: int) -> Plan:
        from pipeline.train.batches import group_balanced_order
        from pipeline.train.plans import simple_plan

        self.check(settings, groups, batch_size=batch_size)
        return simple_plan(partial(group_balanced_order, train.labels), groups, settings.selection)


METHOD = Rwy()
