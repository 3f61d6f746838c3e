"""Train one network with one seed: the loop that every method shares.

The state of a run is one plain dictionary; saving it at any step and going on from it gives, bit
for bit on the same CPU, what an uninterrupted run gives (on a GPU up to rounding: kernels add in any order).

Shape legend: N images, V validation images, B batch, K classes, G groups.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.core.errors import InputError, TrainingError
from pipeline.core.types import Dynamics, Int64Array, Split
from pipeline.models.hardware import choose_device, choose_precision, compiled, seed_device
from pipeline.models.interface import Classifier
from pipeline.parallel.rank import current_world
from pipeline.records.training import EpochDynamics, EpochRecord
from pipeline.settings.train import TrainSettings
from pipeline.statistics.accuracy.worst_group import worst_counted
from pipeline.statistics.dynamics.conflicting import Conflict
from pipeline.train.aum import AumSums, logit_leads
from pipeline.train.batches import step_seed, steps_per_epoch
from pipeline.train.correct import Answers, answers_on
from pipeline.train.counts import Counts
from pipeline.train.difficulty import Difficulty
from pipeline.train.feed import Batch, Feed
from pipeline.train.keeping import Keeper, Weights, copy_weights, group_accuracies, group_means
from pipeline.train.motion import Motion
from pipeline.train.options.averaging import BATCH_NORM_IMAGES, Averaging
from pipeline.train.options.losses import image_losses
from pipeline.train.options.mixing import mixers_of
from pipeline.train.options.sharpness import uphill
from pipeline.train.options.sparsity import penalized_weights, shrink
from pipeline.train.plans import Plan
from pipeline.train.schedule import build_optimizer, learning_rate
from pipeline.train.snapshots import Snapshots

State = dict[str, Any]
Save = Callable[[State], None]
Tick = Callable[[int], None]  # how many more steps are done
CHECK_EVERY = 16  # steps; reading a loss makes a GPU wait


@dataclass(frozen=True)
class Job:
    """Everything that decides one run's result."""

    settings: TrainSettings
    plan: Plan
    seed: int
    n_groups: int
    conflict: Conflict | None = None  # validation images whose cue speaks for another class


@dataclass(frozen=True)
class Outcome:
    """The selected weights and the run's history."""

    weights: Weights
    selected_epoch: int
    history: list[EpochRecord]
    precision: str
    snapshots: dict[int, Weights] = field(default_factory=dict)  # of other epochs, by epoch
    dynamics: Dynamics | None = None  # None: not at hand
    n_computed: int = 0  # steps that were computed here, without those that a checkpoint held


def train_seed(
    model: Classifier, train: Split, val: Split, job: Job, *, resume: State | None, save: Save, tick: Tick
) -> Outcome:
    """Train `model` in place and return the weights of the selected epoch.

    Selection uses validation images only, by the plan's rule. Where torchrun started several processes,
    each computes its part of every batch and all return the same; only the first calls `save`.

    Raises:
        TrainingError: the loss or the weights are not finite; the last checkpoint stays.
        InputError: a batch is too small for the processes, or no epoch can be selected by this rule.
    """
    run = _Run(model, train, job)
    settings = job.settings
    resume = run.world.share(resume)
    if resume is not None:
        run.restore(resume)
        tick(run.epoch * run.n_steps + run.step)
    last_save = time.monotonic()
    for epoch in range(run.epoch, settings.epochs):
        if run.keeper.is_time_to_stop():
            break
        order = job.plan.order(seed=job.seed, epoch=epoch)
        for step in range(run.step, run.n_steps):
            rows = order[step * settings.batch_size : (step + 1) * settings.batch_size]
            run.train_step(rows, epoch, step)
            tick(1)
            if run.world.is_first and time.monotonic() - last_save > settings.checkpoint_seconds:
                run.check_finite(weights=True)
                save(run.state())
                last_save = time.monotonic()
        run.check_finite(weights=True)
        run.finish_epoch(epoch, val, order)
        if run.world.is_first:
            save(run.state())
        last_save = time.monotonic()
    return run.outcome()


def losses_at(model: Classifier, train: Split, job: Job, rates: Sequence[float]) -> Iterator[float]:
    """The objective of a batch before each of as many steps as there are rates, taken with these rates.

    It ends earlier where the loss is no number any more. The model's weights and buffers are then, and also
    where nobody asks further, what they were before.
    """
    before = copy_weights(model)
    run = _Run(model, train, job)
    size = job.settings.batch_size
    try:
        for i, rate in enumerate(rates):
            epoch, step = divmod(i, run.n_steps)
            if step == 0:
                order = job.plan.order(seed=job.seed, epoch=epoch)
            loss = float(run.train_step(order[step * size : (step + 1) * size], epoch, step, rate))
            if not np.isfinite(loss):
                return
            yield loss
    except TrainingError:  # the same, noticed by the run
        return
    finally:
        model.load_state_dict(before)


