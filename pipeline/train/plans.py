"""What sets one training method apart from another: which images an epoch draws, and what is minimised.

The loop knows nothing else of a method. Everything here is pure: an epoch's rows are a function of
(seed, epoch), and an objective returns its new state instead of keeping it.

Shape legend: N training images, V validation images, M rows of an epoch, B batch, G groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from torch import Tensor

from pipeline.core.errors import CannotTrainError
from pipeline.core.types import Int64Array, Split
from pipeline.settings.methods import (
    AnyMethodSettings,
    DfrSettings,
    ErmSettings,
    GroupDroSettings,
    GroupSettings,
    NetworkSettings,
    RepairSettings,
    RwgSettings,
    RwySettings,
    Selection,
    SubgSettings,
)
from pipeline.statistics.accuracy.selection import USES_GROUPS
from pipeline.train.batches import group_balanced_order, shuffled_order
from pipeline.train.objectives import GroupDro, Total, group_adjustments, initial_group_weights, mean_loss
from pipeline.train.subsets import listed_order, subset_order, subset_size


class Order(Protocol):
    """Rows of the training split that one epoch draws, M of them: `Plan.n_per_epoch` in every epoch."""

    def __call__(self, *, seed: int, epoch: int) -> Int64Array: ...


class Objective(Protocol):
    """The scalar to minimise, and the objective's new state (None where it has none).

    With `total` the scalar is this process's share of it: the shares add up to the objective.
    """

    def __call__(
        self, weights_G: Tensor | None, losses_B: Tensor, groups_B: Tensor, total: Total | None = None
    ) -> tuple[Tensor, Tensor | None]: ...


@dataclass(frozen=True)
class Plan:
    """One method's run over one training split.

    `groups_N` are the groups that the objective sees and `val_groups_V` those that selection by the
    worst group looks at; both are the split's own unless the method infers its groups.
    """

    order: Order
    n_per_epoch: int
    objective: Objective
    selection: Selection
    groups_N: Int64Array
    val_groups_V: Int64Array
    initial_weights_G: Tensor | None = None  # the objective's state before the first step


@dataclass(frozen=True)
class Groups:
    """A grouping of the training and the validation images."""

    train_N: Int64Array
    val_V: Int64Array
    names: Sequence[str]  # G

    def n_train(self) -> list[int]:
        """Training images of every group."""
        return [int(n) for n in np.bincount(self.train_N, minlength=len(self.names))]


def make_plan(method: NetworkSettings, train: Split, groups: Groups, *, batch_size: int) -> Plan:
    """The plan of a method that trains the whole network at once: erm, group_dro, rwg, subg or rwy.

    Raises:
        CannotTrainError: a group without training images, one that selection needs without validation
            images, or a SUBG subset smaller than a batch.
    """
    check_groups(method, groups)
    n, n_train_G = len(train), groups.n_train()
    balanced = partial(group_balanced_order, groups.train_N)
    plan = partial(
        Plan, selection=method.selection, groups_N=groups.train_N, val_groups_V=groups.val_V, n_per_epoch=n
    )
    match method:
        case ErmSettings():
            return plan(order=partial(shuffled_order, n), objective=mean_loss)
        case RwySettings():
            return plan(order=partial(group_balanced_order, train.labels), objective=mean_loss)
        case RwgSettings():
            return plan(order=balanced, objective=mean_loss)
        case SubgSettings():
            size = subset_size(groups.train_N, groups.names, batch_size)
            n_rows = n if method.keep_steps else size
            order = partial(subset_order, groups.train_N, n_rows)
            return plan(order=order, objective=mean_loss, n_per_epoch=n_rows)
        case GroupDroSettings():
            return plan(
                order=balanced,
                objective=GroupDro(group_adjustments(n_train_G, method.adjustment), method.step_size),
                initial_weights_G=initial_group_weights(n_train_G),
            )
        case _:
            raise TypeError(f"{type(method).__name__} has no plan of one stage")


def listed_plan(rows_M: Int64Array, groups: Groups, selection: Selection) -> Plan:
    """Plain training on a list of rows, which may repeat."""
    order = partial(listed_order, rows_M)
    return Plan(order, len(rows_M), mean_loss, selection, groups.train_N, groups.val_V)


def reads_groups(selection: Selection) -> bool:
    """Whether a selection rule looks at the groups of the validation images."""
    return selection in USES_GROUPS


def selects_by_given_groups(method: AnyMethodSettings) -> bool:
    """Whether a method's own selection looks at the dataset's groups of the validation images."""
    if isinstance(method, DfrSettings):
        return True
    if isinstance(method, RepairSettings):
        return method.groups == "given"
    is_given = not (isinstance(method, GroupSettings) and method.groups == "inferred")
    return is_given and reads_groups(method.selection)


def check_groups(method: NetworkSettings, groups: Groups) -> None:
    """Refuse groups without the images that a method needs.

    Raises:
        CannotTrainError: no training images in a group, where the method trains with groups; no validation
            images in a group that has training images, where selection is by groups.
    """
    if isinstance(method, GroupSettings) and (method.allow_empty_groups or method.groups == "inferred"):
        return
    n_train_G = np.array(groups.n_train())
    n_val_G = np.bincount(groups.val_V, minlength=len(groups.names))
    merge = "merge groups (groups.group_by or groups.levels)"
    leave_out = f"set methods.{method.key}.allow_empty_groups: true to leave these groups out"
    if isinstance(method, GroupSettings) and (n_train_G == 0).any():
        raise CannotTrainError(
            f"{method.key} needs training images in every group; there are none in: "
            f"{_names(n_train_G == 0, groups)}. Collect some, {merge}, or {leave_out} of training."
        )
    unseen_G = (n_train_G > 0) & (n_val_G == 0)
    if reads_groups(method.selection) and unseen_G.any():
        other = (
            f"{leave_out} of selection"
            if isinstance(method, GroupSettings)
            else f"set methods.{method.key}: {{ selection: average }}"
        )
        raise CannotTrainError(
            f"methods.{method.key}.selection: {method.selection} needs validation images in every group; "
            f"there are none in: "
            f"{_names(unseen_G, groups)}. Raise data.val_fraction, {merge}, or {other}."
        )


def check_repair(groups: Groups) -> None:
    """Refuse groups whose accuracy cannot be known.

    Raises:
        CannotTrainError: no validation images in a group that has training images.
    """
    unseen_G = (np.array(groups.n_train()) > 0) & (
        np.bincount(groups.val_V, minlength=len(groups.names)) == 0
    )
    if unseen_G.any():
        raise CannotTrainError(
            "methods.repair.groups: given needs validation images in every group, to find the worst one; "
            f"there are none in: {_names(unseen_G, groups)}. Raise data.val_fraction, merge groups "
            "(groups.group_by or groups.levels), or set methods.repair.groups: inferred."
        )


def _names(which_G: np.ndarray, groups: Groups) -> str:
    return ", ".join(groups.names[g] for g in np.flatnonzero(which_G).tolist())
