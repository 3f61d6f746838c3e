"""Effects of training images are the score matrix times the targets' weights, and have the right sign."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.attribution.estimators.trak import TrakStore
from pipeline.attribution.selection import select
from pipeline.core.types import Float32Array, Split
from pipeline.models.interface import Classifier
from pipeline.models.registry import build_model
from tests.fixtures.repair import HARMED, make_attributor, make_harmed_split
from tests.fixtures.train import make_recipe, make_settings, make_split, run_method


def make_models(n: int) -> list[Classifier]:
    return [
        build_model(
            "small_resnet",
            n_classes=2,
            width=2,
            pretrained=False,
            mean=[0.4] * 3,
            std=[0.2] * 3,
            seed=seed,
        ).eval()
        for seed in range(n)
    ]


@pytest.fixture(scope="module")
def splits() -> tuple[Split, Split]:
    return make_split(90, strength=0.7), make_split(24, name="val", strength=0.5, seed=1)


def dense(models: list[Classifier], splits: tuple[Split, Split], folder: Path) -> Float32Array:
    """Every score at once."""
    train, val = splits
    store = TrakStore(
        [[model] for model in models],
        train=select(train, np.arange(len(train))),
        targets=select(val, np.arange(len(val))),
        settings=make_attributor(folder).settings,
        work_dir=folder,
        device="cpu",
    )
    store.compute()
    return store.scores().block(slice(0, len(train)), slice(0, len(val)))


def test_effects_are_weighted_sums_of_the_dense_scores(splits: tuple[Split, Split], tmp_path: Path) -> None:
    models, (train, val) = make_models(2), splits
    weights_VJ = np.random.default_rng(0).random((len(val), 3)) - 0.3
    weights_VJ[[0, 1, 23], 1] = 0
    weights_VJ[:, 2] = 0
    effects_NJ = make_attributor(tmp_path / "a").effects(models, train, val, weights_VJ)
    expected_NJ = dense(models, splits, tmp_path / "b").astype(np.float64) @ weights_VJ
    np.testing.assert_allclose(effects_NJ, expected_NJ, rtol=1e-5, atol=1e-9)
    assert not effects_NJ[:, 2].any()


def test_only_so_many_models_are_used_and_no_image_is_passed_over(
    splits: tuple[Split, Split], tmp_path: Path
) -> None:
    models, (train, val) = make_models(2), splits
    weights_VJ = np.full((len(val), 1), 1 / len(val))
    limited = make_attributor(tmp_path / "a", max_models=1, max_train=100)
    first = make_attributor(tmp_path / "b").effects(models[:1], train, val, weights_VJ)
    np.testing.assert_array_equal(limited.effects(models, train, val, weights_VJ), first)
    assert len(first) == len(train)


def test_vectors_keep_the_inner_products_of_the_scores(splits: tuple[Split, Split], tmp_path: Path) -> None:
    models, (train, val) = make_models(1), splits
    draws = [make_attributor(tmp_path / f"a{seed}", seed=seed) for seed in range(6)]
    scores_NV = dense(models, splits, tmp_path / "b").astype(np.float64)
    norms_V = np.linalg.norm(scores_NV, axis=0)
    exact = scores_NV.T @ scores_NV / np.outer(norms_V, norms_V)
    squares = []
    for attributor in draws:
        vectors_VD = attributor.vectors(models, train, val)
        squares.append((exact - vectors_VD @ vectors_VD.T / np.outer(norms_V, norms_V)) ** 2)
    # 256 random signs: a variance of at most (1 + exact²) / 256; pairs of one draw err together
    assert np.mean(squares) < 1.3 * np.mean(1 + exact**2) / 256


def test_planted_harm_has_the_lowest_effects(tmp_path: Path) -> None:
    train, is_wrong_N = make_harmed_split()
    val = make_split(80, name="val", strength=0.5, seed=1)
    erm = run_method(make_recipe("erm", settings=make_settings(epochs=3, batch_size=16)), train, val)
    model = build_model(
        "small_resnet", n_classes=2, width=4, pretrained=False, mean=[0.4] * 3, std=[0.2] * 3, seed=0
    )
    model.load_state_dict(erm.weights[0])
    harmed_V = val.groups == HARMED
    effects_N = make_attributor(tmp_path).effects(
        [model.eval()], train, val, (harmed_V / harmed_V.sum())[:, None]
    )[:, 0]
    most_harmful = np.argsort(effects_N)[: is_wrong_N.sum()]
    assert is_wrong_N[most_harmful].mean() > 0.9
    assert effects_N[train.groups == HARMED].mean() > 0
