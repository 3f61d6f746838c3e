"""What sets one training method apart from another: which images an epoch draws, and what is minimised.

The loop knows nothing else of a method. Everything here is pure: an epoch's rows are a function of
(seed, epoch), and an objective returns its new state instead of keeping it.

Shape legend: N training images, V validation images, M rows of an epoch, B batch, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Protocol

from torch import Tensor

from pipeline.core.types import Int64Array, UInt8Array
from pipeline.settings.methods import Selection
from pipeline.train.batches import shuffled_order
from pipeline.train.groups import Groups
from pipeline.train.objectives import Total, mean_loss
from pipeline.train.subsets import listed_order


class Order(Protocol):
    """Rows of the training split that one epoch draws, M of them: `Plan.n_per_epoch` in every epoch."""

    def __call__(self, *, seed: int, epoch: int) -> Int64Array: ...


class BatchEdit(Protocol):
    """Images of a batch, B x H x W x 3, changed; everything random in it is a function of `seed`."""

    def __call__(self, rows_B: Int64Array, seed: int) -> UInt8Array: ...


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
    edit: BatchEdit | None = None  # of a batch's images, before they are augmented


def simple_plan(
    order: Order, groups: Groups, selection: Selection, *, n_per_epoch: int | None = None
) -> Plan:
    """The mean loss over images drawn by `order`; as many an epoch as there are, unless said."""
    n = len(groups.train_N) if n_per_epoch is None else n_per_epoch
    return Plan(order, n, mean_loss, selection, groups.train_N, groups.val_V)


def plain_plan(groups: Groups, selection: Selection) -> Plan:
    """Every image once an epoch."""
    return simple_plan(partial(shuffled_order, len(groups.train_N)), groups, selection)


def listed_plan(rows_M: Int64Array, groups: Groups, selection: Selection) -> Plan:
    """Plain training on a list of rows, which may repeat."""
    return simple_plan(partial(listed_order, rows_M), groups, selection, n_per_epoch=len(rows_M))