class _Run:
    """The mutable state of one run, and how to save and restore it."""

    def __init__(self, model: Classifier, train: Split, job: Job) -> None:
        self.job = job
        self.settings = settings = job.settings
        self.world = current_world()
        self.world.check_batch_size(settings.batch_size)
        self.n_steps = steps_per_epoch(job.plan.n_per_epoch, settings.batch_size)
        if self.n_steps == 0:
            raise InputError(
                f"an epoch has {job.plan.n_per_epoch} images, less than two for each of {self.world.size} "
                "processes: collect more images, or use fewer processes (torchrun --nproc_per_node)."
            )
        self.device = choose_device(settings.device)
        self.dtype = choose_precision(settings.precision, self.device)
        self.model = model.to(self.device, memory_format=model.memory_format)  # type: ignore[call-overload]
        self.forward: Callable[[Tensor], Tensor] = self.world.wrap(self.model, self.device)
        if settings.compile:
            self.forward = compiled(self.forward, self.device)
        self.optimizer = build_optimizer(model, settings)
        self.penalized = penalized_weights(model) if settings.l1 > 0 else []
        self.averaging = Averaging(model, settings)
        self.evaluated: nn.Module = model  # what is validated and kept
        n_classes = model.n_classes
        self.feed = Feed(train, job.plan.groups_N, settings, n_classes, self.device, job.plan.edit)
        self.keeper = Keeper(
            job.plan.selection,
            job.plan.val_groups_V,
            min_val=settings.min_val,
            patience=settings.patience,
            trained=np.unique(job.plan.groups_N),
        )
        self.snapshots = Snapshots(settings)
        self.is_mixed = bool(mixers_of(settings))
        self.aum = AumSums(train.ids, self.device, is_mixed=self.is_mixed)
        self.difficulty = Difficulty(len(train), settings.epochs, self.device, is_mixed=self.is_mixed)
        self.motion = Motion(model)
        self.weights_G = job.plan.initial_weights_G
        self.epoch = 0
        self.step = 0
        self.n_computed = 0
        self.history: list[EpochRecord] = []
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.model.train()
        self.counts = Counts(self.job.n_groups, self.device)
        self.motion.begin_epoch()
        self._started = time.monotonic()

    def train_step(self, rows: Int64Array, epoch: int, step: int, rate: float | None = None) -> Tensor:
        """One optimizer step on this process's part of the batch `rows`; the objective before it.

        Args:
            rate: where it is not the schedule's.
        """
        settings = self.settings
        seed = step_seed(seed=self.job.seed, epoch=epoch, step=step)
        batch = self.feed.batch(rows, seed, self.world)
        if rate is None:
            rate = learning_rate(settings, epoch * self.n_steps + step, settings.epochs * self.n_steps)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = rate
        loss, losses_B, logits, new_G = self._gradient(batch, seed)
        if settings.sam_rho > 0:
            with uphill(self.model, rho=settings.sam_rho, adaptive=settings.sam_adaptive):
                self._gradient(batch, seed)  # the objective's state follows the first losses alone
        self.motion.before_step(step)
        if settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip_norm)
        self.optimizer.step()
        if settings.l1 > 0:
            shrink(self.penalized, self.optimizer, settings)
        self.motion.after_step()
        self.averaging.after_step(self.model)
        self.weights_G = new_G
        self._note(losses_B, logits, batch, rows, epoch)
        self.epoch, self.step = epoch, step + 1
        self.n_computed += 1
        if step % CHECK_EVERY == 0:
            self.check_finite(weights=False)
        return loss

    def _note(self, losses_B: Tensor, logits_BK: Tensor, batch: Batch, rows: Int64Array, epoch: int) -> None:
        """Add the step to every sum that is kept."""
        labels_B, world = batch.labels_B, self.world
        correct_B, margins_B = logits_BK.argmax(1) == labels_B, logit_leads(logits_BK, labels_B)
        self.counts.add(losses_B, margins_B, correct_B, batch.groups_B, world)
        self.aum.add(margins_B, rows, world)
        self.difficulty.add(logits_BK, labels_B, correct_B, rows, epoch=epoch, world=world)

    def _gradient(self, batch: Batch, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Set the parameters' gradients; the objective, losses, logits, and the objective's new state."""
        seed_device(seed + self.world.rank, self.device)  # of dropout: the same in both passes of SAM
        self.optimizer.zero_grad(set_to_none=True)
        with self._autocast():
            logits = self.forward(batch.pixels_BCHW)
        losses_B = image_losses(logits.float(), batch.targets, self.settings)
        total = self.world.total if self.world.size > 1 else None
        loss, new_G = self.job.plan.objective(self.weights_G, losses_B, batch.plan_groups_B, total)
        # processes hold shares of the objective and their gradients are averaged: the mean of shares
        # times their number is the sum
        torch.autograd.backward(loss * self.world.size)
        return loss.detach(), losses_B.detach(), logits.detach(), new_G

    def _autocast(self) -> Any:
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def check_finite(self, *, weights: bool) -> None:
        """Stop before numbers that are none reach a checkpoint; waits for the device."""
        broken = ""
        if not self.counts.is_finite():
            broken = f"loss became {self.counts.loss_sum()}"
        elif weights and not _largest(self.model).isfinite():
            broken = "weights became infinite or NaN"
        if broken:
            raise TrainingError(
                f"the {broken} in epoch {self.epoch}, step {self.step} "
                f"(seed {self.job.seed}, train.lr {self.settings.lr}, precision {self.dtype}). Lower "
                "train.lr, set train.clip_norm: 1.0, or set train.precision: fp32. The last good "
                "checkpoint is kept; changed settings start afresh."
            )

    def finish_epoch(self, epoch: int, val: Split, order: Int64Array) -> None:
        """Validate, select, record, and make ready for the next epoch."""
        plain = self.feed.plain(order[:BATCH_NORM_IMAGES], self.settings.batch_size)
        # statistics of BatchNorm are measured in training mode, where layers may drop at random
        seed_device(step_seed(seed=self.job.seed, epoch=epoch, step=self.n_steps), self.device)
        self.evaluated = self.averaging.after_epoch(self.model, epoch, plain)
        self.world.share_buffers(self.evaluated)  # what is validated is what is kept
        answers = answers_on(self.evaluated, val)
        correct_V = answers.correct_N
        val_G = group_accuracies(correct_V, val.groups, self.job.n_groups)
        n_val_G = np.bincount(val.groups, minlength=self.job.n_groups)
        worst = worst_counted(val_G, n_val_G, self.settings.min_val)
        record = EpochRecord(
            seed=self.job.seed,
            epoch=epoch,
            train_loss=self.counts.mean_loss(),
            train_accuracy=self.counts.accuracies(),
            val_accuracy=val_G,
            val_average=float(correct_V.mean()),
            val_worst=None if worst is None else worst[1],
            group_weights=None if self.weights_G is None else self.weights_G.tolist(),
            seconds=time.monotonic() - self._started,
            dynamics=self._epoch_dynamics(answers, val.groups),
        )
        self.history.append(record)
        self.keeper.judge(record, correct_V, lambda: copy_weights(self.evaluated))
        self.snapshots.after_epoch(epoch, lambda: copy_weights(self.evaluated))
        self.epoch, self.step = epoch + 1, 0
        self._begin_epoch()

    def _epoch_dynamics(self, answers: Answers, val_groups_V: Int64Array) -> EpochDynamics:
        n_groups, conflict = self.job.n_groups, self.job.conflict
        return EpochDynamics(
            n_steps=self.n_steps,
            train_loss=self.counts.losses(),
            train_margin=[None] * n_groups if self.is_mixed else self.counts.margins(),
            val_loss=group_means(answers.losses_N, val_groups_V, n_groups),
            val_margin=group_means(answers.margins_N, val_groups_V, n_groups),
            **self.motion.result(),
            **(conflict.followed(answers.predicted_N) if conflict else {}),
        )

    def outcome(self) -> Outcome:
        """The selected weights; without selection those at the end."""
        epoch = self.keeper.selected()
        weights = self.keeper.weights.get(epoch)
        precision = "bf16" if self.dtype == torch.bfloat16 else "fp32"
        return Outcome(
            weights or copy_weights(self.evaluated),
            epoch,
            self.history,
            precision,
            self.snapshots.result(epoch),
            self.difficulty.into(self.aum.result()),
            self.n_computed,
        )

    def state(self) -> State:
        """Everything that `restore` needs, as tensors and plain values."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.averaging.state(),
            "weights_G": self.weights_G,
            "epoch": self.epoch,
            "step": self.step,
            "history": [record.model_dump() for record in self.history],
            "kept": self.keeper.state(),
            "counts": self.counts.state(),
            "snapshots": self.snapshots.state(),
            "margins": self.aum.state(),
            "difficulty": self.difficulty.state(),
            "motion": self.motion.state(is_epoch_begun=self.step > 0),
            "seconds": time.monotonic() - self._started,
        }

    def restore(self, state: State) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.evaluated = self.averaging.restore(self.model, state["average"])
        self.weights_G = state["weights_G"]
        self.epoch, self.step = state["epoch"], state["step"]
        self.history = [EpochRecord.model_validate(record) for record in state["history"]]
        self.keeper.restore(state["kept"])
        self.counts.restore(state["counts"])
        self.snapshots.restore(state["snapshots"])
        self.aum.restore(state["margins"])
        self.difficulty.restore(state["difficulty"])
        self.motion.restore(state["motion"])
        self._started = time.monotonic() - state["seconds"]


def _largest(model: nn.Module) -> Tensor:
    """The largest size of a parameter; NaN where one is NaN."""
    return torch.stack([p.detach().abs().max() for p in model.parameters()]).max()
