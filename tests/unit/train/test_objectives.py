"""Group DRO's update against hand-worked numbers and a NumPy twin, and its known traps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.train.objectives import (
    GroupDro,
    group_adjustments,
    group_dro_step,
    group_means,
    initial_group_weights,
    mean_loss,
)


def numpy_step(
    q: np.ndarray, losses: np.ndarray, groups: np.ndarray, n_train: np.ndarray, c: float, eta: float
) -> tuple[float, np.ndarray]:
    """The paper's update, written with loops."""
    group_loss = np.zeros(len(q))
    for g in range(len(q)):
        members = [loss for loss, group in zip(losses, groups, strict=True) if group == g]
        group_loss[g] = sum(members) / len(members) if members else 0.0
    new = np.array([q[g] * np.exp(eta * (group_loss[g] + c / np.sqrt(n_train[g]))) for g in range(len(q))])
    new /= new.sum()
    return float(sum(new[g] * group_loss[g] for g in range(len(q)))), new


def test_group_dro_equals_numpy_twin_over_50_steps() -> None:
    rng = np.random.default_rng(0)
    n_train = np.array([3498, 184, 56])
    q_torch = initial_group_weights(n_train.tolist())
    q_numpy = np.full(3, 1 / 3)
    adjustments = group_adjustments(n_train.tolist(), 2.0)
    for _ in range(50):
        losses = rng.exponential(size=32)
        groups = rng.integers(0, 2 if rng.random() < 0.3 else 3, size=32)  # group c is absent at times
        loss, q_torch = group_dro_step(
            q_torch, torch.from_numpy(losses), torch.from_numpy(groups), adjustments, 0.5
        )
        expected, q_numpy = numpy_step(q_numpy, losses, groups, n_train, 2.0, 0.5)
        assert float(loss) == pytest.approx(expected, rel=1e-9)
        np.testing.assert_allclose(q_torch.numpy(), q_numpy, rtol=1e-9)


def test_gradient_is_weighted_by_detached_q() -> None:
    losses = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    groups = torch.tensor([0, 0, 1])
    q = torch.tensor([0.25, 0.75], dtype=torch.float64)
    loss, new = group_dro_step(q, losses, groups, torch.zeros(2, dtype=torch.float64), 0.01)
    loss.backward()
    expected = [float(new[0]) / 2, float(new[0]) / 2, float(new[1])]
    np.testing.assert_allclose(losses.grad.numpy(), expected, rtol=1e-6)
    assert not new.requires_grad
    assert q.tolist() == [0.25, 0.75], "q is passed in and returned, never changed in place"


def test_adjustment_moves_weights_but_not_the_logged_loss() -> None:
    losses, groups = torch.tensor([1.0, 1.0]), torch.tensor([0, 1])
    q = torch.tensor([0.5, 0.5], dtype=torch.float64)
    adjustments = group_adjustments([10_000, 4], 2.0)
    assert adjustments.tolist() == [0.02, 1.0]
    loss, new = group_dro_step(q, losses, groups, adjustments, 1.0)
    assert float(loss) == pytest.approx(1.0), "C must not leak into the loss"
    assert new[1] > new[0], "the small group is weighted up"


def test_adjustment_applies_even_where_a_group_is_empty() -> None:
    # the published code skips C unless every group has one
    assert group_adjustments([100, 0], 5.0).tolist() == [0.5, 0.0]


def test_group_means_of_absent_groups_are_zero() -> None:
    means = group_means(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0, 0, 2]), 4)
    assert means.tolist() == [2.0, 0.0, 5.0, 0.0]


def test_erm_is_the_plain_mean() -> None:
    loss, state = mean_loss(None, torch.tensor([1.0, 2.0, 6.0]), torch.zeros(3, dtype=torch.int64))
    assert float(loss) == 3.0
    assert state is None


def test_an_empty_group_has_no_weight_and_never_gets_any() -> None:
    weights = initial_group_weights([5, 0, 3])
    assert weights.tolist() == [0.5, 0.0, 0.5]
    _, new = group_dro_step(
        weights, torch.ones(2), torch.tensor([0, 2]), torch.zeros(3, dtype=torch.float64), 0.1
    )
    assert new[1] == 0, "an excluded group stays excluded"


@pytest.mark.parametrize("name", ["mean", "group_dro"])
def test_shares_of_two_processes_add_up_to_the_objective_of_one(name: str) -> None:
    """Processes with 3 and 5 images of a batch: same loss, same gradients, same new group weights."""
    torch.manual_seed(0)
    losses = torch.rand(8, dtype=torch.float64, requires_grad=True)
    groups = torch.tensor([0, 0, 2, 0, 2, 2, 2, 1])
    objective = mean_loss if name == "mean" else GroupDro(group_adjustments([9, 4, 1], 1.0), 0.5)
    q = None if name == "mean" else torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    whole, new_q = objective(q, losses, groups)
    (gradient,) = torch.autograd.grad(whole, losses)

    parts = [slice(0, 3), slice(3, 8)]
    shares, states = [], []
    for mine, other in (parts, parts[::-1]):
        totals = iter(_other_terms(losses[other].detach(), groups[other], groups, name))
        share, state = objective(q, losses[mine], groups[mine], lambda own, totals=totals: own + next(totals))
        shares.append(share)
        states.append(state)
    together = torch.stack(shares).sum()
    assert together.item() == pytest.approx(whole.item())
    (summed,) = torch.autograd.grad(together, losses)
    np.testing.assert_allclose(summed.numpy(), gradient.numpy())
    if new_q is not None:
        for state in states:
            np.testing.assert_allclose(state.numpy(), new_q.numpy())


def _other_terms(
    losses: torch.Tensor, groups: torch.Tensor, all_groups: torch.Tensor, name: str
) -> list[torch.Tensor]:
    """What the other process contributes to each sum, in the order in which they are asked for."""
    if name == "mean":
        return [torch.tensor(float(len(losses)))]
    counts = torch.bincount(all_groups, minlength=3).clamp(min=1)
    sums = torch.zeros(3, dtype=torch.float64).index_add(0, groups, losses)
    return [torch.bincount(groups, minlength=3), sums / counts]
