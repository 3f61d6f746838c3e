"""Color features against published Lab values and a slow twin written from the formulas."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.types import BoolArray, Float64Array, UInt8Array
from pipeline.pixels.color_features import (
    COLOR_FEATURES,
    GRAY_CHROMA,
    SOFT_CHROMA,
    FeatureName,
    color_features,
    ring_mask,
)
from pipeline.pixels.detail_features import detail_features

# sRGB primaries in CIELAB, D65, as in Lindbloom's tables.
PUBLISHED_LAB = {
    (255, 0, 0): (53.24, 80.09, 67.20),
    (0, 255, 0): (87.74, -86.18, 83.18),
    (0, 0, 255): (32.30, 79.19, -107.86),
    (255, 255, 0): (97.14, -21.55, 94.48),
    (0, 255, 255): (91.11, -48.09, -14.13),
    (255, 0, 255): (60.32, 98.23, -60.82),
    (255, 255, 255): (100.0, 0.0, 0.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
    (119, 119, 119): (50.03, 0.0, 0.0),
}


def exact_lab(rgb: UInt8Array) -> Float64Array:
    """CIELAB from the sRGB and CIE formulas, D65 white."""
    x = rgb.astype(float) / 255
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                       [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
    t = linear @ to_xyz.T / [0.95047, 1.0, 1.08883]
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1
    )


@pytest.fixture(scope="module")
def images() -> UInt8Array:
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (40, 4, 4, 3)).repeat(5, 1).repeat(5, 2)
    return np.clip(coarse + rng.normal(0, 12, coarse.shape), 0, 255).astype(np.uint8)


def column(images: UInt8Array, region: str, feature: str) -> Float64Array:
    for values, names in (color_features(images), detail_features(images)):
        if FeatureName(region, feature) in names:
            return values[:, names.index(FeatureName(region, feature))].astype(float)
    raise KeyError(feature)


def regions_of(images: UInt8Array) -> dict[str, BoolArray]:
    ring = ring_mask(*images.shape[1:3])
    return {"whole": np.ones_like(ring), "ring": ring, "center": ~ring}


@pytest.mark.parametrize(("rgb", "lab"), PUBLISHED_LAB.items())
def test_primaries_have_their_published_lab_values(rgb: tuple[int, int, int], lab: tuple[float, ...]) -> None:
    image = np.full((1, 8, 8, 3), rgb, np.uint8)
    for feature, value in zip(("lightness_mean", "a_mean", "b_mean"), lab, strict=True):
        # OpenCV interpolates a table
        assert column(image, "whole", feature)[0] == pytest.approx(value, abs=0.25)


def expected_colors(cells_C3: Float64Array, weights_C: Float64Array) -> Float64Array:
    """The features of one region from the average colors of its cells, by the formulas."""
    lab = exact_lab(cells_C3 * 255)
    mean = exact_lab((weights_C[:, None] * cells_C3).sum(axis=0, keepdims=True) / weights_C.sum() * 255)[0]
    for color in (*lab, mean):
        color[1:] *= np.hypot(color[1], color[2]) >= GRAY_CHROMA
    weight = weights_C * np.hypot(lab[:, 1], lab[:, 2]) ** 4
    dominant = (weight[:, None] * lab).sum(axis=0) / weight.sum()
    hues = [c[1:] / (np.hypot(c[1], c[2]) + SOFT_CHROMA) for c in (mean, dominant)]
    return np.array([*mean, *hues[0], np.hypot(mean[1], mean[2]), *hues[1]])


def test_colors_follow_the_formulas(images: UInt8Array) -> None:
    """20 pixels make cells of 2.5 pixels: counted with shares of pixels by a slow twin."""
    overlap = np.zeros((8, 20))
    for cell in range(8):
        for pixel in range(20):
            overlap[cell, pixel] = max(0, min(pixel + 1, 2.5 * cell + 2.5) - max(pixel, 2.5 * cell)) / 2.5
    ring = np.ones((8, 8))
    ring[1:-1, 1:-1] = 0
    center = np.zeros((8, 8))
    center[2:-2, 2:-2] = 1
    for row in range(8):
        cells = np.einsum("ip,jq,pqc->ijc", overlap, overlap, images[row] / 255).reshape(64, 3)
        for region, weights in (("whole", np.ones((8, 8))), ("ring", ring), ("center", center)):
            found = [column(images, region, feature)[row] for feature in COLOR_FEATURES]
            expected = expected_colors(cells, weights.ravel())
            is_hue = ["cos" in name or "sin" in name for name in COLOR_FEATURES]
            tolerance = np.where(is_hue, 0.02, 0.35)  # OpenCV interpolates a table of Lab
            assert (np.abs(found - expected) < tolerance).all()


def test_spreads_follow_the_formulas(images: UInt8Array) -> None:
    for region, mask in regions_of(images).items():
        pixels = exact_lab(images[:, mask])
        for i, channel in enumerate(("lightness", "a", "b")):
            np.testing.assert_allclose(
                column(images, region, f"{channel}_sd"), pixels[..., i].std(axis=1), atol=0.25
            )


@pytest.fixture(scope="module")
def masks(images: UInt8Array) -> UInt8Array:
    """A disc of its own place and size per image; one mask is empty, one is full."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:20, :20]
    center, radius = rng.uniform(5, 15, (2, len(images), 1, 1)), rng.uniform(3, 8, (len(images), 1, 1))
    inside = (y - center[0]) ** 2 + (x - center[1]) ** 2 < radius**2
    inside[0], inside[1] = False, True
    return np.where(inside, 255, 0).astype(np.uint8)


