"""Common corruptions against the library that defines them, and against slow twins.

The numbers are those of imagecorruptions-imaug 1.1.5 for `scene`, 224 pixels. It cuts values off where ours
are rounded, so that a level more is no difference.
"""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.types import Float64Array, UInt8Array
from pipeline.pixels.corruptions.blur import _take_neighbors, fronts
from pipeline.pixels.corruptions.corrupt import corrupt
from pipeline.pixels.corruptions.filters import motion_blur
from pipeline.pixels.corruptions.plasma import plasma
from pipeline.pixels.corruptions.strength import Size

PLACES = ([10, 100, 201], [20, 57, 140])
PIXELS = {
    ("brightness", 1): ((179, 202, 80), (109, 224, 169), (223, 189, 146)),
    ("brightness", 5): ((226, 255, 100), (124, 255, 192), (255, 216, 167)),
    ("contrast", 1): ((139, 142, 106), (115, 151, 138), (155, 139, 130)),
    ("contrast", 5): ((129, 123, 127), (126, 124, 131), (131, 122, 130)),
    ("pixelate", 1): ((150, 174, 70), (105, 200, 150), (195, 167, 130)),
    ("pixelate", 5): ((146, 182, 71), (110, 199, 149), (186, 168, 131)),
    ("jpeg_compression", 1): ((163, 171, 85), (105, 201, 130), (193, 164, 108)),
    ("jpeg_compression", 5): ((169, 164, 38), (109, 194, 135), (206, 168, 106)),
    ("defocus_blur", 1): ((156, 175, 69), (97, 197, 137), (196, 166, 118)),
    ("defocus_blur", 5): ((153, 164, 79), (104, 181, 125), (186, 157, 117)),
    ("zoom_blur", 1): ((97, 139, 92), (121, 198, 149), (211, 122, 120)),
    ("zoom_blur", 5): ((92, 94, 112), (155, 198, 149), (193, 85, 124)),
}
TRAILS = {
    (15, 8, 30): ((100.2, 161.5, 104.6), (154.6, 197.6, 148.5), (141.7, 179.4, 132.7)),
    (10, 3, -40): ((147.9, 187.6, 70.9), (106.5, 192.7, 150.6), (191.5, 149.3, 130.6)),
}
CHANGES = {  # mean absolute change at severities 1 to 5, and how far ours may lie from it
    "gaussian_noise": ((16.25, 24.14, 35.16, 48.15, 63.66), 0.01),
    "shot_noise": ((17.9, 27.25, 38.12, 55.76, 69.49), 0.01),
    "impulse_noise": ((3.84, 7.62, 11.48, 21.65, 34.49), 0.02),
    "glass_blur": ((6.29, 5.34, 13.04, 11.04, 12.98), 0.04),
    "motion_blur": ((6.96, 12.12, 18.87, 26.36, 28.96), 0.3),  # by angle
    "snow": ((43.3, 70.34, 69.82, 83.75, 98.63), 0.03),
    "frost": ((58.54, 60.46, 62.87, 63.42, 68.35), 0.2),  # our ice
    "fog": ((36.14, 37.62, 41.17, 44.27, 44.51), 0.15),
}


def scene() -> UInt8Array:
    y, x = np.mgrid[:224, :224].astype(float)
    red, green = 128 + 90 * np.sin(x / 9 + y / 17), 120 + 80 * np.cos(y / 7 - x / 31)
    blue = np.where((x // 28 + y // 28) % 2 == 0, 60 + x / 2, 200 - y / 2)
    return np.clip(np.stack([red, green, blue], axis=-1).round(), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("name", "severity"), PIXELS)
def test_pixels_are_those_of_the_library(name: str, severity: int) -> None:
    found = corrupt(scene()[None], name, severity, seed=0, ids_N=np.arange(1))[0][PLACES].astype(int)
    more = found - np.array(PIXELS[name, severity])
    exact = name in ("pixelate", "jpeg_compression")
    assert ((more == 0) if exact else (more >= 0) & (more <= 1)).all()


@pytest.mark.parametrize("trail", TRAILS)
def test_trails_are_those_of_the_library(trail: tuple[float, float, float]) -> None:
    found = motion_blur(scene().astype(np.float32), *trail)[PLACES]
    np.testing.assert_allclose(found, TRAILS[trail], atol=0.06)


@pytest.mark.parametrize("name", CHANGES)
def test_random_ones_change_as_much_as_the_librarys(name: str) -> None:
    theirs, tolerance = CHANGES[name]
    n = 3 if tolerance < 0.1 else 12
    images = np.repeat(scene()[None], n, axis=0)
    for severity in (1, 3, 5):
        found = corrupt(images, name, severity, seed=0, ids_N=np.arange(n)).astype(float)
        assert abs(np.abs(found - images).mean() / theirs[severity - 1] - 1) < tolerance


@pytest.mark.parametrize("reach", [1, 2, 4])
def test_glass_takes_pixels_as_one_after_the_other(reach: int) -> None:
    rng = np.random.default_rng(reach)
    images = rng.integers(0, 256, (2, 19, 14, 3)).astype(np.uint8)
    moves = rng.integers(-reach, reach, (2, 19, 14, 2))
    slow = images.copy()
    for image, move in zip(slow, moves, strict=True):
        for y in range(19 - reach, reach, -1):
            for x in range(14 - reach, reach, -1):
                image[y, x] = image[y + move[y, x, 0], x + move[y, x, 1]]
    _take_neighbors(images, moves, reach)
    np.testing.assert_array_equal(images, slow)
    assert len(list(fronts(Size(64, 64), 1))) < 64 * 64 / 10


def slow_plasma(side: int, decay: float, drawn: Float64Array) -> Float64Array:
    """Diamond-square a cell at a time, on a torus."""
    found, step, noise = np.zeros((side, side)), side, 1.0
    while step >= 2:
        half = step // 2
        for y in range(half, side, step):
            for x in range(half, side, step):
                corners = [
                    found[(y + a) % side, (x + b) % side] for a in (-half, half) for b in (-half, half)
                ]
                found[y, x] = np.mean(corners) + noise * drawn[y, x]
        for y in range(0, side, half):
            for x in range((y + half) % step, side, step):
                around = [(y - half, x), (y + half, x), (y, x - half), (y, x + half)]
                found[y, x] = np.mean([found[a % side, b % side] for a, b in around]) + noise * drawn[y, x]
        step, noise = half, noise / decay**2
    return (found - found.min()) / np.ptp(found)


@pytest.mark.parametrize("decay", [1.4, 3])
def test_clouds_are_those_of_a_slow_diamond_square(decay: float) -> None:
    drawn = [2 * np.random.default_rng(seed).random((16, 16), dtype=np.float32) - 1 for seed in range(2)]
    found = plasma(13, decay, [np.random.default_rng(seed) for seed in range(2)])
    np.testing.assert_allclose(found, [slow_plasma(16, decay, d) for d in drawn], atol=1e-5)
