"""The block sketch keeps inner products as well as a dense random matrix, whatever the vectors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.attribution.gradients.projector import BlockSketch

N_IN, N_OUT, N_VECTORS = 20_000, 512, 24


def _vectors(kind: str) -> torch.Tensor:
    rng = np.random.default_rng(7)
    if kind == "gaussian":
        x = rng.normal(size=(N_VECTORS, N_IN))
    elif kind == "sparse":  # 20 entries each, out of a shared support of 200
        support = rng.choice(N_IN, 200, replace=False)
        x = np.zeros((N_VECTORS, N_IN))
        for row in x:
            row[rng.choice(support, 20, replace=False)] = rng.normal(size=20)
    elif kind == "heavy_tailed":
        x = rng.standard_t(1.5, size=(N_VECTORS, N_IN))
    elif kind == "low_rank":  # nearly parallel, as gradients of one class are
        x = rng.normal(size=(N_VECTORS, 3)) @ rng.normal(size=(3, N_IN))
        x += 0.1 * rng.normal(size=x.shape) + 2 * rng.normal(size=N_IN)
    else:  # runs of equal values with a period near the block length, as in convolution kernels
        waves = np.sin(np.arange(N_IN) * 2 * np.pi / rng.uniform(500, 525, (N_VECTORS, 1)))
        x = np.repeat(waves[:, ::10], 10, axis=1)
    x = torch.tensor(x, dtype=torch.float64)
    return x / x.norm(dim=1, keepdim=True)


def _squared_errors(project: object, x: torch.Tensor) -> torch.Tensor:
    """Squared error of <Sx, Sy> over pairs, averaged over seeds."""
    exact = x @ x.T
    first, second = torch.triu_indices(len(x), len(x), offset=1)
    total = torch.zeros(len(first), dtype=torch.float64)
    for seed in range(12):
        sketch = project(seed)  # type: ignore[operator]
        total += ((sketch @ sketch.T - exact)[first, second]) ** 2
    return total / 12


@pytest.mark.parametrize("kind", ["gaussian", "sparse", "heavy_tailed", "low_rank", "periodic"])
def test_inner_product_error_is_that_of_a_dense_rademacher_matrix(kind: str) -> None:
    x = _vectors(kind)
    exact = x @ x.T
    first, second = torch.triu_indices(len(x), len(x), offset=1)
    # variance of a dense Rademacher projection, in closed form
    collisions = (x**2 @ (x**2).T)[first, second]
    dense = (1 + exact[first, second] ** 2 - 2 * collisions) / N_OUT
    sketched = _squared_errors(lambda seed: BlockSketch(n_in=N_IN, n_out=N_OUT, seed=seed).project(x), x)
    assert float((sketched.mean() / dense.mean()).sqrt()) < 1.25


def test_closed_form_of_the_dense_error_is_what_a_dense_matrix_gives() -> None:
    x = _vectors("low_rank")[:, :3000]
    x = x / x.norm(dim=1, keepdim=True)

    def dense(seed: int) -> torch.Tensor:
        signs = torch.randint(0, 2, (3000, 256), generator=torch.Generator().manual_seed(seed)) * 2 - 1
        return x @ signs.double() / 16

    exact = x @ x.T
    first, second = torch.triu_indices(len(x), len(x), offset=1)
    closed = (1 + exact[first, second] ** 2 - 2 * (x**2 @ (x**2).T)[first, second]) / 256
    assert float(_squared_errors(dense, x).mean() / closed.mean()) == pytest.approx(1, abs=0.4)


def test_unbiased_over_seeds() -> None:
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.normal(size=(2, 300)))
    x[1] += x[0]
    estimates = []
    for seed in range(400):
        a, b = BlockSketch(n_in=300, n_out=32, seed=seed).project(x)
        estimates.append(float(a @ b))
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - float(x[0] @ x[1])) < 4 * error


def test_streams_and_seeds_draw_differently_and_repeatably() -> None:
    x = torch.randn(3, 1000, generator=torch.Generator().manual_seed(0))
    sketch = BlockSketch(n_in=1000, n_out=128, seed=3)
    first, other, again = sketch.project(x), sketch.project(x, stream=1), sketch.project(x)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, BlockSketch(n_in=1000, n_out=128, seed=4).project(x))


def test_wrong_number_of_entries_is_refused() -> None:
    with pytest.raises(ValueError, match="10 entries, not 12"):
        BlockSketch(n_in=12, n_out=4, seed=0).project(torch.zeros(2, 10))


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    n_out=st.integers(5, 90),
    cut=st.integers(1, 4),
    seed=st.integers(0, 2**31),
)
def test_linear_and_blind_to_batches_and_to_how_parameters_are_cut(
    sizes: list[int], n_out: int, cut: int, seed: int
) -> None:
    n_in = sum(sizes)
    x = torch.randn(5, n_in, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    sketch = BlockSketch(n_in=n_in, n_out=n_out, seed=seed)
    whole = sketch.project(x)
    named = {str(i): part for i, part in enumerate(x.split(sizes, dim=1))}
    torch.testing.assert_close(sketch.project(named), whole)
    torch.testing.assert_close(torch.cat([sketch.project(x[:cut]), sketch.project(x[cut:])]), whole)
    torch.testing.assert_close(sketch.project(2 * x[:1] - 3 * x[1:2]), 2 * whole[:1] - 3 * whole[1:2])
    if n_out >= n_in:  # nothing collides: inner products are exact
        torch.testing.assert_close(whole @ whole.T, x @ x.T)
