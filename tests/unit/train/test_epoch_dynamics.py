"""What training notes of an epoch and of each image, beside plain loops that find the same."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.artifacts.dynamics import load_dynamics, save_dynamics
from pipeline.core.types import Dynamics
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits
from pipeline.models.registry import build_model
from pipeline.parallel.rank import World
from pipeline.records.training import EpochDynamics, EpochRecord
from pipeline.statistics.dynamics.conflicting import find_conflict
from pipeline.train.difficulty import Difficulty, n_early_epochs
from pipeline.train.loop import Job, Outcome, _Run, train_seed
from pipeline.train.motion import GRADIENT_EVERY, UPDATE_EVERY, parts_of
from tests.fixtures.train import make_erm, make_job, make_split

TRAIN, VAL = make_split(90), make_split(60, name="val", strength=0.5)
EPOCHS = 3


def network() -> Classifier:
    return build_model(
        "small_resnet", n_classes=2, width=4, pretrained=False, mean=[0.4] * 3, std=[0.2] * 3, seed=0
    )


def job_of(**settings: Any) -> Job:
    return make_job(make_erm("last"), TRAIN, VAL, **{"epochs": EPOCHS, "lr": 0.2} | settings)


def train(job: Job, model: Classifier | None = None) -> Outcome:
    return train_seed(
        model or network(), TRAIN, VAL, job, resume=None, save=lambda s: None, tick=lambda n: None
    )


def noted(outcome: Outcome) -> list[EpochDynamics]:
    return [r.dynamics for r in outcome.history if r.dynamics is not None]


class Slow:
    """Steps one at a time, with everything that they saw and moved."""

    def __init__(self, job: Job) -> None:
        self.model = network()
        self.logits: list[tuple[int, Any, Tensor]] = []  # epoch, rows, logits
        self.weights: list[Tensor] = [self.flat()]  # before the first step and after each
        self.gradients: list[float] = []
        self.epochs: list[dict[str, Tensor]] = [self.named()]
        run = _Run(self.model, TRAIN, job)
        self.model.register_forward_hook(self.note)
        for epoch in range(EPOCHS):
            order = job.plan.order(seed=0, epoch=epoch)
            for step in range(run.n_steps):
                rows = order[step * 32 : (step + 1) * 32]
                self.now = (epoch, rows)
                run.train_step(rows, epoch, step)
                self.gradients.append(float(torch.cat([p.grad.flatten() for p in self.own()]).norm()))  # type: ignore[union-attr]
                self.weights.append(self.flat())
            run.finish_epoch(epoch, VAL, order)
            self.epochs.append(self.named())
        self.history = run.history

    def note(self, module: Any, args: Any, logits: Tensor) -> None:
        if module.training:
            self.logits.append((*self.now, logits.detach().clone()))

    def own(self) -> list[Tensor]:
        return list(self.model.parameters())

    def flat(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.model.parameters()]).double()

    def named(self) -> dict[str, Tensor]:
        return {name: p.detach().clone() for name, p in self.model.named_parameters()}


@pytest.fixture(scope="module")
def slow() -> Slow:
    return Slow(job_of())


@pytest.fixture(scope="module")
def fast() -> Outcome:
    return train(job_of())


def test_losses_and_margins_of_groups_are_those_of_a_loop_over_images(slow: Slow, fast: Outcome) -> None:
    for epoch, found in enumerate(noted(fast)):
        losses: dict[int, list[float]] = {g: [] for g in range(4)}
        margins: dict[int, list[float]] = {g: [] for g in range(4)}
        for of, rows, logits in slow.logits:
            for row, scores in zip(rows if of == epoch else [], logits.double(), strict=False):
                label, group = TRAIN.labels[row], int(TRAIN.groups[row])
                losses[group].append(float(torch.logsumexp(scores, 0) - scores[label]))
                margins[group].append(float(scores[label] - scores[1 - label]))
        assert found.train_loss == pytest.approx([np.mean(v) for v in losses.values()], rel=1e-5)
        assert found.train_margin == pytest.approx([np.mean(v) for v in margins.values()], rel=1e-5)


def test_validation_losses_and_margins_are_those_of_the_kept_network(fast: Outcome) -> None:
    model = network()
    model.load_state_dict(fast.weights)
    logits = predict_logits(model, VAL.images).astype(float)
    own, other = logits[np.arange(60), VAL.labels], logits[np.arange(60), 1 - VAL.labels]
    found = noted(fast)[-1]
    for g in range(4):
        mask = VAL.groups == g
        assert found.val_loss[g] == pytest.approx(np.log1p(np.exp(other - own))[mask].mean())
        assert found.val_margin[g] == pytest.approx((own - other)[mask].mean())


def test_norms_and_movement_are_those_of_the_weights_themselves(slow: Slow, fast: Outcome) -> None:
    n_steps = len(slow.gradients) // EPOCHS
    for epoch, found in enumerate(noted(fast)):
        steps = range(epoch * n_steps, (epoch + 1) * n_steps)
        assert found.n_steps == n_steps
        measured = [i for i in steps if (i - steps[0]) % GRADIENT_EVERY == 0]
        assert found.gradient_norm == pytest.approx(np.mean([slow.gradients[i] for i in measured]), rel=1e-4)
        measured = [i for i in steps if (i - steps[0]) % UPDATE_EVERY == 0]
        moves = [float((slow.weights[i + 1] - slow.weights[i]).norm()) for i in measured]
        assert found.update_norm == pytest.approx(np.mean(moves), rel=1e-4)
        assert found.parameter_norm == pytest.approx(float(slow.weights[steps[-1] + 1].norm()), rel=1e-5)
        before, after = slow.epochs[epoch], slow.epochs[epoch + 1]
        head = torch.cat([(after[k] - before[k]).flatten() for k in ("head.weight", "head.bias")])
        start = torch.cat([before[k].flatten() for k in ("head.weight", "head.bias")])
        assert found.moved["head"] == pytest.approx(float(head.norm() / start.norm()), rel=1e-4)
        assert set(found.moved) == set(network().cascade())


def test_adams_update_is_the_way_its_weights_go_and_clipping_comes_after_the_gradient() -> None:
    options = {"optimizer": "adamw", "lr": 1e-3, "weight_decay": 0.0, "schedule": "constant"}
    first = noted(train(job_of(**options, epochs=1)))[0]
    # the first step of Adam moves every weight that has a gradient by the rate, whatever its gradient
    n = sum(p.numel() for p in network().parameters())
    assert first.update_norm == pytest.approx(1e-3 * np.sqrt(n), rel=0.05)
    clipped = noted(train(job_of(epochs=1, clip_norm=1e-6, momentum=0.0, weight_decay=0.0)))[0]
    assert clipped.gradient_norm > 0.1, "before clipping"
    assert clipped.update_norm < 1e-6


def test_forgetting_and_first_errors_are_those_of_a_loop_over_draws(slow: Slow, fast: Outcome) -> None:
    right: dict[int, list[bool]] = {i: [] for i in range(90)}
    lengths: dict[int, list[float]] = {i: [] for i in range(90)}
    for epoch, rows, logits in slow.logits:
        for row, scores in zip(rows.tolist(), logits, strict=True):
            label = int(TRAIN.labels[row])
            right[row].append(int(scores.argmax()) == label)
            if epoch < n_early_epochs(EPOCHS):
                target = torch.eye(2)[label]
                lengths[row].append(float((scores.softmax(0) - target).norm()))
    found = fast.dynamics
    assert found is not None
    events = [sum(a and not b for a, b in pairwise(r)) for r in right.values()]
    assert sum(events) > 3, "there is something to forget"
    assert found.forgetting is not None
    assert found.forgetting.tolist() == events
    assert found.n_right is not None
    assert found.n_right.tolist() == [sum(r) for r in right.values()]
    assert found.el2n == pytest.approx([np.mean(v) for v in lengths.values()], abs=1e-6)


def test_an_image_that_a_batch_holds_twice_is_judged_once() -> None:
    sums = Difficulty(3, 1, torch.device("cpu"), is_mixed=False)
    labels, rows = torch.tensor([0, 0, 1]), np.array([2, 2, 0])
    for right in ([True, False, True], [False, True, True]):
        sums.add(torch.zeros(3, 2), labels, torch.tensor(right), rows, epoch=0, world=World())
    found = sums.into(Dynamics(np.arange(3), np.zeros(3), np.array([2, 0, 4])))
    np.testing.assert_array_equal(found.forgetting, [0, np.nan, 1])
    np.testing.assert_array_equal(found.n_right, [2, np.nan, 1])
    np.testing.assert_allclose(found.el2n, [np.sqrt(0.5), np.nan, np.sqrt(0.5)], atol=1e-6)


def test_mixed_images_forget_nothing_and_have_no_margin() -> None:
    outcome = train(job_of(mixup=0.4, epochs=1))
    assert outcome.dynamics is not None
    for name in ("forgetting", "n_right", "el2n"):
        assert np.isnan(getattr(outcome.dynamics, name)).all()
    assert noted(outcome)[0].train_margin == [None] * 4
    assert all(v is not None for v in noted(outcome)[0].val_margin)


@pytest.mark.parametrize("options", [{}, {"precision": "bf16"}, {"optimizer": "adamw", "average": "ema"}])
def test_a_killed_run_notes_the_same(options: dict[str, Any]) -> None:
    conflict = find_conflict((TRAIN.labels, TRAIN.attributes), (VAL.labels, VAL.attributes), np.arange(2))
    job = replace(job_of(checkpoint_seconds=1e-9, epochs=2, **options), conflict=conflict)
    saved: list[Any] = []

    def run(resume: Any, save: Any) -> Outcome:
        return train_seed(network(), TRAIN, VAL, job, resume=resume, save=save, tick=lambda n: None)

    whole = run(None, lambda state: saved.append(copy.deepcopy(state)))
    assert noted(whole)[0].follows_cue is not None
    for state in (saved[1], saved[3], saved[5]):
        assert noted(run(state, lambda s: None)) == noted(whole)


def test_conflicting_images_are_counted_by_what_the_network_says() -> None:
    conflict = find_conflict((TRAIN.labels, TRAIN.attributes), (VAL.labels, VAL.attributes), np.arange(2))
    assert conflict is not None
    outcome = train(replace(job_of(), conflict=conflict))
    model = network()
    model.load_state_dict(outcome.weights)
    said = predict_logits(model, VAL.images).argmax(1)
    odd = [(VAL.labels == k) & (VAL.attributes == 1 - k) for k in (0, 1)]
    found = noted(outcome)[-1]
    assert found.follows_label == pytest.approx(np.mean([(said == VAL.labels)[m].mean() for m in odd]))
    assert found.follows_cue == pytest.approx(1 - (found.follows_label or 0))
    assert found.n_conflicting == sum(m.sum() for m in odd)
    assert noted(train(job_of(epochs=1)))[0].follows_cue is None


def test_parameters_outside_the_cascade_have_their_outermost_name() -> None:
    names = ["head.weight", "stages.0.weight", "extra.deep.bias", "scale"]
    assert parts_of(network(), names) == ["head", "stages.0", "extra", "scale"]


def test_older_records_and_tables_load(tmp_path: Any) -> None:
    old = {
        "seed": 0, "epoch": 0, "train_loss": 1.0, "train_accuracy": [1.0], "val_accuracy": [1.0],
        "val_average": 1.0, "val_worst": None, "seconds": 1.0,
    }  # fmt: skip
    assert EpochRecord.model_validate(old).dynamics is None
    path = tmp_path / "dynamics.parquet"
    plain = Dynamics(np.arange(2), np.array([0.5, np.nan]), np.array([3, 0]))
    full = replace(
        plain, forgetting=np.array([1.0, np.nan]), n_right=np.array([2.0, np.nan]), el2n=np.ones(2)
    )
    save_dynamics(path, {0: plain, 1: full})
    found = load_dynamics(path)
    np.testing.assert_array_equal(found[1].forgetting, full.forgetting)
    np.testing.assert_array_equal(found[1].el2n, full.el2n)
    assert np.isnan(found[0].el2n).all()
    import pandas as pd

    pd.read_parquet(path)[["seed", "id", "aum", "n_drawn"]].to_parquet(path)
    assert load_dynamics(path)[0].forgetting is None
