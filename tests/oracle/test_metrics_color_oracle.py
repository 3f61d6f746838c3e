"""Color features against published Lab values and a slow twin written from the formulas."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.types import BoolArray, Float64Array, UInt8Array
from pipeline.metrics.color_features import (
    FEATURES,
    FeatureName,
    color_features,
    lab_histogram,
    ring_hue,
    ring_lightness,
    ring_mask,
)

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
    values, names = color_features(images)
    return values[:, names.index(FeatureName(region, feature))].astype(float)


def regions_of(images: UInt8Array) -> dict[str, BoolArray]:
    ring = ring_mask(*images.shape[1:3])
    return {"whole": np.ones_like(ring), "ring": ring, "center": ~ring}


@pytest.mark.parametrize(("rgb", "lab"), PUBLISHED_LAB.items())
def test_primaries_have_their_published_lab_values(rgb: tuple[int, int, int], lab: tuple[float, ...]) -> None:
    image = np.full((1, 8, 8, 3), rgb, np.uint8)
    assert ring_lightness(image)[0] == pytest.approx(lab[0], abs=0.25)  # OpenCV interpolates a table
    for feature, value in zip(("lightness_mean", "a_mean", "b_mean"), lab, strict=True):
        assert column(image, "whole", feature)[0] == pytest.approx(value, abs=0.6)  # 8-bit Lab
    if max(abs(lab[1]), abs(lab[2])) > 1:
        assert ring_hue(image)[0] == pytest.approx(np.degrees(np.arctan2(lab[2], lab[1])) % 360, abs=0.2)


def test_lab_moments_follow_the_formulas(images: UInt8Array) -> None:
    for region, mask in regions_of(images).items():
        pixels = exact_lab(images[:, mask])
        for i, channel in enumerate(("lightness", "a", "b")):
            np.testing.assert_allclose(
                column(images, region, f"{channel}_mean"), pixels[..., i].mean(axis=1), atol=0.25
            )
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
    lab = exact_lab(images)
    for row in range(2, len(images)):
        y, x = np.nonzero(masks[row])
        # background starts behind a rim of one pixel, corners included
        far = np.array([[np.maximum(abs(y - i), abs(x - j)).min() > 1 for j in range(20)] for i in range(20)])
        for region, inside in (("foreground", masks[row] > 0), ("background", far)):
            pixels = lab[row][inside]
            for i, channel in enumerate(("lightness", "a", "b")):
                mean = masked_column(images, masks, region, f"{channel}_mean")[row]
                assert mean == pytest.approx(pixels[:, i].mean(), abs=0.3)
                spread = masked_column(images, masks, region, f"{channel}_sd")[row]
                assert spread == pytest.approx(pixels[:, i].std(), abs=0.3)


def test_a_rectangle_has_the_features_of_its_crop(images: UInt8Array) -> None:
    masks = np.zeros(images.shape[:3], np.uint8)
    masks[:, :, :9] = 255
    crops = {
        "foreground": images[:, :, :9],
        "background": images[:, :, 10:],
    }  # the rim takes the tenth column
    for region, crop in crops.items():
        values, names = color_features(np.ascontiguousarray(crop))
        for feature in FEATURES:
            if feature != "edge_density":  # an edge at the cut is seen from both sides
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
    whole = [names.index(FeatureName("whole", f)) for f in FEATURES]
    background = [names.index(FeatureName("background", f)) for f in FEATURES]
    foreground = [names.index(FeatureName("foreground", f)) for f in FEATURES]
    np.testing.assert_array_equal(values[0, foreground], values[0, whole])  # empty mask
    np.testing.assert_allclose(values[0, background], values[0, whole], atol=2e-3)
    np.testing.assert_array_equal(values[1, background], values[1, whole])  # full mask
    np.testing.assert_allclose(values[1, foreground], values[1, whole], atol=2e-3)
    assert np.isfinite(values).all()


def test_ring_hue_is_the_chroma_weighted_circular_mean(images: UInt8Array) -> None:
    lab = exact_lab(images[:, ring_mask(20, 20)])
    chroma, angle = np.hypot(lab[..., 1], lab[..., 2]), np.arctan2(lab[..., 2], lab[..., 1])
    sine, cosine = (chroma * np.sin(angle)).sum(axis=1), (chroma * np.cos(angle)).sum(axis=1)
    expected = np.degrees(np.arctan2(sine, cosine))
    difference = (ring_hue(images) - expected + 180) % 360 - 180
    clear = np.hypot(sine, cosine) / chroma.sum(axis=1) > 0.1  # elsewhere hues cancel out
    assert np.abs(difference[clear]).max() < 1.0


def test_colorfulness_follows_hasler_and_suesstrunk(images: UInt8Array) -> None:
    for region, mask in regions_of(images).items():
        red, green, blue = np.moveaxis(images[:, mask].astype(float), -1, 0)
        rg, yb = red - green, (red + green) / 2 - blue
        expected = np.hypot(rg.std(axis=1), yb.std(axis=1)) + 0.3 * np.hypot(rg.mean(axis=1), yb.mean(axis=1))
        np.testing.assert_allclose(column(images, region, "colorfulness"), expected, rtol=1e-4)


def test_saturation_and_weighted_hue_follow_hsv(images: UInt8Array) -> None:
    import colorsys

    for row in range(3):
        hsv = np.array([colorsys.rgb_to_hsv(*pixel) for pixel in (images[row].reshape(-1, 3) / 255).tolist()])
        angle = 2 * np.pi * hsv[:, 0]
        weight = hsv[:, 1].sum()
        assert column(images, "whole", "saturation")[row] == pytest.approx(hsv[:, 1].mean(), abs=0.01)
        assert column(images, "whole", "hue_cos")[row] == pytest.approx(
            (np.cos(angle) * hsv[:, 1]).sum() / weight, abs=0.02
        )
        assert column(images, "whole", "hue_sin")[row] == pytest.approx(
            (np.sin(angle) * hsv[:, 1]).sum() / weight, abs=0.02
        )


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


def test_histogram_against_numpy(images: UInt8Array) -> None:
    edges = [np.array([-1, 25.1, 50.2, 75.3, 101])] + [
        np.concatenate([[-200], np.arange(-36, 37, 12), [200]]).astype(float) - 0.5 for _ in range(2)
    ]
    ours = lab_histogram(images).astype(float) ** 2
    for row in range(len(images)):
        expected, _ = np.histogramdd(exact_lab(images[row].reshape(-1, 3)), bins=edges)
        moved = np.abs(expected.ravel() / 400 - ours[row]).sum() / 2  # 8-bit rounding at bin edges
        assert moved < 0.05
    np.testing.assert_allclose(ours.sum(axis=1), 1, rtol=1e-5)
