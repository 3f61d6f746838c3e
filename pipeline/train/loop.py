"""Train one network with one seed: the loop that every method shares.

The state of a run is one plain dictionary; saving it at any step and going on from it gives, bit
for bit on the same CPU, what an uninterrupted run gives (on a GPU up to rounding: kernels add in any order).

Shape legend: N images, B batch, G groups.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.core.errors import TrainingError
from pipeline.core.results import EpochRecord
from pipeline.core.settings import ErmSettings, GroupDroSettings, TrainSettings
from pipeline.core.types import Int64Array, Split
from pipeline.models.hardware import choose_device, choose_precision
from pipeline.models.networks import Classifier
from pipeline.models.predict import predict_logits
from pipeline.train.batches import augment_batch, group_balanced_order, shuffled_order, step_seed
from pipeline.train.objectives import erm_loss, group_adjustments, group_dro_step, initial_group_weights
from pipeline.train.schedule import build_optimizer, learning_rate

State = dict[str, Any]
Save = Callable[[State], None]
Tick = Callable[[int], None]  # how many more steps are done
CHECK_LOSS_EVERY = 16  # steps; reading a loss makes a GPU wait


@dataclass(frozen=True)
class Job:
    """Everything that decides one run's result."""

    settings: TrainSettings
    method: ErmSettings | GroupDroSettings
    seed: int
    group_names: list[str]
    n_train_per_group: list[int]


@dataclass(frozen=True)
class Outcome:
    """The selected weights and the run's history."""

    weights: dict[str, Tensor]
    selected_epoch: int
    history: list[EpochRecord]
    precision: str


def train_seed(
    model: Classifier, train: Split, val: Split, job: Job, *, resume: State | None, save: Save, tick: Tick
) -> Outcome:
    """Train `model` in place and return the weights of the selected epoch.

    Selection uses validation images only: by average accuracy, by worst-group accuracy, or none.

    Raises:
        TrainingError: the loss is not finite; the last checkpoint stays.
        InputError: group DRO with an empty group.
    """
    run = _Run(model, train, job)
    settings = job.settings
    n_steps = steps_per_epoch(len(train), settings.batch_size)
    if resume is not None:
        run.restore(resume)
        tick(run.epoch * n_steps + run.step)
    last_save = time.monotonic()
    for epoch in range(run.epoch, settings.epochs):
        order = run.order(epoch)
        for step in range(run.step, n_steps):
            rows = order[step * settings.batch_size : (step + 1) * settings.batch_size]
            run.train_step(rows, epoch, step, n_steps)
            tick(1)
            if time.monotonic() - last_save > settings.checkpoint_seconds:
                run.check_loss()
                save(run.state())
                last_save = time.monotonic()
        run.check_loss()
        run.finish_epoch(epoch, val)
        save(run.state())
        last_save = time.monotonic()
    weights = run.best_weights if run.best_weights is not None else _copy_weights(model)
    precision = "bf16" if run.dtype == torch.bfloat16 else "fp32"
    return Outcome(weights, run.best_epoch, run.history, precision)


