"""Features against the exact gradients they stand for: unbiased, as precise as the law, blind to batches."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pipeline.attribution.gradients.featurizer import Featurizer, make_featurizer
from pipeline.core.errors import InputError
from pipeline.models.interface import Classifier
from pipeline.models.registry import build_model
from tests.fixtures.gradients import per_sample_gradients
from tests.fixtures.zoo import VIT, build_small

SIDE, N, DIM = 16, 8, 512
KINDS = ("block_sketch", "factorized")


@functools.cache
def _network(name: str = "small_resnet") -> Classifier:
    if name == VIT:
        args = {"patch_size": 2, "depth": 2, "embed_dim": 96, "num_heads": 3, "mlp_ratio": 2.0}
        return build_small(name, n_classes=4, image_size=SIDE, args=args)
    return build_model(name, n_classes=4, width=12, pretrained=False, mean=[0.5] * 3, std=[0.2] * 3, seed=0)


@functools.cache
def _images(n: int = N) -> tuple[Tensor, Tensor]:
    """Smooth pictures: patches of noise would be less alike than those of photographs."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(n, 3, 5, 5, generator=generator)
    return nn.functional.interpolate(coarse, SIDE, mode="bilinear"), torch.arange(n) % 4


def _featurizer(kind: str, *, name: str = "small_resnet", dim: int = DIM, **options: object) -> Featurizer:
    arguments = {"precision": "fp32", "seed": 0, "device": "cpu", **options}
    return make_featurizer(_network(name), image_shape=(3, SIDE, SIDE), dim=dim, projection=kind, **arguments)


@functools.cache
def _products(name: str) -> tuple[Tensor, Tensor]:
    """Exact inner products of gradients, and the law's variance times K."""
    grads = per_sample_gradients(_network(name), *_images())
    flat_BP = torch.cat([g.flatten(1) for g in grads.values()], 1).double()
    exact_BB = flat_BP @ flat_BP.T
    square_B = exact_BB.diagonal()
    return exact_BB, square_B[:, None] * square_B[None] + exact_BB**2


def _sketched_products(kind: str, name: str, draws: int) -> Tensor:
    featurizer = _featurizer(kind, name=name)
    found = [featurizer.features(*_images(), stream=stream).features_BK.double() for stream in range(draws)]
    return torch.stack([f @ f.T for f in found])


@pytest.mark.parametrize("name", ["small_resnet", VIT])
@pytest.mark.parametrize("kind", KINDS)
def test_inner_products_are_unbiased_and_as_precise_as_the_law(kind: str, name: str) -> None:
    draws = 24
    exact_BB, law_BB = _products(name)
    errors = _sketched_products(kind, name, draws) - exact_BB
    pairs = tuple(torch.triu_indices(N, N, offset=1))
    z = errors.mean(0) / (errors.std(0) / draws**0.5)
    assert float(z[pairs].abs().max()) < 4.5
    rms = (errors**2).mean(0)[pairs].mean().sqrt()
    assert float(rms / (law_BB[pairs].mean() / DIM).sqrt()) < 1.15


def test_factors_are_really_used_and_their_error_is_not_zero() -> None:
    """With a final sketch wide enough to be exact, what is left is the factors' own error."""
    exact_BB, _ = _products("small_resnet")
    n = sum(p.numel() for p in _network().parameters())
    sketched = _featurizer("block_sketch", dim=n).features(*_images(), stream=0).features_BK.double()
    torch.testing.assert_close(sketched @ sketched.T, exact_BB, rtol=1e-4, atol=1e-4 * float(exact_BB.max()))
    whole = _featurizer("factorized")._sketch
    assert whole._sketch.n_in < n / 1.5
    assert len(whole._inputs) >= 5


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=5, deadline=None)
@given(cut=st.integers(1, N - 1), seed=st.integers(0, 100))
def test_features_do_not_depend_on_batches_or_their_order(kind: str, cut: int, seed: int) -> None:
    featurizer = _shared(kind)
    pixels, labels = _images()
    whole = featurizer.features(pixels, labels, stream=3)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(seed))
    parts = [featurizer.features(pixels[rows], labels[rows], stream=3) for rows in order.split(cut)]
    again = torch.cat([part.features_BK for part in parts])
    scale = float(whole.features_BK.norm(dim=1).max())
    torch.testing.assert_close(again, whole.features_BK[order], rtol=1e-4, atol=1e-5 * scale)
    left = torch.cat([part.one_minus_p_B for part in parts])
    torch.testing.assert_close(left, whole.one_minus_p_B[order], rtol=1e-4, atol=1e-6)


