"""How many images `repair` leaves out: found, confirmed, and trained without.

A size is chosen on validation: a few seeds name a candidate, which all seeds must confirm. Beside each size
stand two controls: as many images left out at random, and as many from the largest groups until groups are
as equal as can be. Beside the chosen one stands a third: only those of its images whose label looks wrong.

Shape legend: S seeds, N training images, V validation images, J columns of target weights, D dimensions.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.types import BoolArray, Float64Array, Int64Array, Split
from pipeline.methods.removal.scoring import Attribution, score_images
from pipeline.methods.removal.sizes import (
    Kind,
    balancing_rows,
    choose_size,
    confirm_gain,
    harmful_rows,
    random_rows,
    rows_without,
    sizes_to_try,
)
from pipeline.methods.removal.suspects import suspected_rows, suspects_record
from pipeline.methods.removal.targets import TargetGroups, match_clusters
from pipeline.methods.removal.tasks import Fitted, Task, fit_all, task_name
from pipeline.parallel.rank import current_world
from pipeline.records.base import Estimate
from pipeline.records.training import LeftOut, Removal, RemovalPoint, SuspectedLabels
from pipeline.statistics.picked import MIN_SEEDS
from pipeline.train.correct import correct_on
from pipeline.train.fitting import SeedRun
from pipeline.train.loop import Outcome

if TYPE_CHECKING:
    from pipeline.methods.recipe import TrainAhead
    from pipeline.methods.repair import RepairSettings

_log = logging.getLogger(__name__)
CONTROLS: tuple[Kind, ...] = ("random", "balanced")


@dataclass(frozen=True)
class Repaired:
    """The models of every seed at the chosen size, and those of the controls where it is not 0."""

    outcomes: dict[int, Outcome]
    controls: dict[Kind, dict[int, Outcome]]
    removal: Removal
    search_seconds: float  # of the trainings that are not among `outcomes`


def repair(
    run: SeedRun, method: RepairSettings, attribution: Attribution, ahead: TrainAhead | None = None
) -> Repaired:
    """Score the training images with ERM's models, choose how many to leave out, and train without them.

    A killed run goes on: each training has a checkpoint of its own, and the scores are kept.

    Args:
        run: of any seed; all of `run.settings.seeds` are trained.
        ahead: trains networks side by side into their checkpoints.

    Raises:
        InputError: settings at which scores are meaningless.
    """
    case = _diagnose(run, method, attribution)
    sizes = sizes_to_try(method.fractions, case.effects_N)
    curve = case.tasks(sizes, run.settings.seeds[: method.curve_seeds], case.kinds)
    searched = [(task, fitted.correct_V, _seconds(fitted)) for task, fitted in fit_all(run, curve, ahead)]
    points = case.reference() + [case.point(task, correct_V) for task, correct_V, _ in searched]
    candidate = case.choose([0, *sizes], points)
    trained = case.train_again(candidate, ahead)
    gain = case.gain_of(trained, len(sizes))
    chosen = candidate if gain is not None and gain.low > 0 else 0
    left_out, suspected, controls = case.controls(trained, chosen)
    trained += fit_all(run, controls, ahead)
    points += [case.point(task, fitted.correct_V) for task, fitted in trained if case.is_new_point(task)]
    by_kind: dict[Kind, dict[int, Outcome]] = {}
    for task, fitted in trained if chosen else ():
        by_kind.setdefault(task.kind, {})[task.seed] = fitted.outcome
    seconds = {task.name: spent for task, _, spent in searched}
    seconds |= {task.name: _seconds(fitted) for task, fitted in trained}
    outcomes = by_kind.pop("repair", case.erm)
    kept = sum(seconds.get(task_name("repair", chosen, seed), 0.0) for seed in outcomes)
    removal = case.record(sizes, points, chosen, gain).model_copy(
        update={"left_out": left_out, "suspected": suspected}
    )
    _log_choice(run, removal, candidate)
    return Repaired(outcomes, by_kind, removal, sum(seconds.values()) - kept)


@dataclass(frozen=True)
class _Case:
    """What ERM's models and their attribution say, before anything is trained again."""

    run: SeedRun
    method: RepairSettings
    erm: dict[int, Outcome]
    correct_SV: BoolArray
    targets: TargetGroups
    effects_N: Float64Array

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return ("repair", *CONTROLS) if self.method.controls else ("repair",)

    def tasks(self, sizes: Sequence[int], seeds: Sequence[int], kinds: Sequence[Kind]) -> list[Task]:
        """Every size and kind with every seed."""
        n = len(self.run.train)
        return [
            Task(kind, size, seed, rows_without(n, self._left_out(kind, size, seed)))
            for size in sizes
            for kind in kinds
            for seed in seeds
        ]

    def train_again(self, size: int, ahead: TrainAhead | None) -> list[tuple[Task, Fitted]]:
        """Every seed without the most harmful images; nothing where the size is 0, which is ERM."""
        tasks = self.tasks([size] if size else [], self.run.settings.seeds, ["repair"])
        return list(fit_all(self.run, tasks, ahead))

    def controls(
        self, trained: Sequence[tuple[Task, Fitted]], chosen: int
    ) -> tuple[list[LeftOut], SuspectedLabels | None, list[Task]]:
        """What is left out at the chosen size, how many labels look wrong, and what is trained beside it."""
        run, left_out_n = self.run, harmful_rows(self.effects_N, chosen)
        if not chosen:
            return [], None, []
        models = [run.network(run.settings, fitted.outcome.weights) for _, fitted in trained]
        cells = self._known_groups(run.train), self._known_groups(run.val)
        suspected_n, expected = suspected_rows(run, models, left_out_n, cells)
        tasks = self.tasks([chosen], run.settings.seeds, [kind for kind in self.kinds if kind != "repair"])
        found = [LeftOut(kind="repair", ids=run.train.ids[left_out_n].tolist())]
        found += [LeftOut(kind=task.kind, seed=task.seed, ids=self._ids(task)) for task in tasks]
        if len(suspected_n):
            found.append(LeftOut(kind="suspected", ids=run.train.ids[suspected_n].tolist()))
            rows = rows_without(len(run.train), suspected_n)
            seeds = run.settings.seeds if self.method.controls else ()
            tasks += [Task("suspected", len(suspected_n), seed, rows) for seed in seeds]
        return found, suspects_record(run, left_out_n, suspected_n, expected), tasks

    def _ids(self, task: Task) -> list[int]:
        ids: list[int] = self.run.train.ids[self._left_out(task.kind, task.n_removed, task.seed)].tolist()
        return ids

    def is_new_point(self, task: Task) -> bool:
        """Whether the search has not tried it; of the curve's seeds, as all points."""
        return task.kind == "suspected" and task.seed in self.run.settings.seeds[: self.method.curve_seeds]

    def gain_of(self, trained: Sequence[tuple[Task, Fitted]], n_tried: int) -> Estimate | None:
        """`confirm_gain` of the candidate; None where that is ERM itself."""
        if not trained:
            return None
        counts_V = np.isin(self.targets.groups_V, self.targets.counted_G)
        repaired_SV = np.stack([fitted.correct_V for _, fitted in trained])
        return confirm_gain(
            self.correct_SV[:, counts_V],
            repaired_SV[:, counts_V],
            self.targets.groups_V[counts_V],
            n_tried=n_tried,
            sources_V=None if self.run.val.sources is None else self.run.val.sources[counts_V],
        )

    def _left_out(self, kind: Kind, size: int, seed: int) -> Int64Array:
        if kind == "repair":
            return harmful_rows(self.effects_N, size)
        if kind == "random":
            return random_rows(len(self.run.train), size, seed=seed)
        return balancing_rows(self._known_groups(self.run.train), size, seed=seed)

    def _known_groups(self, split: Split) -> Int64Array:
        """Without groups to know, classes."""
        return split.groups if self.method.groups == "given" else split.labels

    def reference(self) -> list[RemovalPoint]:
        """ERM itself, with the seeds that sizes are tried with."""
        seeds = self.run.settings.seeds[: self.method.curve_seeds]
        everything = np.arange(len(self.run.train), dtype=np.int64)
        return [
            self.point(Task("repair", 0, seed, everything), correct_V)
            for seed, correct_V in zip(seeds, self.correct_SV, strict=False)
        ]

    def point(self, task: Task, correct_V: BoolArray) -> RemovalPoint:
        return RemovalPoint(
            kind=task.kind,
            n_removed=task.n_removed,
            seed=task.seed,
            val_worst=float(self.targets.accuracies(correct_V[None]).min()),
            val_average=float(correct_V.mean()),
        )

    def choose(self, sizes: Sequence[int], points: Sequence[RemovalPoint]) -> int:
        worst_R = [
            float(np.mean([p.val_worst for p in points if p.kind == "repair" and p.n_removed == size]))
            for size in sizes
        ]
        n_val = int((self.targets.groups_V == self.targets.worst(self.correct_SV)).sum())
        return choose_size(sizes, worst_R, n_val)

    def record(
        self, sizes: Sequence[int], points: list[RemovalPoint], chosen: int, gain: Estimate | None
    ) -> Removal:
        run, targets = self.run, self.targets
        left_out_G = np.bincount(
            run.train.groups[harmful_rows(self.effects_N, chosen)], minlength=len(run.info.groups)
        )
        is_inferred = self.method.groups == "inferred"
        return Removal(
            groups=self.method.groups,
            worst_group=targets.names_G[targets.worst(self.correct_SV)],
            n_train=len(run.train),
            n_harmful=int((self.effects_N < 0).sum()),
            tried=[0, *sizes],
            chosen=chosen,
            gain=gain,
            points=points,
            removed_by_group=left_out_G.tolist(),
            clusters=match_clusters(targets, run, self.correct_SV) if is_inferred else None,
        )


