"""TRAK scores against a slow loop, and against planted truths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.attribution.estimators.trak import TrakStore
from pipeline.attribution.gradients.projector import BlockSketch
from pipeline.attribution.selection import Examples
from pipeline.attribution.streaming import group_matrix, mean_weights, summarize
from pipeline.models.interface import Classifier, StagedClassifier
from pipeline.models.predict import to_pixels
from pipeline.settings.attribution import AttributeSettings
from tests.fixtures.vmap_featurizer import VmapFeaturizer


def _net(seed: int, n_classes: int = 3) -> Classifier:
    """131 parameters (3 classes), with BatchNorm statistics far from those of any batch."""
    torch.manual_seed(seed)
    norm = nn.BatchNorm2d(4)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.2, 2)
    stages = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), norm, nn.ReLU(), nn.MaxPool2d(2))
    return StagedClassifier(stages, 4, n_classes, [0.4, 0.5, 0.6], [0.2, 0.25, 0.3])


def _examples(n: int, seed: int, n_classes: int = 3) -> Examples:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 6, 6, 3), dtype=np.uint8)
    return Examples(images, np.arange(n), rng.integers(0, n_classes, n), rng.integers(0, 2, n), np.arange(n))


def _settings(**changes: object) -> AttributeSettings:
    values = {
        "proj_dim": 160,
        "projection": "auto",
        "precision": "auto",
        "loss_weighting": True,
        "store": "fp32",
        "ridge": 0.01,
        "max_train": None,
        "targets_per_group": 5,
        "top_k": 3,
        "max_models": None,
        "batch_size": 16,
        "seed": 0,
    }
    return AttributeSettings.model_construct(**{**values, **changes})


def _store(
    models: list[Classifier], train: Examples, targets: Examples, folder: Path, **changes
) -> TrakStore:
    store = TrakStore(
        [[model] for model in models],
        train=train,
        targets=targets,
        settings=_settings(**changes),
        work_dir=folder,
        device="cpu",
        make_featurizer=VmapFeaturizer,
    )
    store.compute()
    return store


def _matrix(store: TrakStore, **changes: object) -> np.ndarray:
    scores = store.scores(**changes)
    return scores.block(slice(0, scores.shape[0]), slice(0, scores.shape[1]))


def _loop_gradients(model: Classifier, examples: Examples) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of log(p / (1 - p)) one image at a time in float64, and 1 - p."""
    model = _copy_double(model)
    rows, weights = [], []
    for image, label in zip(examples.images, examples.labels, strict=True):
        p = model(to_pixels(image[None]).double()).softmax(dim=1)[0, label]
        gradient = torch.autograd.grad((p / (1 - p)).log(), list(model.parameters()))
        rows.append(torch.cat([g.flatten() for g in gradient]))
        weights.append(1 - p.detach())
    return torch.stack(rows), torch.stack(weights)


def _copy_double(model: Classifier) -> Classifier:
    copy = _net(0, model.head.out_features)
    copy.load_state_dict(model.state_dict())
    return copy.double().eval()


@pytest.mark.parametrize("proj_dim", [160, 104])
def test_scores_equal_the_ridge_formula_of_a_slow_loop(tmp_path: Path, proj_dim: int) -> None:
    models, train, targets = [_net(0), _net(1)], _examples(70, 2), _examples(9, 3)
    store = _store(models, train, targets, tmp_path, proj_dim=proj_dim)
    total, weight = 0, 0
    for stream, model in enumerate(models):
        g_train, q = _loop_gradients(model, train)
        g_target, _ = _loop_gradients(model, targets)
        if proj_dim < g_train.shape[1]:  # else the sketch keeps inner products exactly
            identity = torch.eye(g_train.shape[1], dtype=torch.float64)
            dense = BlockSketch(n_in=len(identity), n_out=proj_dim, seed=0).project(identity, stream=stream)
            g_train, g_target = g_train @ dense, g_target @ dense
        ridge = 0.01 * g_train.square().sum(1).mean()
        kernel = g_train.T @ g_train + ridge * torch.eye(g_train.shape[1])
        total = total + g_train @ torch.linalg.inv(kernel) @ g_target.T
        weight = weight + q
    expected = (total / 2 * (weight / 2)[:, None]).numpy()
    np.testing.assert_allclose(_matrix(store), expected, rtol=2e-3, atol=2e-5 * abs(expected).max())


def test_blocks_are_parts_of_the_matrix(tmp_path: Path) -> None:
    store = _store([_net(4), _net(5)], _examples(50, 6), _examples(7, 7), tmp_path, proj_dim=128)
    pieces = [store.scores().block(slice(a, min(50, a + 9)), slice(2, 5)) for a in range(0, 50, 9)]
    np.testing.assert_allclose(np.concatenate(pieces), _matrix(store)[:, 2:5], rtol=1e-4, atol=1e-7)


def test_ridge_is_relative_to_the_mean_squared_feature_norm(tmp_path: Path) -> None:
    train, targets = _examples(60, 8), _examples(5, 9)
    ridge_small = _matrix(_store([_net(1)], train, targets, tmp_path / "a", ridge=1e-3))
    ridge_large = _matrix(_store([_net(1)], train, targets, tmp_path / "b", ridge=1e3))
    g_train, q = _loop_gradients(_net(1), train)
    g_target, _ = _loop_gradients(_net(1), targets)
    # far above the spectrum the ridge is all that is inverted
    plain = (g_train @ g_target.T * q[:, None] / (1e3 * g_train.square().sum(1).mean())).numpy()
    assert np.corrcoef(ridge_large.ravel(), plain.ravel())[0, 1] > 0.999
    assert abs(ridge_large).max() == pytest.approx(abs(plain).max(), rel=0.1)
    assert abs(ridge_small).max() > 100 * abs(ridge_large).max()


def test_copies_of_the_target_help_and_wrongly_labeled_copies_harm(tmp_path: Path) -> None:
    train, targets = _examples(80, 10, 2), _examples(4, 11, 2)
    images, labels = train.images.copy(), train.labels.copy()
    images[:4], labels[:4] = targets.images, targets.labels
    images[4:8], labels[4:8] = targets.images, 1 - targets.labels
    planted = Examples(images, train.rows, labels, train.groups, train.ids)
    scores = _matrix(_store([_net(2, 2), _net(3, 2)], planted, targets, tmp_path))
    for column in range(4):
        assert scores[column, column] > 0
        assert scores[:, column].argmax() == column
        assert scores[4 + column, column] < 0
        assert scores[:, column].argmin() == 4 + column


def test_random_labels_and_groups_give_cells_around_zero(tmp_path: Path) -> None:
    covered = []
    for draw in range(8):
        train, targets = _examples(80, 100 + draw, 2), _examples(50, 200 + draw, 2)
        store = _store([_net(draw, 2)], train, targets, tmp_path / str(draw))
        summary = summarize(
            store.scores(),
            train_weights_NI=mean_weights(train.groups, 2),
            target_weights_MJ=mean_weights(targets.groups, 2),
            top_k=1,
        )
        cells = group_matrix(summary, train_groups=train.groups, target_groups=targets.groups, n_groups=2)
        covered += [cell.low <= 0 <= cell.high for cell in cells]
    assert len(covered) == 32
    assert np.mean(covered) >= 0.85