@functools.cache
def _shared(kind: str) -> Featurizer:
    return _featurizer(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_draws_belong_to_seed_and_stream(kind: str) -> None:
    first, twin, other = _featurizer(kind), _featurizer(kind), _featurizer(kind, seed=1)
    images = _images()
    zero = first.features(*images, stream=0).features_BK
    one = first.features(*images, stream=1).features_BK
    assert torch.equal(first.features(*images, stream=0).features_BK, zero)
    assert torch.equal(twin.features(*images, stream=1).features_BK, one)
    assert not torch.allclose(zero, one, rtol=0.5)
    assert not torch.allclose(zero, other.features(*images, stream=0).features_BK, rtol=0.5)


def test_weighting_is_that_of_the_network() -> None:
    pixels, labels = _images()
    with torch.no_grad():
        p = _network().eval()(pixels).softmax(1)[torch.arange(N), labels]
    left = _featurizer("factorized").features(pixels, labels, stream=0).one_minus_p_B
    torch.testing.assert_close(left, 1 - p)


def test_half_precision_stays_close() -> None:
    exact = _featurizer("factorized").features(*_images(), stream=0).features_BK
    half = _featurizer("factorized", precision="bf16").features(*_images(), stream=0)
    cosine = nn.functional.cosine_similarity(exact, half.features_BK)
    assert half.features_BK.dtype == torch.float32
    assert float(cosine.min()) > 0.99


def test_memory_limits_the_pass_and_not_the_answer() -> None:
    small, large = _featurizer("block_sketch", memory_bytes=1), _shared("block_sketch")
    assert small.largest_batch == 1
    assert large.largest_batch > N
    found, expected = (f.features(*_images(), stream=0).features_BK for f in (small, large))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5 * float(expected.norm(dim=1).max()))


def test_automatic_choice_follows_width() -> None:
    wide = make_featurizer(
        _network(), image_shape=(3, SIDE, SIDE), dim=256, projection="auto", precision="auto", seed=0,
        device="cpu",
    )  # fmt: skip
    assert wide.description.kind == "factorized"
    assert wide.description.gradients == "hooks"
    assert wide.description.n_parameters == sum(p.numel() for p in _network().parameters())
    narrow = make_featurizer(
        _network(), image_shape=(3, SIDE, SIDE), dim=8192, projection="auto", precision="fp32", seed=0,
        device="cpu",
    )  # fmt: skip
    assert narrow.description.kind == "block_sketch"


def test_frozen_parameters_take_no_part() -> None:
    model = build_model(
        "small_resnet", n_classes=4, width=4, pretrained=False, mean=[0.5] * 3, std=[0.2] * 3, seed=0
    )
    for name, p in model.named_parameters():
        p.requires_grad_(name.startswith("head"))
    featurizer = make_featurizer(
        model, image_shape=(3, SIDE, SIDE), dim=200, projection="block_sketch", precision="fp32", seed=0,
        device="cpu",
    )  # fmt: skip
    assert featurizer.description.n_parameters == 32 * 4 + 4
    features = featurizer.features(*_images(), stream=0).features_BK
    flat = torch.cat([g.flatten(1) for g in per_sample_gradients(model, *_images()).values()], 1)
    torch.testing.assert_close(features @ features.T, flat @ flat.T)  # 132 numbers in 200: exact
    for p in model.parameters():
        p.requires_grad_(False)
    with pytest.raises(InputError, match="no trainable"):
        make_featurizer(model, image_shape=(3, SIDE, SIDE), dim=200, seed=0, device="cpu")


def test_fallback_is_sketched_like_hooks() -> None:
    class Mixing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mixing = nn.Parameter(torch.eye(3))

        def forward(self, x: Tensor) -> Tensor:
            return torch.einsum("bchw,cd->bdhw", x, self.mixing)

    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 3, 3), Mixing(), nn.Flatten(), nn.Linear(3 * 14 * 14, 4))
    featurizer = make_featurizer(
        model, image_shape=(3, SIDE, SIDE), dim=3000, projection="block_sketch", precision="auto", seed=0,
        device="cpu",
    )  # fmt: skip
    assert featurizer.description.precision == "fp32"
    features = featurizer.features(*_images(), stream=0).features_BK
    flat = torch.cat([g.flatten(1) for g in per_sample_gradients(model, *_images()).values()], 1)
    torch.testing.assert_close(features @ features.T, flat @ flat.T, rtol=1e-4, atol=1e-3)


def test_another_architecture_is_refused() -> None:
    other = build_model(
        "small_resnet", n_classes=4, width=4, pretrained=False, mean=[0.5] * 3, std=[0.2] * 3, seed=0
    )
    with pytest.raises(InputError, match="not those"):
        _featurizer("block_sketch").load(other)


def test_features_are_finite_numbers_of_the_gradients_size() -> None:
    exact_BB, _ = _products("small_resnet")
    features = _shared("factorized").features(*_images(), stream=0).features_BK
    ratio = features.double().square().sum(1) / exact_BB.diagonal()
    assert np.isfinite(features.numpy()).all()
    assert 0.7 < float(ratio.min()) <= float(ratio.max()) < 1.4
