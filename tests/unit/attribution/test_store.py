"""The store: resumed exactly after any kill, shared by workers, never fooled by other weights, strict."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.attribution.estimators.trak import TrakStore
from pipeline.attribution.gradients.choice import choose_dim
from pipeline.attribution.gradients.featurizer import Features
from pipeline.attribution.selection import Examples
from pipeline.attribution.store.features import FeatureRows, save_array
from pipeline.core.errors import InputError, TrainingError
from pipeline.models.interface import Classifier
from tests import ROOT
from tests.fixtures.attribution import make_examples, make_net, make_settings
from tests.fixtures.vmap_featurizer import VmapFeaturizer

pytestmark = pytest.mark.slow


def store_of(models: list[Classifier], work_dir: Path, *, train: Examples, **changes: object) -> TrakStore:
    return TrakStore(
        [[model] for model in models],
        train=train,
        targets=make_examples(10, 2),
        settings=make_settings(**changes),
        work_dir=work_dir,
        device="cpu",
        make_featurizer=VmapFeaturizer,
    )


def make_store(work_dir: Path, *, seeds: tuple[int, ...] = (0, 1), **changes: object) -> TrakStore:
    models = [make_net(seed) for seed in seeds]
    return store_of(models, work_dir, train=make_examples(100, 1), **changes)


def matrix(store: TrakStore, **changes: object) -> np.ndarray:
    store.compute()
    return store.scores(**changes).block(slice(0, 100), slice(0, 10))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return matrix(make_store(tmp_path_factory.mktemp("whole")))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-m", "tests.fixtures.attribution", str(folder)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, timeout=1200)
    return folder, ended.stdout.splitlines()


def assert_same(folder: Path, name: str) -> None:
    whole, other = np.load(folder / "whole.npz"), np.load(folder / f"{name}.npz")
    assert abs(whole["helpful"]).max() > 0
    for key in whole:
        np.testing.assert_array_equal(whole[key], other[key])


def test_kills_in_featurizing_solving_and_scoring_change_no_bit(killed) -> None:
    folder, lines = killed
    kills = [line.split() for line in lines if line.startswith("killed")]
    assert len(kills) == 9
    assert all(code == "-9" for _, code, _ in kills)
    done = [int(n) for _, _, n in kills]
    assert done == sorted(done), "no worker takes away what another has made"
    assert done[0] == 0
    assert done[-1] == 13, "the last one dies over the last block of scores"
    assert "resumed 0" in lines
    assert_same(folder, "resumed")
    assert not list(folder.glob("b/*/*.part")), "what killed workers left half written is gone"


def test_two_workers_agree_with_one_process(killed) -> None:
    folder, lines = killed
    assert "workers 0 0" in lines
    assert_same(folder, "worker_0")
    assert_same(folder, "worker_1")


def test_a_worker_makes_up_for_one_that_died_and_one_that_never_came(killed) -> None:
    folder, lines = killed
    assert "survivor -9 0" in lines
    assert_same(folder, "survivor")


def test_finished_store_is_read_and_nothing_is_made_again(tmp_path: Path, uninterrupted: np.ndarray) -> None:
    matrix(make_store(tmp_path))
    again = make_store(tmp_path)
    held = {f: f.stat().st_mtime_ns for f in again.folder.iterdir() if f.suffix != ".lock"}
    np.testing.assert_array_equal(matrix(again), uninterrupted)
    assert {f: f.stat().st_mtime_ns for f in again.folder.iterdir() if f.suffix != ".lock"} == held


def test_other_weights_settings_labels_or_pixels_are_another_store(tmp_path: Path) -> None:
    first = make_store(tmp_path)
    assert make_store(tmp_path).folder == first.folder
    assert make_store(tmp_path, ridge=0.1).folder == first.folder, "features do not depend on the ridge"
    train = make_examples(100, 1)
    flipped, shifted = train.labels.copy(), train.images.copy()
    flipped[3], shifted[99, 0, 0, 0] = 2 - flipped[3] // 2, shifted[99, 0, 0, 0] ^ 1
    models = [make_net(0), make_net(1)]
    others = [
        make_store(tmp_path, seeds=(0, 2)),
        make_store(tmp_path, seed=1),
        make_store(tmp_path, store="fp16"),
        make_store(tmp_path, proj_dim=130),
        store_of(
            models, tmp_path, train=Examples(train.images, train.rows, flipped, train.groups, train.ids)
        ),
        store_of(
            models, tmp_path, train=Examples(shifted, train.rows, train.labels, train.groups, train.ids)
        ),
    ]
    assert len({first.folder, *[other.folder for other in others]}) == 7
    assert [p.name for p in tmp_path.iterdir()] == [others[-1].folder.name]  # stale ones are removed


def test_scores_of_other_weights_are_not_reused(tmp_path: Path, uninterrupted: np.ndarray) -> None:
    matrix(make_store(tmp_path))
    assert (
        abs(matrix(make_store(tmp_path, seeds=(2, 3))) - uninterrupted).max() > 0.1 * abs(uninterrupted).max()
    )


def test_choice_of_the_first_run_is_kept(tmp_path: Path) -> None:
    """A featurizer that chooses by time must not choose otherwise for the rest of a killed run."""
    asked = []

    def make(model, *, projection, precision, **kwargs):
        asked.append((projection, precision))
        made = VmapFeaturizer(model, **kwargs)
        made.description = made.description.model_copy(update={"precision": f"call {len(asked)}"})
        return made

    for _ in range(2):
        store = TrakStore(
            [[make_net(0)]], train=make_examples(100, 1), targets=make_examples(10, 2),
            settings=make_settings(), work_dir=tmp_path, device="cpu", make_featurizer=make,
        )  # fmt: skip
        store.compute()
        for file in store.folder.glob("train*.npy"):
            file.unlink()
    assert asked[0] == ("auto", "auto")
    assert asked[1:] == [("block_sketch", "call 1")] * 2
    assert store.projection.precision == "call 1"


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_half_precision_neither_underflows_nor_overflows(tmp_path: Path, size: float) -> None:
    rng = np.random.default_rng(0)
    exact = rng.normal(size=(50, 128)) * 10 ** rng.uniform(-3, 3, (50, 1)) * size
    exact[7] = 0
    rows = FeatureRows(tmp_path, "a", 50, 128, "fp16")
    packed = rows.empty(50)
    one_minus_p = torch.linspace(0, 1, 50)
    made = Features(torch.tensor(exact), one_minus_p)
    rows.pack(made.features_BK, made.one_minus_p_B, packed)
    save_array(rows.path(0), packed)
    read = rows.features(slice(3, 40))
    norms = np.linalg.norm(exact, axis=1)[3:40]
    errors = np.linalg.norm(read - exact[3:40], axis=1)
    assert (errors <= 5e-4 * norms).all()
    assert (read[4] == 0).all()
    np.testing.assert_array_equal(rows.one_minus_p(), one_minus_p.numpy())


def test_half_precision_hardly_changes_scores(tmp_path: Path, uninterrupted: np.ndarray) -> None:
    half = matrix(make_store(tmp_path, store="fp16"))
    assert np.corrcoef(half.ravel(), uninterrupted.ravel())[0, 1] > 0.9999
    assert abs(half - uninterrupted).max() < 0.01 * abs(uninterrupted).max()


def test_ensembles_are_means_over_seeds_and_checkpoints(tmp_path: Path) -> None:
    """Kernels and Q are averaged separately, as in TRAK; parts of an ensemble need no new features."""
    runs = [[make_net(0), make_net(1)], [make_net(2), make_net(3)]]
    store = TrakStore(
        runs, train=make_examples(100, 1), targets=make_examples(10, 2), settings=make_settings(),
        work_dir=tmp_path, device="cpu", make_featurizer=VmapFeaturizer,
    )  # fmt: skip
    whole = matrix(store, loss_weighting=0.0)
    single = [matrix(store, loss_weighting=0.0, networks=[i]) for i in range(4)]
    np.testing.assert_allclose(whole, np.mean(single, axis=0), atol=1e-6)
    weights = np.mean([store.rows("train", i).one_minus_p() for i in range(4)], axis=0)
    np.testing.assert_allclose(matrix(store), whole * weights[:, None], atol=1e-6)
    with pytest.raises(ValueError, match="give each run as many"):
        TrakStore(
            [[make_net(0)], []], train=make_examples(100, 1), targets=make_examples(10, 2),
            settings=make_settings(), work_dir=tmp_path, device="cpu", make_featurizer=VmapFeaturizer,
        )  # fmt: skip


def test_nothing_is_printed_and_nothing_global_changes(tmp_path: Path, capfd) -> None:
    root, threads = logging.getLogger(), torch.get_num_threads()
    handlers = list(root.handlers)
    matrix(make_store(tmp_path, seeds=(0,)))
    assert root.handlers == handlers
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


def test_dimension_grows_with_the_training_images_up_to_what_the_network_has() -> None:
    many = 10**7
    assert [choose_dim(n, many) for n in (10, 1024, 1025, 3000, 5000, 10**6)] == [
        512,
        512,
        1024,
        2048,
        4096,
        4096,
    ]
    assert choose_dim(5000, 700) == 700
    assert choose_dim(5000, 8) == 128


def test_singular_gradients_without_ridge_are_refused(tmp_path: Path) -> None:
    one = make_examples(1, 0)
    train = Examples(one.images, np.zeros(200, int), np.arange(200) % 3, np.zeros(200, int), np.arange(200))
    store = store_of([make_net(0)], tmp_path, train=train, ridge=0)
    store.compute()
    with pytest.raises(InputError, match=r"cannot be inverted.*attribute\.ridge"):
        store.scores()


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    model = make_net(0)
    with torch.no_grad():
        model.head.weight[0, 0] = torch.nan
    with pytest.raises(TrainingError, match=r"not finite.*train\.lr"):
        store_of([model], tmp_path, train=make_examples(30, 1)).compute()
