"""EK-FAC scores against exact influence on a network small enough for a dense Hessian."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.func import functional_call

from pipeline.attribution.estimators import ekfac as module
from pipeline.attribution.estimators.ekfac import ekfac
from pipeline.attribution.selection import Examples
from pipeline.core.errors import InputError
from pipeline.models.interface import Classifier, StagedClassifier

needs_kronfluence = pytest.mark.skipif(
    importlib.util.find_spec("kronfluence") is None, reason="pip install 'shortcut-audit[ekfac]'"
)


def make_examples(n: int, seed: int) -> Examples:
    """Three classes, each brighter in one channel."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    images = rng.integers(0, 215, (n, 8, 8, 3))
    images[np.arange(n), :, :, labels] += 40
    return Examples(images.astype(np.uint8), np.arange(n), labels, labels, np.arange(n))


def make_fitted(train: Examples) -> Classifier:
    """A linear model at the minimum of its loss, so that influence is well defined."""
    torch.manual_seed(0)
    model = StagedClassifier(
        nn.Sequential(nn.AvgPool2d(4), nn.PixelUnshuffle(2)), 12, 3, [0.5] * 3, [0.25] * 3
    )
    pixels, labels = train.batch(0, len(train), "cpu")
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=300)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = nn.functional.cross_entropy(model(pixels), labels)
        value = value + 0.005 * sum(p.square().sum() for p in model.parameters())
        value.backward()
        return value

    optimizer.step(loss)
    return model.eval()


def exact_influence(model: Classifier, train: Examples, targets: Examples, damping: float) -> np.ndarray:
    """-grad L(train) (H + damping)^-1 grad margin(target) / N with the dense Hessian of the mean loss."""
    model = model.double()
    shapes = {name: p.shape for name, p in model.named_parameters()}
    weights_P = torch.cat([p.detach().flatten() for p in model.parameters()])

    def logits(weights_P: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
        parts = weights_P.split([shape.numel() for shape in shapes.values()])
        named = {name: part.view(shapes[name]) for name, part in zip(shapes, parts, strict=True)}
        return functional_call(model, named, (pixels.double(),))

    def losses(weights_P: torch.Tensor, examples: Examples) -> torch.Tensor:
        pixels, labels = examples.batch(0, len(examples), "cpu")
        return nn.functional.cross_entropy(logits(weights_P, pixels), labels, reduction="none")

    def margins(weights_P: torch.Tensor, examples: Examples) -> torch.Tensor:
        p = torch.exp(-losses(weights_P, examples))
        return (p / (1 - p)).log()

    jacobian = torch.autograd.functional.jacobian
    train_NP = jacobian(lambda w: losses(w, train), weights_P)
    target_MP = jacobian(lambda w: margins(w, targets), weights_P)
    hessian_PP = torch.autograd.functional.hessian(lambda w: losses(w, train).mean(), weights_P)
    hessian_PP = hessian_PP + damping * torch.eye(len(weights_P))
    model.float()
    return (-train_NP @ torch.linalg.solve(hessian_PP, target_MP.T) / len(train)).numpy()


@needs_kronfluence
def test_scores_are_exact_influence_in_sign_rank_and_margin_units(tmp_path: Path) -> None:
    train, targets = make_examples(120, 0), make_examples(30, 1)
    model = make_fitted(train)
    generator, threads = torch.get_rng_state(), torch.get_num_threads()
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    for damping, least_rank, tolerance in ((0.05, 0.9, 1.0), (100.0, 0.9999, 0.01)):
        exact = exact_influence(model, train, targets, damping)
        scores = ekfac([model], train=train, targets=targets, work_dir=tmp_path, seed=0, damping=damping)
        ours = scores.block(slice(None), slice(None))
        ranks = [stats.spearmanr(ours[:, m], exact[:, m]).statistic for m in range(30)]
        assert np.mean(ranks) > least_rank
        slope = (ours * exact).sum() / (exact**2).sum()
        assert slope == pytest.approx(1, abs=tolerance)  # at much damping the curvature no longer matters
    assert scores.shape == (120, 30)
    assert not list(tmp_path.iterdir())
    assert torch.equal(generator, torch.get_rng_state())
    assert threads == torch.get_num_threads()
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())


@needs_kronfluence
def test_models_are_averaged_and_what_a_killed_run_left_is_not_trusted(tmp_path: Path) -> None:
    train, targets = make_examples(40, 0), make_examples(6, 1)
    torch.manual_seed(1)
    body = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU())
    other = StagedClassifier(body, 6, 3, [0.5] * 3, [0.25] * 3).eval()
    kwargs = {"train": train, "targets": targets, "work_dir": tmp_path}
    left = tmp_path / "ekfac" / "run" / "factors_factors"
    left.mkdir(parents=True)
    (left / "activation_covariance.safetensors").write_text("torn")
    first = ekfac([other], seed=0, **kwargs).matrix_NM
    second = ekfac([other], seed=1, **kwargs).matrix_NM  # other labels are drawn for the Fisher matrix
    assert not np.array_equal(first, second)
    both = ekfac([other, other], seed=0, **kwargs).matrix_NM
    np.testing.assert_allclose(both, (first + second) / 2, rtol=1e-4, atol=1e-6 * np.abs(both).max())


def test_a_missing_package_is_named_with_its_command(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    examples = make_examples(3, 0)
    with pytest.raises(InputError, match=r"pip install 'shortcut-audit\[ekfac\]'"):
        ekfac([], train=examples, targets=examples, work_dir=tmp_path, seed=0)


@needs_kronfluence
def test_no_model_and_a_matrix_too_large_are_refused(tmp_path: Path) -> None:
    examples = make_examples(3, 0)
    with pytest.raises(InputError, match="at least one trained model"):
        ekfac([], train=examples, targets=examples, work_dir=tmp_path, seed=0)
    many = Examples(examples.images, *[np.zeros(40_000, np.int64)] * 4)
    with pytest.raises(InputError, match="40,000 x 40,000"):
        ekfac([make_fitted(examples)], train=many, targets=many, work_dir=tmp_path, seed=0)
