"""The L1 penalty beside scikit-learn's Lasso and logistic regression, which minimise the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import Lasso, LogisticRegression
from torch import Tensor, nn

from pipeline.train.options.sparsity import penalized_weights, shrink
from pipeline.train.schedule import build_optimizer
from tests.fixtures.train import make_settings

N, D = 80, 12
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer": "sgd", "momentum": 0.0, "lr": 0.2},
    "momentum": {"optimizer": "sgd", "momentum": 0.9, "lr": 0.02},
    "adam": {"optimizer": "adam", "lr": 0.01},
}


def data() -> tuple[np.ndarray, np.ndarray]:
    """Features of which three matter, two of them related."""
    rng = np.random.default_rng(0)
    x_ND = rng.standard_normal((N, D))
    x_ND[:, 1] = 0.6 * x_ND[:, 0] + 0.8 * x_ND[:, 1]
    return x_ND, x_ND[:, :3] @ [2.0, -1.0, 0.3] + 0.5 * rng.standard_normal(N) + 1.0


def fitted(net: nn.Linear, loss: Any, n_steps: int, **settings: Any) -> nn.Linear:
    """As the loop steps, with a rate that falls to 0 over the last half."""
    told = make_settings(weight_decay=0.0, **settings)
    optimizer, weights = build_optimizer(net, told), penalized_weights(net)
    for step in range(n_steps):
        optimizer.param_groups[0]["lr"] = told.lr * min(1.0, 2 * (1 - step / n_steps))
        optimizer.zero_grad()
        torch.autograd.backward(loss(net))
        optimizer.step()
        shrink(weights, optimizer, told)
    return net


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_least_squares_ends_at_the_lasso(name: str) -> None:
    x_ND, y_N = data()
    expected = Lasso(alpha=0.3, tol=1e-10, max_iter=100_000).fit(x_ND, y_N)
    x, y = torch.from_numpy(x_ND), torch.from_numpy(y_N)
    torch.manual_seed(0)
    net = nn.Linear(D, 1, dtype=torch.float64)

    def loss(net: nn.Linear) -> Tensor:
        return (net(x)[:, 0] - y).square().mean() / 2

    fitted(net, loss, 1500, l1=0.3, **OPTIMIZERS[name])
    found = net.weight.detach().numpy()[0]
    assert 0 < (expected.coef_ == 0).sum() < D
    np.testing.assert_array_equal(found == 0, expected.coef_ == 0)
    np.testing.assert_allclose(found, expected.coef_, atol=2e-3)
    assert net.bias.item() == pytest.approx(expected.intercept_, abs=2e-3), "not penalized"


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_cross_entropy_ends_at_l1_logistic_regression(name: str) -> None:
    x_ND, y_N = data()
    classes = np.digitize(y_N, [-0.5, 2.0])
    l1 = 0.05
    model = LogisticRegression(l1_ratio=1, solver="saga", C=1 / (l1 * N), tol=1e-8, max_iter=20_000)
    expected = model.fit(x_ND, classes)
    x, y = torch.from_numpy(x_ND), torch.from_numpy(classes)
    torch.manual_seed(0)
    net = nn.Linear(D, 3, dtype=torch.float64)
    fitted(net, lambda net: F.cross_entropy(net(x), y), 2500, l1=l1, **OPTIMIZERS[name])
    found = net.weight.detach().numpy()
    assert 0 < (expected.coef_ == 0).sum() < 3 * D
    np.testing.assert_allclose(found, expected.coef_, atol=5e-3)
    assert ((found == 0) == (np.abs(expected.coef_) < 1e-6)).mean() > 0.95


def test_a_threshold_that_forgets_momentum_is_another_penalty() -> None:
    # what the wrong reach would give: the Lasso of a tenth of the penalty
    x_ND, y_N = data()
    x, y = torch.from_numpy(x_ND), torch.from_numpy(y_N)
    net = nn.Linear(D, 1, dtype=torch.float64)
    told = make_settings(weight_decay=0.0, momentum=0.9, lr=0.02)
    wrong = make_settings(weight_decay=0.0, momentum=0.0, lr=0.02, l1=0.3)
    optimizer = build_optimizer(net, told)
    for _ in range(1500):
        optimizer.zero_grad()
        torch.autograd.backward((net(x)[:, 0] - y).square().mean() / 2)
        optimizer.step()
        shrink([net.weight], optimizer, wrong)
    tenth = Lasso(alpha=0.03, tol=1e-10, max_iter=100_000).fit(x_ND, y_N)
    np.testing.assert_allclose(net.weight.detach().numpy()[0], tenth.coef_, atol=2e-3)