def _diagnose(run: SeedRun, method: RepairSettings, attribution: Attribution) -> _Case:
    # found on disk or trained here, the result is the same: further epochs are not its own
    erm = {seed: replace(replace(run, seed=seed).fit_base(), snapshots={}) for seed in run.settings.seeds}
    models = [run.network(run.base.settings, outcome.weights) for outcome in erm.values()]
    correct_SV = np.stack([correct_on(model, run.val) for model in models])
    world = current_world()
    found = world.share(
        score_images(run, method, attribution, models, correct_SV) if world.is_first else None
    )
    return _Case(run, method, erm, correct_SV, *found)


def _seconds(fitted: Fitted) -> float:
    return sum(record.seconds for record in fitted.outcome.history)


def _log_choice(run: SeedRun, removal: Removal, candidate: int) -> None:
    means = {
        size: np.mean([p.val_worst for p in removal.points if p.kind == "repair" and p.n_removed == size])
        for size in removal.tried
    }
    _log.info(
        "%s: %d of %d training images are left out (%d harm %s); worst group on validation %.3f, ERM %.3f",
        run.name, removal.chosen, removal.n_train, removal.n_harmful, removal.worst_group,
        means[removal.chosen], means[0],
    )  # fmt: skip
    if removal.chosen == 0 and candidate == 0:
        _log.warning("%s: no size beats ERM on validation by more than a standard error: it is ERM", run.name)
    elif removal.chosen == 0 and removal.gain is not None:
        _log.warning(
            "%s: with %d seeds leaving out %d images is not shown to help (worst group on validation %+.1f "
            "points [%+.1f, %+.1f]): it is ERM; train.seeds: at least %d can show more",
            run.name, len(run.settings.seeds), candidate, 100 * removal.gain.value, 100 * removal.gain.low,
            100 * removal.gain.high, max(MIN_SEEDS, len(run.settings.seeds) + 1),
        )  # fmt: skip
