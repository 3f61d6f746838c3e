"""Hand-worked colors: primaries, rings, gray, and images that must not bleed into their neighbors."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.core.types import UInt8Array
from pipeline.pixels.color_features import (
    COLOR_FEATURES,
    MASK_REGIONS,
    REGIONS,
    FeatureName,
    color_features,
    ring_mask,
)
from pipeline.pixels.detail_features import DETAIL_FEATURES, detail_features


def plain(*colors: tuple[int, int, int], side: int = 16) -> UInt8Array:
    return np.array(colors, np.uint8)[:, None, None, :].repeat(side, 1).repeat(side, 2)


def test_ring_is_an_eighth_of_the_side_and_at_least_one_pixel() -> None:
    assert ring_mask(32, 32).sum() == 32 * 32 - 24 * 24
    assert ring_mask(8, 8).sum() == 28
    assert ring_mask(5, 5).sum() == 16


def test_ring_features_ignore_the_center() -> None:
    images = plain((0, 0, 255))
    images[:, 2:-2, 2:-2] = (255, 0, 0)
    values, names = color_features(images)
    column = {name: i for i, name in enumerate(names)}
    assert values[0, column[FeatureName("center", "a_mean")]] == pytest.approx(80.1, abs=0.5)
    assert values[0, column[FeatureName("ring", "b_mean")]] == pytest.approx(-107.9, abs=0.5)
    details, names = detail_features(images)
    column = {name: i for i, name in enumerate(names)}
    assert details[0, column[FeatureName("ring", "edge_density")]] > 0  # the ring touches the red square


def test_gray_has_no_hue_no_spread_and_no_color() -> None:
    images = plain((0, 0, 0), (77, 77, 77), (255, 255, 255))
    for values, names in (color_features(images), detail_features(images)):
        for (_, feature), column in zip(names, values.T, strict=True):
            if feature != "lightness_mean":
                np.testing.assert_array_equal(column, 0)


def test_constant_colors_have_zero_spread_exactly() -> None:
    values, names = detail_features(plain((255, 0, 0), (0, 255, 0), (17, 99, 201)))
    for (_, feature), column in zip(names, values.T, strict=True):
        if feature.endswith("_sd"):
            np.testing.assert_array_equal(column, 0)


def test_the_most_colorful_cells_have_the_dominant_hue() -> None:
    """A small red patch on a dull blue wall: the average is bluish, the dominant hue is red."""
    images = plain((110, 110, 140))
    images[:, 2:6, 2:6] = (230, 20, 20)
    values, names = color_features(images)
    found = {name.feature: value for name, value in zip(names, values[0], strict=True) if name[0] == "whole"}
    assert found["dominant_cos"] > 0.7
    assert found["hue_sin"] < 0
    assert found["chroma"] == pytest.approx(np.hypot(found["a_mean"], found["b_mean"]), abs=0.01)


def test_edges_do_not_leak_between_stacked_images() -> None:
    values, names = detail_features(plain((0, 0, 0), (255, 255, 255), (0, 0, 0)))
    np.testing.assert_array_equal(values[:, names.index(FeatureName("whole", "edge_density"))], 0)


def test_names_cover_every_region_and_feature_in_order() -> None:
    values, names = color_features(plain((1, 2, 3)))
    assert names == [FeatureName(r, f) for r in REGIONS for f in COLOR_FEATURES]
    assert values.shape == (1, len(names))
    assert values.dtype == np.float32
    _, names = color_features(plain((1, 2, 3)), np.zeros((1, 16, 16), np.uint8))
    assert names == [FeatureName(r, f) for r in (*REGIONS, *MASK_REGIONS) for f in COLOR_FEATURES]
    assert detail_features(plain((1, 2, 3)))[1] == [
        FeatureName(r, f) for r in REGIONS for f in DETAIL_FEATURES
    ]


def test_the_rim_around_the_foreground_is_no_background() -> None:
    images, masks = plain((0, 0, 255), side=64), np.zeros((1, 64, 64), np.uint8)
    masks[:, 20:40, 20:40] = 255
    images[:, 18:42, 18:42] = (255, 0, 0)  # the object reaches two pixels beyond its mask, as after resizing
    values, names = color_features(images, masks)
    column = {name: i for i, name in enumerate(names)}
    assert values[0, column[FeatureName("background", "b_mean")]] == pytest.approx(-107.9, abs=0.6)
    assert values[0, column[FeatureName("foreground", "a_mean")]] == pytest.approx(80.1, abs=0.6)


def test_masks_of_another_shape_are_refused() -> None:
    for masks in (
        np.zeros((1, 8, 16), np.uint8),
        np.zeros((1, 16, 16), bool),
        np.zeros((2, 16, 16), np.uint8),
    ):
        with pytest.raises(InputError, match="one per image"):
            color_features(plain((1, 2, 3)), masks)


def test_empty_input_gives_empty_output() -> None:
    empty = np.zeros((0, 8, 8, 3), np.uint8)
    assert color_features(empty)[0].shape == (0, 24)
    assert color_features(empty, empty[..., 0])[0].shape == (0, 40)
    assert detail_features(empty)[0].shape == (0, 15)


@pytest.mark.parametrize(
    "images",
    [np.zeros((2, 8, 8, 3), np.float32), np.zeros((2, 8, 8), np.uint8), np.zeros((2, 2, 8, 3), np.uint8)],
)
def test_wrong_images_are_refused_with_what_was_expected(images: np.ndarray) -> None:
    for function in (color_features, detail_features):
        with pytest.raises(InputError, match="expected uint8 RGB"):
            function(images)
