"""Margins over a run, and the weights of further epochs that a run keeps."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.core.errors import InputError
from pipeline.core.types import Dynamics, Int64Array
from pipeline.models.interface import Classifier
from pipeline.models.registry import build_model
from pipeline.parallel.rank import World
from pipeline.settings.parsing import parse
from pipeline.settings.train import TrainSettings
from pipeline.train.aum import AumSums, logit_leads
from pipeline.train.groups import Groups
from pipeline.train.loop import Job, Outcome, train_seed
from pipeline.train.plans import listed_plan
from pipeline.train.snapshots import snapshot_epochs
from tests.fixtures.train import GROUP_NAMES, make_erm, make_job, make_settings, make_split

TRAIN, VAL = make_split(90), make_split(40, name="val", strength=0.5)


def train(job: Job, resume: Any = None, save: Any = None, hook: Any = None) -> Outcome:
    model: Classifier = build_model(
        "small_resnet", n_classes=2, width=4, pretrained=False, mean=[0.4] * 3, std=[0.2] * 3, seed=0
    )
    if hook is not None:
        model.register_forward_hook(hook)
    keep = save or (lambda state: None)
    return train_seed(model, TRAIN, VAL, job, resume=resume, save=keep, tick=lambda n: None)


def dynamics(outcome: Outcome) -> Dynamics:
    assert outcome.dynamics is not None
    return outcome.dynamics


def erm_job(**settings: Any) -> Job:
    return make_job(make_erm("last"), TRAIN, VAL, **{"epochs": 3} | settings)


def slow_means(job: Job) -> dict[int, list[float]]:
    """What a plain loop over steps and images finds in the logits that the training steps gave."""
    seen: list[Tensor] = []

    def note(module: nn.Module, args: Any, logits: Tensor) -> None:
        if module.training and torch.is_grad_enabled():
            seen.append(logits.detach().clone())

    train(job, hook=note)
    size, found = job.settings.batch_size, dict[int, list[float]]()
    batches = []
    for epoch in range(job.settings.epochs):
        order = job.plan.order(seed=job.seed, epoch=epoch)
        batches += [order[i : i + size] for i in range(0, len(order), size)]
    for rows, logits in zip(batches, seen, strict=True):
        for row, scores in zip(rows.tolist(), logits.tolist(), strict=True):
            label = int(TRAIN.labels[row])
            other = max(score for k, score in enumerate(scores) if k != label)
            found.setdefault(row, []).append(scores[label] - other)
    return found


@pytest.mark.parametrize("kind", ["erm", "some rows twice, some never"])
def test_margins_are_those_of_a_loop_over_steps_and_images(kind: str) -> None:
    job = erm_job()
    if kind != "erm":
        rows: Int64Array = np.r_[np.arange(40), np.arange(40), 50].astype(np.int64)
        plan = listed_plan(rows, Groups(TRAIN.groups, VAL.groups, GROUP_NAMES), "last")
        job = Job(make_settings(epochs=2), plan, 0, 4)
    expected, found = slow_means(job), dynamics(train(job))
    assert found.ids.tolist() == TRAIN.ids.tolist()
    assert found.n_drawn.tolist() == [len(expected.get(i, [])) for i in range(len(TRAIN))]
    assert found.reason is None
    for i, value in enumerate(found.aum):
        if i in expected:
            assert value == pytest.approx(np.mean(expected[i]), abs=1e-6)
        else:
            assert np.isnan(value)


def test_margin_with_several_classes_by_hand() -> None:
    logits = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, -1.0]])
    assert logit_leads(logits, torch.tensor([0, 2])).tolist() == [1.0, -6.0]


def test_wrong_labels_have_the_lowest_margins() -> None:
    flipped = np.arange(len(TRAIN)) % 15 == 0
    labels = np.where(flipped, 1 - TRAIN.labels, TRAIN.labels)
    split = make_split(90, strength=1.0, bar=90)
    wrong = type(split)(**{**split.__dict__, "labels": labels})
    job = make_job(make_erm("last"), wrong, VAL, epochs=6)
    model = build_model(
        "small_resnet", n_classes=2, width=4, pretrained=False, mean=[0.4] * 3, std=[0.2] * 3, seed=0
    )
    outcome = train_seed(model, wrong, VAL, job, resume=None, save=lambda s: None, tick=lambda n: None)
    aum = dynamics(outcome).aum
    assert aum[flipped].max() < aum[~flipped].min()
    assert aum[flipped].max() < 0


@pytest.mark.parametrize("options", [{}, {"mixup": 0.4}, {"checkpoints": 1}, {"sam_rho": 0.05}])
def test_resume_gives_the_same_margins_and_further_epochs(options: dict[str, Any]) -> None:
    saved: list[Any] = []
    job = erm_job(checkpoint_seconds=1e-9, **options)
    whole = train(job, save=lambda state: saved.append(copy.deepcopy(state)))
    for state in (saved[1], saved[7], saved[-1]):
        again = train(job, resume=state)
        np.testing.assert_array_equal(dynamics(again).aum, dynamics(whole).aum)
        np.testing.assert_array_equal(dynamics(again).n_drawn, dynamics(whole).n_drawn)
        for name in ("forgetting", "n_right", "el2n"):
            np.testing.assert_array_equal(getattr(dynamics(again), name), getattr(dynamics(whole), name))
        assert [r.dynamics for r in again.history] == [r.dynamics for r in whole.history]
        assert list(again.snapshots) == list(whole.snapshots)
        for epoch, weights in whole.snapshots.items():
            assert all(torch.equal(value, again.snapshots[epoch][key]) for key, value in weights.items())


def test_mixed_images_have_no_margin_but_are_counted() -> None:
    found = dynamics(train(erm_job(mixup=0.4)))
    assert np.isnan(found.aum).all()
    assert found.reason is not None
    assert "mixup" in found.reason
    assert (found.n_drawn == 3).all()


def test_no_order_of_adding_matters() -> None:
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(0, 1e3, (600, 3)))
    labels = torch.from_numpy(rng.integers(3, size=600))
    rows = rng.integers(20, size=600).astype(np.int64)
    found = []
    for order in (np.arange(600), rng.permutation(600)):
        sums = AumSums(np.arange(20), torch.device("cpu"), is_mixed=False)
        for part in np.split(order, 6):
            sums.add(logit_leads(logits[part], labels[part]), rows[part], World())
        found.append(sums.result().aum)
    np.testing.assert_array_equal(found[0], found[1])


def test_numbers_that_are_none_do_not_crash_the_sums() -> None:
    sums = AumSums(np.arange(2), torch.device("cpu"), is_mixed=False)
    logits = torch.tensor([[torch.nan, 1.0], [torch.inf, -torch.inf]])
    sums.add(logit_leads(logits, torch.tensor([0, 0])), np.arange(2), World())
    assert np.isfinite(sums.result().aum).all()


def test_further_epochs_leave_training_as_it_is_and_are_what_a_shorter_look_would_have_kept() -> None:
    plain, kept = train(erm_job(epochs=6)), train(erm_job(epochs=6, checkpoints=2))
    assert plain.snapshots == {}
    assert list(kept.snapshots) == [3, 4]
    for key, value in plain.weights.items():
        assert torch.equal(value, kept.weights[key]), key
    saved: list[Any] = []
    train(erm_job(epochs=6), save=lambda state: saved.append(copy.deepcopy(state["model"])))
    for epoch, weights in kept.snapshots.items():
        assert all(torch.equal(value, saved[epoch][key]) for key, value in weights.items())


def test_the_selected_epoch_is_not_kept_twice() -> None:
    job = make_job(make_erm("average"), TRAIN, VAL, epochs=8, checkpoints=3, lr=0.2)
    outcome = train(job)
    assert list(outcome.snapshots) == [e for e in (4, 5, 6) if e != outcome.selected_epoch]


@pytest.mark.parametrize("n_epochs", [1, 2, 3, 9, 10, 18, 101])
def test_further_epochs_lie_evenly_in_the_last_half_and_never_at_its_end(n_epochs: int) -> None:
    for n in range((n_epochs + 1) // 2):
        epochs = snapshot_epochs(n_epochs, n)
        assert len(set(epochs)) == n
        assert all(n_epochs / 2 - 1 <= epoch < n_epochs - 1 for epoch in epochs)
        steps = np.diff([*epochs, n_epochs - 1])
        assert len(steps) == 0 or steps.max() - steps.min() <= 1


def test_too_many_further_epochs_are_refused_with_the_most() -> None:
    make_settings(epochs=9, checkpoints=4)
    values = make_settings(epochs=9).model_dump() | {"checkpoints": 5}
    with pytest.raises(InputError, match=r"checkpoints = 5 must be 4 or less.*epochs = 9"):
        parse(TrainSettings, values, "train")
