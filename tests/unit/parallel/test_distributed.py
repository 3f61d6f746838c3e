"""Two processes on this machine train the same network as one."""

from __future__ import annotations

import copy
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import multiprocessing, nn

from pipeline.core.errors import InputError
from pipeline.models.interface import Classifier, StagedClassifier
from pipeline.models.registry import build_model
from pipeline.models.regularization import regularize
from pipeline.parallel.rank import World, joined_processes, synchronize_batch_norm
from pipeline.train.loop import Job, Outcome, train_seed
from tests.fixtures.train import make_dro, make_erm, make_job, make_split
from tests.fixtures.zoo import MOBILENET, RESNET18, build_small

pytestmark = pytest.mark.slow

GREY = [0.4] * 3
TRAIN, VAL = make_split(172), make_split(65, name="val", strength=0.5)
# odd batches and an odd last one: the two parts differ in size
SMALL: dict[str, Any] = {"epochs": 2, "batch_size": 33, "augment": "flip_crop"}
JOBS: dict[str, Job] = {
    "erm": make_job(make_erm(), TRAIN, VAL, **SMALL),
    "group_dro": make_job(make_dro(adjustment=1.0, step_size=0.1), TRAIN, VAL, **SMALL),
    "every option": make_job(
        make_dro(step_size=0.1), TRAIN, VAL, **SMALL,
        mixup=0.4, cutmix=1.0, auto_augment="trivial", sam_rho=0.05, clip_norm=1.0, average="ema",
    ),
    "batch norm": make_job(make_erm(), TRAIN, VAL, **SMALL | {"epochs": 4, "batch_size": 86}),
}  # fmt: skip


def network(name: str) -> Classifier:
    if name == "batch norm":
        return build_model(
            "small_resnet", n_classes=2, width=4, pretrained=False, mean=GREY, std=GREY, seed=0
        )
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU()]
    return StagedClassifier(nn.Sequential(*layers), 8, 2, GREY, GREY)


def train(name: str, resume: Any = None, saved: list[Any] | None = None) -> Outcome:
    keep = [] if saved is None else saved
    return train_seed(
        network(name), TRAIN, VAL, JOBS[name],
        resume=resume, save=lambda state: keep.append(copy.deepcopy(state)), tick=lambda n: None,
    )  # fmt: skip


def train_in_one_of_two(rank: int, port: int, folder: Path) -> None:
    """What each process does: every job, and one of them once more from its first epoch's checkpoint."""
    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    with joined_processes(torch.device("cpu")) as world:
        saved: dict[str, list[Any]] = {name: [] for name in JOBS}
        outcomes = {name: train(name, saved=saved[name]) for name in JOBS}
        # the second process finds no checkpoint, as on a machine that shares no files
        first = saved["batch norm"][0] if world.is_first else None
        outcomes["resumed"] = train("batch norm", resume=first)
        n_saved = {name: len(states) for name, states in saved.items()}
        torch.save({"outcomes": outcomes, "n_saved": n_saved}, folder / f"{rank}.pt")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the two processes got."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(train_in_one_of_two, (port, folder), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in (0, 1)]


def _numbers(values: Any) -> np.ndarray:
    """Of a number, a list or a table by name; what there is none of is NaN."""
    return np.array(list(values.values()) if isinstance(values, dict) else values, float)