def masked_column(images: UInt8Array, masks: UInt8Array, region: str, feature: str) -> Float64Array:
    values, names = color_features(images, masks)
    return values[:, names.index(FeatureName(region, feature))].astype(float)


def test_mask_regions_follow_the_formulas(images: UInt8Array, masks: UInt8Array) -> None:
    for row in range(2, len(images)):
        y, x = np.nonzero(masks[row])
        # background starts behind a rim of one pixel, corners included
        far = np.array([[np.maximum(abs(y - i), abs(x - j)).min() > 1 for j in range(20)] for i in range(20)])
        for region, inside in (("foreground", masks[row] > 0), ("background", far)):
            mean = exact_lab(images[row][inside].mean(axis=0, keepdims=True))[0]
            mean[1:] *= np.hypot(mean[1], mean[2]) >= GRAY_CHROMA
            for i, channel in enumerate(("lightness", "a", "b")):
                found = masked_column(images, masks, region, f"{channel}_mean")[row]
                assert found == pytest.approx(mean[i], abs=0.3)


def test_a_rectangle_has_the_features_of_its_crop(images: UInt8Array) -> None:
    masks = np.zeros(images.shape[:3], np.uint8)
    masks[:, :, :9] = 255
    crops = {
        "foreground": images[:, :, :9],
        "background": images[:, :, 10:],
    }  # the rim takes the tenth column
    for region, crop in crops.items():
        values, names = color_features(np.ascontiguousarray(crop))
        for feature in COLOR_FEATURES:
            if not feature.startswith("dominant"):  # the crop has cells of its own
                expected = values[:, names.index(FeatureName("whole", feature))]
                np.testing.assert_allclose(
                    masked_column(images, masks, region, feature), expected, atol=2e-3, rtol=1e-3
                )


def test_masks_that_leave_a_region_empty_fall_back_to_the_whole_image(
    images: UInt8Array, masks: UInt8Array
) -> None:
    values, names = color_features(images, masks)
    plain, plain_names = color_features(images)
    np.testing.assert_array_equal(values[:, : len(plain_names)], plain)
    whole = [names.index(FeatureName("whole", f)) for f in COLOR_FEATURES]
    background = [names.index(FeatureName("background", f)) for f in COLOR_FEATURES]
    foreground = [names.index(FeatureName("foreground", f)) for f in COLOR_FEATURES]
    np.testing.assert_array_equal(values[0, foreground], values[0, whole])  # empty mask
    np.testing.assert_allclose(values[0, background], values[0, whole], atol=2e-3)
    np.testing.assert_array_equal(values[1, background], values[1, whole])  # full mask
    np.testing.assert_allclose(values[1, foreground], values[1, whole], atol=2e-3)
    assert np.isfinite(values).all()


def test_colorfulness_follows_hasler_and_suesstrunk(images: UInt8Array) -> None:
    for region, mask in regions_of(images).items():
        red, green, blue = np.moveaxis(images[:, mask].astype(float), -1, 0)
        rg, yb = red - green, (red + green) / 2 - blue
        expected = np.hypot(rg.std(axis=1), yb.std(axis=1)) + 0.3 * np.hypot(rg.mean(axis=1), yb.mean(axis=1))
        np.testing.assert_allclose(column(images, region, "colorfulness"), expected, rtol=1e-4)


def test_edges_against_a_per_image_sobel(images: UInt8Array) -> None:
    weights = np.array([0.299, 0.587, 0.114])
    gray = np.pad(np.rint(images @ weights), ((0, 0), (1, 1), (1, 1)), mode="edge")
    row = gray[:, :-2] + 2 * gray[:, 1:-1] + gray[:, 2:]
    col = gray[:, :, :-2] + 2 * gray[:, :, 1:-1] + gray[:, :, 2:]
    steep = np.abs(row[:, :, 2:] - row[:, :, :-2]) + np.abs(col[:, 2:] - col[:, :-2]) >= 128
    for region, mask in regions_of(images).items():
        # Rounding to gray differs by one level at most, which moves few pixels over the threshold.
        np.testing.assert_allclose(
            column(images, region, "edge_density"), steep[:, mask].mean(axis=1), atol=0.03
        )
