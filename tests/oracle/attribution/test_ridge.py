"""Scores of a linear network against ridge regressions that are fitted again, and the two ways to invert.

With two classes and a linear network the margin is linear in the weights, so the features φ are the same
for all weights, and a ridge regression on them is refitted exactly. A score without loss weighting is the
change of the prediction at the target per unit change of the training image's regression label. Leaving
the image out changes the prediction by score * residual / (1 - leverage), its sign turned round.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.attribution.estimators.trak import TrakStore
from pipeline.attribution.selection import Examples
from pipeline.attribution.store.solving import factorize, leverages, solve
from pipeline.core.errors import InputError
from pipeline.models.interface import StagedClassifier
from tests.fixtures.attribution import make_settings
from tests.fixtures.vmap_featurizer import VmapFeaturizer

SIZE, RIDGE = 6, 0.5


def _examples(n: int, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, SIZE, SIZE, 3), dtype=np.uint8)
    return Examples(images, np.arange(n), rng.integers(0, 2, n), np.zeros(n, int), np.arange(n))


def _features(examples: Examples) -> np.ndarray:
    """Gradients of (logit of the label - other logit) by the weights and the bias of each class."""
    pixels = torch.from_numpy(examples.images).permute(0, 3, 1, 2).double() / 255
    x = nn.functional.pixel_unshuffle((pixels - 0.5) / 0.25, SIZE).flatten(1).numpy()
    x = np.column_stack([x, np.ones(len(x))])
    sign = np.where(examples.labels == 1, 1.0, -1.0)[:, None]
    return sign * np.concatenate([-x, x], axis=1)


def _prediction(phi: np.ndarray, labels: np.ndarray, at: np.ndarray, penalty: float) -> np.ndarray:
    return at @ np.linalg.solve(phi.T @ phi + penalty * np.eye(phi.shape[1]), phi.T @ labels)


@pytest.mark.parametrize("n", [90, 300])  # fewer and more images than the 128 dimensions
def test_scores_and_self_influence_give_the_refitted_ridge_regression(tmp_path: Path, n: int) -> None:
    torch.manual_seed(0)
    size = SIZE * SIZE * 3
    model = StagedClassifier(nn.PixelUnshuffle(SIZE), size, 2, [0.5] * 3, [0.25] * 3)
    train, targets = _examples(n, 1), _examples(8, 2)
    store = TrakStore(
        [[model]],
        train=train,
        targets=targets,
        settings=make_settings(ridge=RIDGE, loss_weighting=0.0, proj_dim=256),  # of 218 parameters: exact
        work_dir=tmp_path,
        device="cpu",
        make_featurizer=VmapFeaturizer,
    )
    store.compute()
    scores = store.scores().block(slice(0, n), slice(0, 8))
    leverage = store.leverages()[0]
    q = store.mean_one_minus_p()
    np.testing.assert_allclose(store.self_influence(), q**2 * leverage, rtol=1e-6)
    phi, at = _features(train), _features(targets)
    penalty = RIDGE * (phi**2).sum(1).mean()
    rng = np.random.default_rng(3)
    labels = rng.normal(size=n)
    whole = _prediction(phi, labels, at, penalty)
    residuals = labels - _prediction(phi, labels, phi, penalty)
    for i in (0, 17, n - 1):
        changed = labels.copy()
        changed[i] += 1
        shift = _prediction(phi, changed, at, penalty) - whole
        np.testing.assert_allclose(scores[i], shift, rtol=1e-3, atol=1e-6)
        kept = np.arange(n) != i
        left_out = _prediction(phi[kept], labels[kept], at, penalty) - whole
        loo = -scores[i] * residuals[i] / (1 - leverage[i])
        np.testing.assert_allclose(loo, left_out, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("n", "dim"), [(40, 130), (130, 40)])
@pytest.mark.parametrize("ridge", [1e-3, 1.0])
def test_both_ways_to_invert_give_the_same(n: int, dim: int, ridge: float) -> None:
    rng = np.random.default_rng(5)
    phi = rng.normal(size=(n, dim)).astype(np.float32)
    targets = torch.tensor(rng.normal(size=(9, dim)))

    def read(rows: slice) -> np.ndarray:
        return phi[rows]

    made = [factorize(read, n=n, dim=dim, ridge=ridge, dual=dual) for dual in (False, True)]
    assert [len(inverse.factor_DD) for inverse in made] == [dim, n]
    assert made[0].penalty == pytest.approx(made[1].penalty, rel=1e-12)
    primal, dual = (solve(inverse, targets, read, n=n) for inverse in made)
    np.testing.assert_allclose(dual, primal, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(*(leverages(inverse, read, n=n) for inverse in made), rtol=1e-9)
    assert factorize(read, n=n, dim=dim, ridge=ridge).is_dual == (n < dim)


def test_leverages_are_a_share_of_the_dimensions() -> None:
    """Without a ridge they sum to the number of dimensions (trace of the hat matrix)."""
    phi = np.random.default_rng(6).normal(size=(60, 7)).astype(np.float32)
    inverse = factorize(lambda rows: phi[rows], n=60, dim=7, ridge=0)
    assert float(leverages(inverse, lambda rows: phi[rows], n=60).sum()) == pytest.approx(7)


def test_matrix_without_an_inverse_is_refused() -> None:
    phi = np.ones((60, 7), np.float32)
    with pytest.raises(InputError, match=r"7 x 7 matrix .* cannot be inverted"):
        factorize(lambda rows: phi[rows], n=60, dim=7, ridge=0)