@pytest.mark.parametrize("name", ["erm", "group_dro", "every option"])
def test_two_processes_equal_one(both: list[dict[str, Any]], name: str) -> None:
    one, two = train(name), both[0]["outcomes"][name]
    assert two.selected_epoch == one.selected_epoch
    for epoch, expected in zip(two.history, one.history, strict=True):
        assert epoch.train_loss == pytest.approx(expected.train_loss, rel=1e-5)
        assert epoch.train_accuracy == pytest.approx(expected.train_accuracy)
        assert epoch.val_accuracy == pytest.approx(expected.val_accuracy)
        assert (epoch.group_weights or []) == pytest.approx(expected.group_weights or [], rel=1e-5)
        assert epoch.dynamics is not None
        assert expected.dynamics is not None
        found, alone = epoch.dynamics.model_dump(), expected.dynamics.model_dump()
        for key, values in alone.items():
            np.testing.assert_allclose(
                _numbers(found[key]), _numbers(values), rtol=1e-3, atol=1e-4, err_msg=key
            )
    assert one.dynamics is not None
    np.testing.assert_array_equal(two.dynamics.n_drawn, one.dynamics.n_drawn)
    np.testing.assert_allclose(two.dynamics.aum, one.dynamics.aum, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(two.dynamics.forgetting, one.dynamics.forgetting)
    np.testing.assert_array_equal(two.dynamics.n_right, one.dynamics.n_right)
    np.testing.assert_allclose(two.dynamics.el2n, one.dynamics.el2n, rtol=1e-3, atol=1e-4)
    assert np.isnan(two.dynamics.aum).all() == (name == "every option"), "it mixes"
    start = network(name).state_dict()
    for key, expected in one.weights.items():
        torch.testing.assert_close(two.weights[key], expected, rtol=1e-4, atol=1e-5)
        if key not in ("mean", "std"):
            assert not torch.allclose(expected, start[key], atol=1e-3), "training moved the weights"


def test_batch_norm_of_halves_is_close_to_one_process(both: list[dict[str, Any]]) -> None:
    one, two = train("batch norm"), both[0]["outcomes"]["batch norm"]
    for epoch, expected in zip(two.history, one.history, strict=True):
        assert epoch.train_loss == pytest.approx(expected.train_loss, abs=0.05)
    for key, expected in one.weights.items():
        if expected.ndim == 4 and key.startswith("stages"):
            assert (
                nn.functional.cosine_similarity(two.weights[key].flatten(), expected.flatten(), dim=0) > 0.98
            )


def test_both_processes_end_with_the_same_weights_and_the_first_one_saves(both: list[dict[str, Any]]) -> None:
    for name, outcome in both[0]["outcomes"].items():
        for key, value in outcome.weights.items():
            assert torch.equal(value, both[1]["outcomes"][name].weights[key]), (name, key)
        np.testing.assert_array_equal(outcome.dynamics.aum, both[1]["outcomes"][name].dynamics.aum)
    assert both[0]["n_saved"] == {
        name: len(outcome.history) for name, outcome in both[0]["outcomes"].items() if name != "resumed"
    }
    assert set(both[1]["n_saved"].values()) == {0}


def test_two_processes_resume_bit_for_bit_from_the_first_ones_checkpoint(both: list[dict[str, Any]]) -> None:
    whole, again = both[0]["outcomes"]["batch norm"], both[0]["outcomes"]["resumed"]
    assert again.selected_epoch == whole.selected_epoch
    np.testing.assert_array_equal(again.dynamics.aum, whole.dynamics.aum)
    for key, value in whole.weights.items():
        assert torch.equal(value, again.weights[key]), key


def test_parts_cover_a_batch_once() -> None:
    for n in (4, 7, 33):
        parts = [World(rank, 3).part(n) for rank in range(3)]
        assert [place for part in parts for place in part] == list(range(n))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_alone_nothing_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_processes(torch.device("cpu")) as world:
        assert (world.rank, world.size, world.is_first) == (0, 1, True)


def test_a_batch_too_small_for_the_processes_names_the_remedy() -> None:
    with pytest.raises(InputError, match=r"batch_size = 7 .* each of 4 processes: use 8 or more"):
        World(0, 4).check_batch_size(7)


def test_synchronized_batch_norm_keeps_stochastic_depth() -> None:
    model = build_small("small_resnet")
    regularize(model, dropout=0.0, stochastic_depth=0.5)
    synchronize_batch_norm(model)
    assert sum(len(module._forward_hooks) for module in model.modules()) == 2, "one for each block"
    model = build_small(RESNET18, stochastic_depth=0.5)
    synchronize_batch_norm(model)
    assert sum(getattr(module, "drop_prob", 0) > 0 for module in model.modules()) == 7, "all but the first"


@pytest.mark.parametrize("name", ["small_resnet", RESNET18, MOBILENET])
def test_synchronized_batch_norm_computes_the_same(name: str) -> None:
    model, pixels = build_small(name).eval(), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = model(pixels)
        synchronize_batch_norm(model)
        torch.testing.assert_close(model(pixels), expected)
    assert any(isinstance(module, nn.SyncBatchNorm) for module in model.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
