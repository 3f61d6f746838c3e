"""Which images lie in which group, and groups that a training cannot do without.

Shape legend: N training images, V validation images, G groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import CannotTrainError
from pipeline.core.types import Int64Array
from pipeline.settings.methods import Selection
from pipeline.statistics.accuracy.selection import USES_GROUPS

MERGE = "merge groups (groups.group_by)"


@dataclass(frozen=True)
class Groups:
    """A grouping of the training and the validation images."""

    train_N: Int64Array
    val_V: Int64Array
    names: Sequence[str]  # G

    def n_train(self) -> list[int]:
        """Training images of every group."""
        return [int(n) for n in np.bincount(self.train_N, minlength=len(self.names))]

    def n_val(self) -> list[int]:
        """Validation images of every group."""
        return [int(n) for n in np.bincount(self.val_V, minlength=len(self.names))]

    def untrained(self) -> str:
        """Names of the groups without training images."""
        return ", ".join(name for name, n in zip(self.names, self.n_train(), strict=True) if not n)

    def unseen(self) -> str:
        """Names of the groups that have training images and none for validation."""
        counts = zip(self.names, self.n_train(), self.n_val(), strict=True)
        return ", ".join(name for name, n_train, n_val in counts if n_train and not n_val)


def reads_groups(selection: Selection) -> bool:
    """Whether a selection rule looks at the groups of the validation images."""
    return selection in USES_GROUPS


def check_trained(name: str, groups: Groups, *, leave_out: str) -> None:
    """Refuse groups without training images, where a method trains with groups.

    Raises:
        CannotTrainError: names them.
    """
    if missing := groups.untrained():
        raise CannotTrainError(
            f"{name} needs training images in every group; there are none in: {missing}. Collect some, "
            f"{MERGE}, or {leave_out} of training."
        )


def check_selected(name: str, selection: Selection, groups: Groups, *, remedy: str) -> None:
    """Refuse groups that are trained and not validated, where selection looks at groups.

    Raises:
        CannotTrainError: names them.
    """
    if reads_groups(selection) and (missing := groups.unseen()):
        raise CannotTrainError(
            f"methods.{name}.selection: {selection} needs validation images in every group; there are none "
            f"in: {missing}. Raise data.val_fraction, {MERGE}, or {remedy}."
        )
