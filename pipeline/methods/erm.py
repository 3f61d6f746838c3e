"""ERM: empirical risk minimization, every image counts the same.

Source: Vapnik 1991.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pipeline.methods.method import NetworkMethod, Words
from pipeline.records.references import printed
from pipeline.settings.methods import NetworkSettings

if TYPE_CHECKING:
    from pipeline.core.types import Split
    from pipeline.train.groups import Groups
    from pipeline.train.plans import Plan


class ErmSettings(NetworkSettings):
    """Every image counts the same."""

    key: ClassVar[str] = "erm"


class Erm(NetworkMethod[ErmSettings]):
    settings = ErmSettings
    words = Words(
        label="ERM",
        first="standard training (ERM)",
        subtitle="standard training: every image counts the same",
        text="Empirical risk minimization, ordinary training: the mean loss over all training images is made "
        "small. It is what the other methods are compared with where it is the baseline.",
        sources=(
            printed("Vapnik", 1991, "NeurIPS 4", "Principles of risk minimization for learning theory"),
        ),
    )

    def plan(self, settings: ErmSettings, train: Split, groups: Groups, *, batch_size: int) -> Plan:
        from pipeline.train.plans import plain_plan

        self.check(settings, groups, batch_size=batch_size)
        return plain_plan(groups, settings.selection)


METHOD = Erm()
