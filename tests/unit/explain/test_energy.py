"""Energy in masks, the null, and their intervals: numbers that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.explain.cam.energy import energy_in_masks, estimate_lift, pull_masks, upsampling_matrix
from pipeline.statistics.means import estimate_mean


def measure(maps_SNhw: np.ndarray, masks_NHW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(len(masks_NHW))
    pulled, _ = pull_masks(masks_NHW, rows, maps_SNhw.shape[2:])
    return energy_in_masks(maps_SNhw.astype(np.float32), pulled, masks_NHW.shape[1:])


def test_upsampling_weights_of_each_pixel_sum_to_one():
    assert upsampling_matrix(4, 32).shape == (32, 4)
    np.testing.assert_allclose(upsampling_matrix(4, 32).sum(axis=1), 1)
    np.testing.assert_allclose(upsampling_matrix(2, 4), [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])


def test_energy_of_a_uniform_map_is_the_mask_area():
    masks = (np.random.default_rng(0).random((5, 12, 12)) < 0.3).astype(np.uint8) * 255
    energy, _ = measure(np.full((2, 5, 3, 3), 7.0), masks)
    areas = (masks > 0).mean(axis=(1, 2))
    np.testing.assert_allclose(energy, np.stack([areas, areas]), rtol=1e-12)
    np.testing.assert_allclose(pull_masks(masks, np.arange(5), (3, 3))[1], areas)


def test_null_is_the_mean_over_the_other_images_masks():
    masks = np.zeros((3, 4, 4), np.uint8)
    masks[0, :2], masks[1, 2:], masks[2, :, :2] = 255, 255, 255
    maps = np.zeros((1, 3, 4, 4))
    maps[0, :, 0, 0] = 2.0  # all energy in the top left pixel
    energy, null = measure(maps, masks)
    np.testing.assert_allclose(energy, [[1, 0, 1]])
    np.testing.assert_allclose(null, [[0.5, 1, 0.5]])


def test_blank_maps_are_nan_and_left_out_of_the_mean():
    masks = np.zeros((3, 4, 4), np.uint8)
    masks[:, :2] = 255
    maps = np.ones((2, 3, 2, 2))
    maps[0, 0] = maps[:, 1] = 0
    energy, null = measure(maps, masks)
    np.testing.assert_array_equal(np.isnan(energy), [[True, True, False], [False, True, False]])
    np.testing.assert_array_equal(np.isnan(null), np.isnan(energy))
    mean = estimate_mean(energy)
    assert mean is not None
    assert (mean.value, mean.n) == (0.5, 2)


def test_mean_interval_of_one_model_is_the_t_interval():
    # 0.2 0.4 0.6: mean 0.4, sd 0.2, t(2, .975) = 4.3027, half = 4.3027 * 0.2 / sqrt(3) = 0.4968
    mean = estimate_mean(np.array([[0.2, 0.4, 0.6]]))
    assert mean is not None
    assert mean.value == pytest.approx(0.4)
    assert mean.low == 0.0  # cut: a share
    assert mean.high == pytest.approx(0.8968, abs=1e-4)


def test_models_that_disagree_widen_the_interval():
    values = np.random.default_rng(0).uniform(0.4, 0.6, (1, 50))
    agreeing = estimate_mean(np.repeat(values, 3, axis=0))
    differing = estimate_mean(values + np.array([[-0.1], [0.0], [0.1]]))
    assert agreeing is not None
    assert differing is not None
    assert differing.high - differing.low > 3 * (agreeing.high - agreeing.low)


@pytest.mark.parametrize("values", [np.full((2, 3), np.nan), np.zeros((1, 0))])
def test_nothing_measured_is_none(values):
    assert estimate_mean(values) is None
    assert estimate_lift(values, values) is None


def test_one_image_has_no_spread_to_speak_of():
    mean = estimate_mean(np.array([[0.7]]))
    assert mean is not None
    assert (mean.low, mean.high, mean.n) == (0.0, 1.0, 1)
    assert estimate_lift(np.array([[0.7]]), np.array([[np.nan]])) is None


def test_lift_of_maps_unrelated_to_masks_covers_one():
    rng = np.random.default_rng(3)
    masks = np.zeros((80, 16, 16), np.uint8)
    for mask, (y, x) in zip(masks, rng.integers(0, 12, (80, 2)), strict=True):
        mask[y : y + 4, x : x + 4] = 255
    lift = estimate_lift(*measure(rng.random((3, 80, 4, 4)) ** 4, masks))
    assert lift is not None
    assert lift.low < 1 < lift.high
    assert lift.n == 80


def test_lift_by_hand():
    # Means 0.6 and 0.2: lift 3. Pulls (e - 3 null) / 0.2 are 0, .5, -.5, each four times:
    # sd = sqrt(8 * .25 / 11) = .4264, half = t(11, .975) * .4264 / sqrt(12) = 2.2010 * .1231 = .2709
    energy, null = np.array([[0.6, 0.4, 0.8] * 4]), np.array([[0.2, 0.1, 0.3] * 4])
    lift = estimate_lift(energy, null)
    assert lift is not None
    assert lift.value == pytest.approx(3.0)
    assert lift.high == pytest.approx(3.2709, abs=1e-4)
    assert lift.low == pytest.approx(2.7291, abs=1e-4)
    assert estimate_lift(energy, 0 * null) is None
    assert estimate_lift(energy[:, :9], null[:, :9]) is None  # too few images


def test_center_bias_alone_is_no_lift():
    """Every object and every map in the middle: masks of other images explain all of it."""
    masks = np.zeros((20, 16, 16), np.uint8)
    masks[:, 4:12, 4:12] = 255
    maps = np.zeros((1, 20, 4, 4))
    maps[:, :, 1:3, 1:3] = np.random.default_rng(0).uniform(1, 2, (1, 20, 2, 2))
    energy, null = measure(maps, masks)
    lift = estimate_lift(energy, null)
    assert lift is not None
    assert lift.value == pytest.approx(1.0)
    assert energy.mean() > 2 * 0.25  # while the share is far above the area


def test_images_without_foreground_neither_count_nor_serve_as_a_null():
    masks = np.zeros((4, 4, 4), np.uint8)
    masks[0, :2], masks[1, 2:] = 255, 255
    energy, null = measure(np.ones((1, 4, 2, 2)), masks)
    np.testing.assert_allclose(energy, [[0.5, 0.5, np.nan, np.nan]])
    np.testing.assert_allclose(null, [[0.5, 0.5, np.nan, np.nan]])
    alone, of_none = measure(np.ones((1, 4, 2, 2)), np.where(np.arange(4)[:, None, None] < 1, masks, 0))
    np.testing.assert_array_equal(np.isnan(alone), [[False, True, True, True]])
    assert np.isnan(of_none).all()
