"""Losses that wrong labels mislead less: their formulas, limits and gradients, and what they are for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.train.options.losses import image_losses
from tests.fixtures.train import make_settings

B, K = 6, 4
ROBUST = ["generalized_cross_entropy", "symmetric_cross_entropy", "bootstrapped_cross_entropy"]
LABELS = torch.arange(B) % K


def logits(scale: float = 2.0) -> Tensor:
    return scale * torch.randn(B, K, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def losses(x: Tensor, targets: Tensor = LABELS, **settings: Any) -> Tensor:
    return image_losses(x, targets, make_settings(**settings))


def one_image(loss: str, p_K: np.ndarray, t_K: np.ndarray) -> float:
    """The published formulas, a loop over classes; t is 1 for the label and 0 for others, or shares."""
    if loss == "generalized_cross_entropy":
        return sum(t * (1 - p**0.7) / 0.7 for p, t in zip(p_K, t_K, strict=True))
    cross = -sum(t * np.log(p) for p, t in zip(p_K, t_K, strict=True))
    if loss == "symmetric_cross_entropy":
        return 0.1 * cross - sum(
            p * max(np.log(t), -4) if t else -4 * p for p, t in zip(p_K, t_K, strict=True)
        )
    return -sum((0.95 * t + 0.05 * p) * np.log(p) for p, t in zip(p_K, t_K, strict=True))


@pytest.mark.parametrize("loss", ROBUST)
@pytest.mark.parametrize("kind", ["classes", "smoothed", "mixed"])
def test_each_image_costs_what_the_formula_says(loss: str, kind: str) -> None:
    one_hot = F.one_hot(LABELS, K).double()
    shares = {
        "classes": one_hot,
        "smoothed": 0.8 * one_hot + 0.2 / K,
        "mixed": 0.7 * one_hot + 0.3 * one_hot.roll(1, 0),
    }[kind]
    targets = shares if kind == "mixed" else LABELS
    found = losses(logits(), targets, loss=loss, label_smoothing=0.2 if kind == "smoothed" else 0.0)
    expected = [
        one_image(loss, *pair) for pair in zip(logits().softmax(1).numpy(), shares.numpy(), strict=True)
    ]
    assert found.tolist() == pytest.approx(expected)


def test_cross_entropy_is_torch_s_to_the_last_bit() -> None:
    x = logits().float()
    assert torch.equal(losses(x), F.cross_entropy(x, LABELS, reduction="none"))


def test_generalized_goes_from_cross_entropy_to_half_the_absolute_error() -> None:
    cross, p = F.cross_entropy(logits(), LABELS, reduction="none"), logits().softmax(1)
    small = losses(logits(), loss="generalized_cross_entropy", gce_q=1e-9)
    torch.testing.assert_close(small, cross, rtol=1e-6, atol=0)
    whole = losses(logits(), loss="generalized_cross_entropy", gce_q=1.0)
    torch.testing.assert_close(whole, (p - F.one_hot(LABELS, K)).abs().sum(1) / 2)


def test_other_limits_are_cross_entropy() -> None:
    cross = F.cross_entropy(logits(), LABELS, reduction="none")
    one = losses(logits(), loss="symmetric_cross_entropy", sce_alpha=1.0, sce_beta=0.0)
    two = losses(logits(), loss="bootstrapped_cross_entropy", bootstrap_beta=1.0)
    torch.testing.assert_close(one, cross)
    torch.testing.assert_close(two, cross)


@pytest.mark.parametrize("loss", ROBUST)
def test_gradients_are_those_of_finite_differences(loss: str) -> None:
    x = logits().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: losses(x, loss=loss), (x,))
    # the one-hot target's logarithm lets none through
    far = (60 * torch.eye(K)[(LABELS + 1) % K]).requires_grad_()
    torch.autograd.backward(losses(far, loss=loss).sum())
    assert far.grad is not None
    assert bool(far.grad.isfinite().all())


@pytest.mark.parametrize("loss", ROBUST)
def test_nothing_learned_from_both_parts_of_zero_is_refused(loss: str) -> None:
    if loss == "symmetric_cross_entropy":
        with pytest.raises(ValueError, match="both 0"):
            make_settings(loss=loss, sce_alpha=0, sce_beta=0)
    else:
        make_settings(loss=loss, sce_alpha=0, sce_beta=0)


def test_an_image_far_on_the_wrong_side_pulls_less_than_with_cross_entropy() -> None:
    # planted: two points on the right side, one mislabelled far out
    wrong = torch.tensor([[12.0, 0.0]])

    def pull(**settings: Any) -> float:
        x = wrong.clone().requires_grad_()
        torch.autograd.backward(losses(x, torch.tensor([1]), **settings).sum())
        assert x.grad is not None
        return float(x.grad.norm())

    plain = pull()
    assert pull(loss="generalized_cross_entropy") < 0.01 * plain
    assert pull(loss="symmetric_cross_entropy") < 0.2 * plain
    assert pull(loss="bootstrapped_cross_entropy") < plain


def fitted_line(loss: str, *, is_noisy: bool) -> float:
    """Accuracy on true labels of a logistic regression that has every freedom to remember its images."""
    generator = torch.Generator().manual_seed(0)
    n = 200
    labels = torch.arange(n) % 2
    x_ND = torch.randn(n, 100, generator=generator)
    x_ND[:, 0] += 3.0 * (2 * labels - 1)
    given = labels.clone()
    if is_noisy:
        flipped = torch.randperm(n, generator=generator)[: int(0.3 * n)]
        given[flipped] = 1 - given[flipped]
    weights = torch.zeros(100, 2, requires_grad=True)
    for _ in range(300):
        (grad,) = torch.autograd.grad(losses(x_ND @ weights, given, loss=loss).mean(), weights)
        weights = (weights - 0.5 * grad).detach().requires_grad_()
    return float(((x_ND @ weights).argmax(1) == labels).float().mean())


def test_wrong_labels_are_remembered_less() -> None:
    plain = fitted_line("cross_entropy", is_noisy=True)
    assert plain < 0.9, "cross-entropy fits them"
    for loss in ROBUST[:2]:
        assert fitted_line(loss, is_noisy=True) > plain + 0.05, loss
    for loss in ROBUST:
        assert fitted_line(loss, is_noisy=False) > 0.99, "and does no harm where labels are right"
