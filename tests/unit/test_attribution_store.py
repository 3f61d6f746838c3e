"""The store: resumed exactly after a kill, never fooled by other weights, silent, and strict on sizes."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.attribution.selection import Examples
from pipeline.attribution.traker_adapter import TrakStore
from pipeline.core.errors import InputError, TrainingError
from pipeline.core.settings import AttributeSettings
from pipeline.models.networks import Classifier

ALL = slice(None)


def make_net(seed: int) -> Classifier:
    torch.manual_seed(seed)
    stages = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    return Classifier(stages, 8, 3, [0.5] * 3, [0.25] * 3)


def make_examples(n: int, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 6, 6, 3), dtype=np.uint8)
    return Examples(images, np.arange(n), rng.integers(0, 3, n), np.zeros(n, int), np.arange(n))


def make_settings(**changes: object) -> AttributeSettings:
    values = {"proj_dim": 128, "ridge": 0.01, "top_k": 3, "batch_size": 16, "seed": 0}
    return AttributeSettings.model_construct(**{**values, **changes})


def store_of(models: list[Classifier], work_dir: Path, *, train: Examples, **changes: object) -> TrakStore:
    return TrakStore(
        models,
        train=train,
        targets=make_examples(10, 2),
        settings=make_settings(**changes),
        work_dir=work_dir,
        device="cpu",
    )


def make_store(work_dir: Path, *, seeds: tuple[int, ...] = (0, 1), **changes: object) -> TrakStore:
    models = [make_net(seed) for seed in seeds]
    return store_of(models, work_dir, train=make_examples(100, 1), **changes)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    store = make_store(tmp_path_factory.mktemp("whole"))
    store.compute()
    return store.scores(ALL, ALL)


def test_resume_after_a_kill_gives_the_same_scores(tmp_path: Path, uninterrupted: np.ndarray) -> None:
    script = f"""
        import os, signal, sys
        from pathlib import Path
        import torch
        torch.set_num_threads({torch.get_num_threads()})
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pipeline.attribution.projector import BlockSketch
        from test_attribution_store import make_store
        calls, project = [], BlockSketch.project
        def killed_in_the_second_model(self, gradients, *, stream=0):
            calls.append(stream)
            if len(calls) == 7 + 1 + 4:  # 7 batches and 1 of targets, then half of the second model
                os.kill(os.getpid(), signal.SIGKILL)
            return project(self, gradients, stream=stream)
        BlockSketch.project = killed_in_the_second_model
        make_store(Path({str(tmp_path)!r})).compute()
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    store = make_store(tmp_path)
    assert int(np.load(store.folder / "1" / "_is_featurized.mmap").sum()) == 48
    before = (store.folder / "0" / "features.mmap").stat().st_mtime_ns
    store.compute()
    assert (store.folder / "0" / "features.mmap").stat().st_mtime_ns == before  # not made again
    np.testing.assert_array_equal(store.scores(ALL, ALL), uninterrupted)


def test_half_flagged_batch_is_done_again(tmp_path: Path, uninterrupted: np.ndarray) -> None:
    store = make_store(tmp_path)
    with torch.no_grad():
        store._featurize(0)
    flags = np.load(store.folder / "0" / "_is_featurized.mmap", mmap_mode="r+")
    gradients = np.load(store.folder / "0" / "grads.mmap", mmap_mode="r+")
    flags[20:32], gradients[20:32] = 0, np.nan
    flags.flush()
    (store.folder / "id_0.json").write_text('{"0": {"is_feat')  # torn by the same kill
    (store.folder / "experiments.json").write_text("")
    again = make_store(tmp_path)
    again.compute()
    np.testing.assert_array_equal(again.scores(ALL, ALL), uninterrupted)


def test_kill_after_the_last_batch_and_before_the_record(tmp_path: Path, uninterrupted: np.ndarray) -> None:
    store = make_store(tmp_path)
    with torch.no_grad():
        store._featurize(0)
    unfinished = {"0": {"is_featurized": 0, "is_finalized": 0}}
    (store.folder / "id_0.json").write_text(json.dumps(unfinished))
    again = make_store(tmp_path)
    again.compute()
    np.testing.assert_array_equal(again.scores(ALL, ALL), uninterrupted)


def test_finished_store_is_read_and_gradients_are_gone(tmp_path: Path, uninterrupted: np.ndarray) -> None:
    make_store(tmp_path).compute()
    again = make_store(tmp_path)
    held = {f: f.stat().st_mtime_ns for f in again.folder.rglob("*.mmap")}
    again.compute()
    assert {f: f.stat().st_mtime_ns for f in again.folder.rglob("*.mmap")} == held
    assert {f.name for f in held} == {
        "features.mmap",
        "out_to_loss.mmap",
        "_is_featurized.mmap",
        "targets_grads.mmap",
    }
    np.testing.assert_array_equal(again.scores(ALL, ALL), uninterrupted)


def test_other_weights_settings_labels_or_pixels_are_another_store(tmp_path: Path) -> None:
    first = make_store(tmp_path)
    assert make_store(tmp_path).folder == first.folder
    others = [
        make_store(tmp_path, seeds=(0, 2)),
        make_store(tmp_path, ridge=0.1),
        make_store(tmp_path, seed=1),
    ]
    assert len({first.folder, *[other.folder for other in others]}) == 4
    assert [p.name for p in tmp_path.iterdir()] == [others[-1].folder.name]  # stale ones are removed


def test_scores_of_other_weights_are_not_reused(tmp_path: Path, uninterrupted: np.ndarray) -> None:
    make_store(tmp_path).compute()
    other = make_store(tmp_path, seeds=(2, 3))
    other.compute()
    assert abs(other.scores(ALL, ALL) - uninterrupted).max() > 0.1 * abs(uninterrupted).max()


def test_nothing_is_printed_and_nothing_global_changes(tmp_path: Path, capfd) -> None:
    root, threads = logging.getLogger(), torch.get_num_threads()
    handlers = list(root.handlers)
    root.handlers.clear()  # a root logger without handlers is what traker adds one to
    try:
        make_store(tmp_path, seeds=(0,)).compute()
        assert root.handlers == []
    finally:
        root.handlers[:] = handlers
    assert capfd.readouterr() == ("", "")
    assert torch.get_num_threads() == threads


def test_the_models_themselves_are_left_as_they_were(tmp_path: Path) -> None:
    model = make_net(0).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    store_of([model], tmp_path, train=make_examples(30, 1)).compute()
    assert model.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_sizes_at_which_scores_mean_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"proj_dim = 100.*Use 512"):
        make_store(tmp_path, proj_dim=100)
    with pytest.raises(InputError, match=r"proj_dim = 128 exceeds the 100 training images.*ridge above 0"):
        make_store(tmp_path, ridge=0)
    with pytest.raises(InputError, match=r"attribution needs .* MB .* lower attribute\.proj_dim"):
        make_store(tmp_path, proj_dim=10**12)


def test_singular_gradients_without_ridge_are_refused(tmp_path: Path) -> None:
    one = make_examples(1, 0)
    train = Examples(one.images, np.zeros(200, int), np.arange(200) % 3, np.zeros(200, int), np.arange(200))
    with pytest.raises(InputError, match=r"cannot be inverted.*attribute\.ridge"):
        store_of([make_net(0)], tmp_path, train=train, ridge=0).compute()


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    model = make_net(0)
    with torch.no_grad():
        model.head.weight[0, 0] = torch.nan
    with pytest.raises(TrainingError, match=r"not finite.*train\.lr"):
        store_of([model], tmp_path, train=make_examples(30, 1)).compute()
