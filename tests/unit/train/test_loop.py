"""The training loop: resume, selection, isolation from evaluation, and bad numbers."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.core.errors import InputError, TrainingError
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits
from pipeline.models.registry import build_model
from pipeline.models.regularization import regularize
from pipeline.models.small_resnet import Norm
from pipeline.train.loop import Job, Outcome, _Run, train_seed
from tests.fixtures.train import make_dro, make_erm, make_split
from tests.fixtures.train import make_job as job_for

N_STEPS = 5  # an epoch
TRAIN, VAL = make_split(160), make_split(64, name="val", strength=0.5)


def make_model(seed: int = 0, norm: Norm = "batch") -> Classifier:
    return build_model(
        "small_resnet",
        n_classes=2,
        width=4,
        norm=norm,
        pretrained=False,
        mean=[0.4] * 3,
        std=[0.2] * 3,
        seed=seed,
    )


def make_job(method: Any = None, **settings: Any) -> Job:
    return job_for(method or make_erm(), TRAIN, VAL, **settings)


def train(job: Job, resume: Any = None, save: Any = None) -> Outcome:
    model = make_model(norm=job.settings.norm)
    regularize(model, dropout=job.settings.dropout, stochastic_depth=job.settings.stochastic_depth)
    return train_seed(
        model, TRAIN, VAL, job, resume=resume, save=save or (lambda state: None), tick=lambda n: None
    )


def without_seconds(outcome: Outcome) -> list[dict[str, Any]]:
    return [record.model_dump(exclude={"seconds"}) for record in outcome.history]


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bf16": {"precision": "bf16", "augment": "flip_crop"},
    "adamw": {"optimizer": "adamw", "lr": 1e-3, "schedule": "cosine", "warm_up_epochs": 0.5},
    "dropout": {"dropout": 0.5, "stochastic_depth": 0.5},
    "mixing": {"mixup": 0.4, "cutmix": 1.0, "label_smoothing": 0.1, "augment": "flip_crop"},
    "auto_augment": {"auto_augment": "trivial", "color_jitter": 0.5},
    "sam": {"sam_rho": 0.05, "clip_norm": 1.0, "dropout": 0.5},
    "asam": {"sam_rho": 0.5, "sam_adaptive": True, "precision": "bf16"},
    "ema": {"average": "ema", "ema_decay": 0.9},
    "swa": {"average": "swa", "swa_start": 0.3, "schedule": "constant"},
    "swa of layers that drop": {"average": "swa", "swa_start": 0.3, "stochastic_depth": 0.5, "dropout": 0.5},
    "patience": {"patience": 1, "lr": 1e-6},
    "adam": {"optimizer": "adam", "lr": 1e-3, "l1": 1e-3, "loss": "generalized_cross_entropy"},
    "lion": {"optimizer": "lion", "lr": 1e-4, "l1": 0.1, "warm_up": "cosine", "norm": "group"},
    "l1": {"l1": 1e-3, "average": "ema", "loss": "symmetric_cross_entropy", "mixup": 0.4, "norm": "layer"},
}


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_resume_from_any_checkpoint_is_bit_identical(options: dict[str, Any]) -> None:
    check_resume(make_dro(adjustment=1.0), options)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["average", "one_standard_error", "last"])
def test_resume_is_bit_identical_whatever_selects(rule: Any) -> None:
    check_resume(make_erm(rule), {"average": "swa", "swa_start": 0.5})


def check_resume(method: Any, options: dict[str, Any]) -> None:
    job = make_job(method, **{"checkpoint_seconds": 1e-9, "epochs": 2} | options)
    saved: list[Any] = []
    whole = train(job, save=lambda state: saved.append(copy.deepcopy(state)))
    assert len(saved) == len(whole.history) * (N_STEPS + 1), "every step and every epoch"
    assert whole.n_computed == len(whole.history) * N_STEPS
    for state in (saved[2], saved[5], saved[-5], saved[-1]):
        again = train(job, resume=state)
        done = state["epoch"] * N_STEPS + state["step"]
        assert again.n_computed == whole.n_computed - done, "and not from the beginning"
        assert again.selected_epoch == whole.selected_epoch
        assert without_seconds(again) == without_seconds(whole)
        for key, value in whole.weights.items():
            assert torch.equal(value, again.weights[key]), key


def test_time_spent_before_a_kill_is_counted() -> None:
    saved: list[Any] = []
    train(make_job(checkpoint_seconds=1e-9, epochs=1), save=lambda state: saved.append(copy.deepcopy(state)))
    again = train(make_job(epochs=1), resume=saved[2] | {"seconds": 1000.0})
    assert 1000 < again.history[0].seconds < 1060


def test_a_checkpoint_after_the_last_epoch_trains_nothing_more() -> None:
    saved: list[Any] = []
    job = make_job(epochs=2)
    whole = train(job, save=lambda state: saved.append(copy.deepcopy(state)))
    again = train(job, resume=saved[-1])
    assert without_seconds(again) == without_seconds(whole)


def test_validation_changes_neither_group_weights_nor_model() -> None:
    job = make_job(make_dro())
    run = _Run(make_model(), TRAIN, job)
    order = job.plan.order(seed=0, epoch=0)
    run.train_step(order[:32], 0, 0)
    before = copy.deepcopy(run.state())
    run.finish_epoch(0, VAL, order)
    assert torch.equal(before["weights_G"], run.weights_G)
    for key, value in before["model"].items():
        assert torch.equal(value, run.model.state_dict()[key]), key


@pytest.mark.parametrize("rule", ["average", "worst_group", "last"])
def test_selected_weights_are_those_of_the_best_validation_epoch(rule: str) -> None:
    outcome = train(make_job(make_erm(rule), epochs=4, lr=0.2))
    metric = {
        "average": [r.val_average for r in outcome.history],
        "worst_group": [r.val_worst for r in outcome.history],
        "last": list(range(4)),
    }[rule]
    assert outcome.selected_epoch == max(range(4), key=lambda e: (metric[e], e))
    model = make_model()
    model.load_state_dict(outcome.weights)
    accuracy = (predict_logits(model, VAL.images).argmax(1) == VAL.labels).mean()
    assert accuracy == pytest.approx(outcome.history[outcome.selected_epoch].val_average)


def test_history_has_every_group_and_the_weights_of_group_dro() -> None:
    outcome = train(make_job(make_dro(), epochs=1))
    record = outcome.history[0]
    assert len(record.val_accuracy) == len(record.train_accuracy) == 4
    assert sum(record.group_weights or []) == pytest.approx(1)
    assert record.val_worst == min(a for a in record.val_accuracy if a is not None)
    sizes = np.bincount(VAL.groups)
    large = train(make_job(make_dro(), epochs=1, min_val=int(sizes.max()))).history[0]
    assert large.val_worst == large.val_accuracy[sizes.argmax()], "the others are too small to count"


def test_group_dro_beats_erm_on_the_planted_shortcut() -> None:
    train_split = make_split(400, strength=0.97, bar=25)
    val_split = make_split(200, name="val", strength=0.5, bar=25)
    worst = {}
    for name, method in {"erm": make_erm("last"), "dro": make_dro(selection="last")}.items():
        job = job_for(method, train_split, val_split, epochs=2)
        outcome = train_seed(
            make_model(), train_split, val_split, job, resume=None, save=lambda s: None, tick=lambda n: None
        )
        worst[name] = outcome.history[-1].val_worst or 0.0
    assert worst["dro"] >= worst["erm"] + 0.2, worst


@pytest.mark.parametrize("option", ["plain", "bf16", "mixing", "sam", "ema", "swa"])
def test_nan_loss_stops_with_a_remedy_and_keeps_the_last_checkpoint(option: str) -> None:
    saved: list[Any] = []
    job = make_job(**OPTIONS[option] | {"lr": 1e30, "schedule": "constant", "epochs": 2})
    with pytest.raises(TrainingError, match=r"loss became (nan|inf).*Lower\s+train.lr"):
        train(job, save=lambda state: saved.append(copy.deepcopy(state)))
    assert all(np.isfinite(float(state["counts"][0][0])) for state in saved)


def test_weights_that_are_no_numbers_reach_no_checkpoint() -> None:
    # one step an epoch: the loss is still finite when the weights no longer are
    saved: list[Any] = []
    with pytest.raises(TrainingError, match=r"weights became infinite or NaN.*Lower\s+train.lr"):
        train(make_job(lr=1e42, schedule="constant", batch_size=160, epochs=2), save=saved.append)
    assert saved == []


def test_seeds_give_different_models_and_the_same_seed_the_same() -> None:
    a, b, c = make_model(0), make_model(0), make_model(1)
    assert torch.equal(a.head.weight, b.head.weight)
    assert not torch.equal(a.head.weight, c.head.weight)


def test_an_epoch_too_short_for_a_step_is_refused() -> None:
    # batch normalization needs two images
    train_split, val_split = make_split(1), make_split(20, name="val")
    job = job_for(make_erm("last"), train_split, val_split)
    with pytest.raises(InputError, match=r"an epoch has 1 images, less than two for each of 1 processes"):
        train_seed(
            make_model(), train_split, val_split, job, resume=None, save=lambda s: None, tick=lambda n: None
        )
