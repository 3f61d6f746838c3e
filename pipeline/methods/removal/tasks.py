"""Trainings of ERM's network on some of the images, each with a checkpoint of its own.

Shape legend: V validation images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.core.types import BoolArray, Int64Array
from pipeline.methods.removal.sizes import Kind
from pipeline.train.correct import correct_on
from pipeline.train.fitting import SeedRun
from pipeline.train.loop import Outcome
from pipeline.train.plans import listed_plan

if TYPE_CHECKING:
    from pipeline.methods.recipe import Recipe, TrainAhead


def task_name(kind: Kind, n_removed: int, seed: int) -> str:
    return f"{kind}_{n_removed}_seed_{seed}"


@dataclass(frozen=True)
class Task:
    """One training of ERM's network on some of the training images."""

    kind: Kind
    n_removed: int
    seed: int
    rows: Int64Array  # kept

    @property
    def name(self) -> str:
        """Different for every training of one run."""
        return task_name(self.kind, self.n_removed, self.seed)

    def train(self, run: SeedRun, recipe: Recipe[Any] | None = None) -> Outcome:
        """The network, from its last checkpoint where there is one."""
        plan = listed_plan(self.rows, run.groups, run.base.method.selection)
        return replace(run, seed=self.seed).fit(plan, part=f"{self.kind}_{self.n_removed}")


@dataclass(frozen=True)
class Fitted:
    """What came of a task."""

    outcome: Outcome
    correct_V: BoolArray  # which validation images the selected weights get right


def fit_all(run: SeedRun, tasks: Sequence[Task], ahead: TrainAhead | None) -> Iterator[tuple[Task, Fitted]]:
    """Train every task's network, each going on from its own checkpoint, which `ahead` may have filled."""
    if ahead is not None:
        ahead(tasks)
    for task in tasks:
        outcome = task.train(run)
        yield task, Fitted(outcome, correct_on(run.network(run.settings, outcome.weights), run.val))