class _Run:
    """The mutable state of one run, and how to save and restore it."""

    def __init__(self, model: Classifier, train: Split, job: Job) -> None:
        self.job = job
        self.settings = job.settings
        self.device = choose_device(job.settings.device)
        self.dtype = choose_precision(job.settings.precision, self.device)
        self.model = model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = build_optimizer(model, job.settings)
        # the whole split in memory as uint8: batches are then index reads, not file reads
        self.images = torch.from_numpy(np.array(train.images, order="C"))
        self.labels = torch.from_numpy(np.array(train.labels))
        self.groups_N: Int64Array = train.groups
        self.groups = torch.from_numpy(np.array(train.groups))
        self.n_groups = len(job.group_names)
        self.weights_G: Tensor | None = None
        if isinstance(job.method, GroupDroSettings):
            self.weights_G = initial_group_weights(
                job.n_train_per_group, allow_empty=job.method.allow_empty_groups, names=job.group_names
            )
            self.adjustments_G = group_adjustments(job.n_train_per_group, job.method.adjustment)
        self.epoch = 0
        self.step = 0
        self.history: list[EpochRecord] = []
        self.best_metric = -1.0
        self.best_epoch = -1
        self.best_weights: dict[str, Tensor] | None = None
        self._reset_epoch()

    def _reset_epoch(self) -> None:
        # on the device: a GPU then need not wait for them at every step
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self.n_seen = 0
        self.correct_G = torch.zeros(self.n_groups, dtype=torch.float64, device=self.device)
        self.seen_G = torch.zeros_like(self.correct_G)
        self._started = time.monotonic()

    def order(self, epoch: int) -> Int64Array:
        if self.weights_G is not None:
            return group_balanced_order(self.groups_N, seed=self.job.seed, epoch=epoch)
        return shuffled_order(len(self.groups_N), seed=self.job.seed, epoch=epoch)

    def train_step(self, rows: Int64Array, epoch: int, step: int, n_steps: int) -> None:
        seed = step_seed(seed=self.job.seed, epoch=epoch, step=step)
        torch.manual_seed(seed)
        index = torch.from_numpy(rows)
        pixels = self.images[index].to(self.device, non_blocking=True)
        pixels = pixels.permute(0, 3, 1, 2).float().div_(255)  # channels-last: a view of N H W 3
        pixels = augment_batch(pixels, self.settings.augment, torch.Generator().manual_seed(seed))
        labels, groups_B = self.labels[index].to(self.device), self.groups[index].to(self.device)
        rate = learning_rate(self.settings, epoch * n_steps + step, self.settings.epochs * n_steps)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = rate
        self.model.train()
        with self._autocast():
            logits = self.model(pixels)
        losses_B = F.cross_entropy(
            logits.float(), labels, reduction="none", label_smoothing=self.settings.label_smoothing
        )
        loss = self._objective(losses_B, groups_B)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizer.step()
        self._count(losses_B.detach(), logits.detach(), labels, groups_B)
        self.epoch, self.step = epoch, step + 1
        if step % CHECK_LOSS_EVERY == 0:
            self.check_loss()

    def _autocast(self) -> Any:
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def _objective(self, losses_B: Tensor, groups_B: Tensor) -> Tensor:
        if self.weights_G is None:
            return erm_loss(losses_B)
        assert isinstance(self.job.method, GroupDroSettings)
        loss, self.weights_G = group_dro_step(
            self.weights_G.to(losses_B.device),
            losses_B,
            groups_B,
            self.adjustments_G.to(losses_B.device),
            self.job.method.step_size,
        )
        return loss

    def _count(self, losses_B: Tensor, logits: Tensor, labels: Tensor, groups_B: Tensor) -> None:
        self.loss_sum += losses_B.double().sum()
        self.n_seen += len(losses_B)
        correct_B = (logits.argmax(1) == labels).double()
        self.correct_G.index_add_(0, groups_B, correct_B)
        self.seen_G.index_add_(0, groups_B, torch.ones_like(correct_B))

    def check_loss(self) -> None:
        if not torch.isfinite(self.loss_sum):
            raise TrainingError(
                f"the loss became {float(self.loss_sum)} in epoch {self.epoch}, step {self.step} "
                f"(seed {self.job.seed}, train.lr {self.settings.lr}, precision {self.dtype}). Lower "
                "train.lr, or set train.precision: fp32. The last good checkpoint is kept; changed "
                "settings start afresh."
            )

    def finish_epoch(self, epoch: int, val: Split) -> None:
        """Validate, select, record, and make ready for the next epoch."""
        logits = predict_logits(self.model, val.images, device=self.device)
        correct_N = logits.argmax(1) == val.labels
        val_G = [
            float(correct_N[val.groups == g].mean()) if (val.groups == g).any() else None
            for g in range(self.n_groups)
        ]
        known = [value for value in val_G if value is not None]
        seen = self.seen_G.tolist()
        record = EpochRecord(
            seed=self.job.seed,
            epoch=epoch,
            train_loss=float(self.loss_sum) / max(1, self.n_seen),
            train_accuracy=[c / n if n else None for c, n in zip(self.correct_G.tolist(), seen, strict=True)],
            val_accuracy=val_G,
            val_average=float(correct_N.mean()),
            val_worst=min(known) if known else None,
            group_weights=None if self.weights_G is None else self.weights_G.tolist(),
            seconds=time.monotonic() - self._started,
        )
        self.history.append(record)
        self._select(record)
        self.epoch, self.step = epoch + 1, 0
        self._reset_epoch()

    def _select(self, record: EpochRecord) -> None:
        rule = self.job.method.selection
        if rule == "last":
            self.best_epoch, self.best_weights = record.epoch, None
            return
        metric = record.val_average if rule == "average" else record.val_worst
        # later epochs win ties: they have seen more data
        if metric is not None and metric >= self.best_metric:
            self.best_metric, self.best_epoch = metric, record.epoch
            self.best_weights = _copy_weights(self.model)

    def state(self) -> State:
        """Everything that `restore` needs, as tensors and plain values."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "weights_G": self.weights_G,
            "epoch": self.epoch,
            "step": self.step,
            "history": [record.model_dump() for record in self.history],
            "best": (self.best_metric, self.best_epoch, self.best_weights),
            "counts": (self.loss_sum, self.n_seen, self.correct_G, self.seen_G),
            "seconds": time.monotonic() - self._started,
        }

    def restore(self, state: State) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.weights_G = state["weights_G"]
        self.epoch, self.step = state["epoch"], state["step"]
        self.history = [EpochRecord.model_validate(record) for record in state["history"]]
        self.best_metric, self.best_epoch, self.best_weights = state["best"]
        loss_sum, self.n_seen, correct_G, seen_G = state["counts"]
        self.loss_sum = loss_sum.to(self.device)
        self.correct_G, self.seen_G = correct_G.to(self.device), seen_G.to(self.device)
        self._started = time.monotonic() - state["seconds"]


def steps_per_epoch(n: int, batch_size: int) -> int:
    """Optimizer steps in one pass over n images."""
    # a last batch of one image would break batch normalisation: it is dropped
    full, rest = divmod(n, batch_size)
    return full + (rest > 1)


def _copy_weights(model: Classifier) -> dict[str, Tensor]:
    return {key: value.detach().cpu().clone() for key, value in model.state_dict().items()}
