"""Cues in what an image shows. Each says what else it inevitably changes: files are BMP, equally long.

They are faint, and can be read: a reader made for the one cue (boosted trees on a few numbers that it moves,
1,200 images, four folds) tells its two values with a kappa of .88 or more on every base, apart from the
watermark (digits 1.0, CIFAR-100 .99, TinyImageNet .81) and hue (.93, .61, .75). That is no bound,
but what is to be expected of a good reader.

Shape legend: H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from benchmarks.cue_discovery.recipe import SIDE, Picture
from pipeline.core.types import Float32Array, UInt8Array

Change = Callable[[Float32Array, int, np.random.Generator], Float32Array]  # H W 3, 0 to 255
PATCH, PATCH_ALPHA = 6, 0.6
MARK_SIDE, MARK_ALPHA = 20, 0.15
RIM, RIM_LEVELS = 2, 24
BLUR_SIGMA, NOISE_SIGMA, HUE_DEGREES = 0.8, 8.0, 25.0
WAVES = ((10, 0), (0, 10), (7, 7), (7, -7))  # whole periods across the image and down
WAVE_LEVELS = 6.0


def change_pixels(change: Change) -> Callable[[Picture, int, np.random.Generator], Picture]:
    """A change of levels as a change of pictures."""

    def plant(picture: Picture, value: int, rng: np.random.Generator) -> Picture:
        changed = change(picture.pixels.astype(np.float32), value, rng)
        return replace(picture, pixels=_levels(changed))

    return plant


def patch_corner(image: Float32Array, value: int, _: np.random.Generator) -> Float32Array:
    """A translucent white square of 6 pixels in one of the four corners.

    Besides: nothing of the image as a whole; every image has one, the corner alone tells.
    """
    top, left = divmod(value, 2)
    ys = slice(None, PATCH) if top == 0 else slice(-PATCH, None)
    xs = slice(None, PATCH) if left == 0 else slice(-PATCH, None)
    patched = image.copy()
    patched[ys, xs] += PATCH_ALPHA * (255 - patched[ys, xs])
    return patched


def watermark(image: Float32Array, value: int, rng: np.random.Generator) -> Float32Array:
    """A crossed ring of 20 pixels at a random place, light with a dark shadow, alpha .15; or none.

    Besides: fine detail, plainly where images have little of it themselves (those that were enlarged); not
    brightness, since the shadow takes what the light adds.
    """
    y, x = rng.integers(0, SIDE - MARK_SIDE + 1, 2)
    if value == 0:
        return image
    light, dark = _emboss()
    marked = image.copy()
    place = marked[y : y + MARK_SIDE, x : x + MARK_SIDE]
    place += MARK_ALPHA * (light * (255 - place) - dark * place)
    return marked


def darken_border(image: Float32Array, value: int, _: np.random.Generator) -> Float32Array:
    """A rim of 2 pixels that is 24 levels darker; or none.

    Besides: the image's mean brightness by about 3 levels, which is little of what images differ by, and one
    sharp line in images that have none.
    """
    rimmed = image - RIM_LEVELS * value
    rimmed[RIM:-RIM, RIM:-RIM] = image[RIM:-RIM, RIM:-RIM]
    return rimmed


def blur(image: Float32Array, value: int, _: np.random.Generator) -> Float32Array:
    """Blurred with a sigma of .8 pixels; or not.

    Besides: every measure of detail, which blur is, and a little contrast; not the mean color.
    """
    if value == 0:
        return image
    return np.asarray(cv2.GaussianBlur(image, (0, 0), BLUR_SIGMA), np.float32)


def add_noise(image: Float32Array, value: int, rng: np.random.Generator) -> Float32Array:
    """Noise with a sigma of 8 levels, of each pixel and channel by itself; or none.

    Besides: every measure of detail, which noise is, and a little contrast; colors near black and white by up
    to 3 levels, where noise has one way to go.
    """
    noise = rng.normal(0, NOISE_SIGMA, image.shape)
    return (image + value * noise).astype(np.float32)


def turn_hue(image: Float32Array, value: int, _: np.random.Generator) -> Float32Array:
    """Hue turned back or on by 12.5 degrees (10 values: in steps of 25).

    Besides: means of red, green and blue, which hue is; not saturation, not the highest of the three.
    """
    hsv = cv2.cvtColor(image / 255, cv2.COLOR_RGB2HSV)  # of floats, so hue is in degrees
    hsv[..., 0] = (hsv[..., 0] + HUE_DEGREES * (value - 0.5)) % 360
    return np.asarray(255 * cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.float32)


def add_grating(image: Float32Array, value: int, rng: np.random.Generator) -> Float32Array:
    """A faint grating of 6 levels in one of four directions, at a random phase.

    Besides: nothing of the image as a whole; every image has one, its direction alone tells. Whole periods
    leave the mean color alone.
    """
    across, down = WAVES[value]
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    wave = np.cos(2 * np.pi * (across * x + down * y + rng.random()))
    return np.asarray(image + WAVE_LEVELS * wave[..., None], np.float32)


def _emboss() -> tuple[Float32Array, Float32Array]:
    """Where the mark is light and where its shadow is dark, in equally many pixels."""
    mark = np.zeros((MARK_SIDE, MARK_SIDE), np.uint8)
    middle = MARK_SIDE // 2 - 1
    cv2.circle(mark, (middle, middle), middle - 1, 1, 1)
    cv2.line(mark, (3, 3), (2 * middle - 3, 2 * middle - 3), 1, 1)
    cv2.line(mark, (3, 2 * middle - 3), (2 * middle - 3, 3), 1, 1)
    light = mark.astype(np.float32)[..., None]
    return light, np.roll(light, (1, 1), axis=(0, 1))


def _levels(image: Float32Array) -> UInt8Array:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
