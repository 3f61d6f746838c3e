"""What must not matter does not: scale, row order, batch size, color of grey images."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.explain.cam.adapter import choose_layer, raw_cams
from pipeline.explain.cam.energy import energy_in_masks, estimate_lift, pull_masks
from pipeline.models.registry import build_model
from pipeline.statistics.means import estimate_mean

MODEL = build_model(
    "small_resnet", n_classes=3, width=4, pretrained=False, mean=[0.5] * 3, std=[0.25] * 3, seed=0
).eval()


def draw_case(seed: int, n: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    maps = np.maximum(rng.normal(size=(2, n, cells, cells)), 0).astype(np.float32)
    masks = (rng.random((n, 12, 12)) < rng.uniform(0.1, 0.6)).astype(np.uint8) * 255
    return maps, masks


def measure(maps: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pulled, _ = pull_masks(masks, np.arange(len(masks)), maps.shape[2:], batch_size=4)
    return energy_in_masks(maps, pulled, masks.shape[1:])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 9), cells=st.sampled_from([1, 2, 3, 4, 12]))
def test_energy_is_a_share_and_forgets_the_maps_scale(seed, n, cells):
    maps, masks = draw_case(seed, n, cells)
    energy, null = measure(maps, masks)
    for values in (energy, null):
        known = values[~np.isnan(values)]
        assert ((known >= -1e-12) & (known <= 1 + 1e-12)).all()
    np.testing.assert_array_equal(np.isnan(energy), (maps == 0).all(axis=(2, 3)))
    np.testing.assert_allclose(measure(1024 * maps, masks)[0], energy, rtol=1e-12)
    inverse, _ = measure(maps, 255 - masks)
    np.testing.assert_allclose(energy + inverse, np.where(np.isnan(energy), np.nan, 1), rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 9))
def test_the_order_of_images_and_models_does_not_matter(seed, n):
    maps, masks = draw_case(seed, n, 3)
    order = np.random.default_rng(seed).permutation(n)
    plain, shuffled = measure(maps, masks), measure(maps[::-1, order], masks[order])
    np.testing.assert_allclose(shuffled[0], plain[0][::-1, order], rtol=1e-9)
    mean, again = estimate_mean(plain[0]), estimate_mean(shuffled[0])
    lift, lift_again = estimate_lift(*plain), estimate_lift(*shuffled)
    for first, second in ((mean, again), (lift, lift_again)):
        assert (first is None) == (second is None)
        if first is not None and second is not None:
            np.testing.assert_allclose(
                [first.value, first.low, first.high], [second.value, second.low, second.high], rtol=1e-6
            )
            assert first.low <= first.value <= first.high


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), batch_size=st.integers(1, 7))
def test_maps_do_not_depend_on_the_batch(seed, batch_size):
    """Gradients of a sum over images must not mix them (batch norm in evaluation mode)."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    targets = rng.integers(0, 3, 6)
    layer = choose_layer(MODEL, 16, 4)
    whole = raw_cams(MODEL, layer.module, images, targets, batch_size=6)
    parts = raw_cams(MODEL, layer.module, images, targets, batch_size=batch_size)
    np.testing.assert_allclose(parts, whole, atol=1e-5 * max(float(whole.max()), 1e-6))
    assert torch.is_grad_enabled()
