"""The 15 common corruptions by name.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator

from pipeline.core.errors import InputError
from pipeline.core.types import Int64Array, UInt8Array
from pipeline.pixels.corruptions import blur, digital, noise, weather
from pipeline.pixels.corruptions.strength import LEAST_SIDE, MOST_SIDE, SEVERITIES

# Of images, a severity, and a generator for each image.
Corruption = Callable[[UInt8Array, int, Sequence[Generator]], UInt8Array]
_BY_GROUP: dict[str, tuple[Corruption, ...]] = {
    "noise": (noise.gaussian_noise, noise.shot_noise, noise.impulse_noise),
    "blur": (blur.defocus_blur, blur.glass_blur, blur.motion_blur, blur.zoom_blur),
    "weather": (weather.snow, weather.frost, weather.fog, weather.brightness),
    "digital": (digital.contrast, digital.elastic_transform, digital.pixelate, digital.jpeg_compression),
}
_CORRUPTIONS = {function.__name__: function for group in _BY_GROUP.values() for function in group}
NAMES = tuple(_CORRUPTIONS)
GROUPS = {group: tuple(f.__name__ for f in functions) for group, functions in _BY_GROUP.items()}
_VALUES_AT_ONCE = 1 << 22  # of pixels: what memory goes by


def corrupt(images_NHW3: UInt8Array, name: str, severity: int, *, seed: int, ids_N: Int64Array) -> UInt8Array:
    """The images after one corruption, N x H x W x 3; severity 0 leaves them as they are.

    What is drawn for an image is a function of `seed`, the corruption and its id alone: it is the same
    whatever images stand beside it, and at every severity.

    Source: Hendrycks & Dietterich 2019 (arXiv:1903.12261). Ours differ from the published images in this:
    values are rounded, not cut off; frost is drawn (`ice.py`), as the photographs are not ours to ship; sizes
    between the published ones (`strength.py`).

    Raises:
        InputError: no such corruption or severity, or images that are none of 8 to 512 pixels.
    """
    _check(images_NHW3, name, severity, ids_N)
    if severity == 0 or len(images_NHW3) == 0:
        return images_NHW3.copy()
    corrupted = np.empty_like(images_NHW3)
    n = max(_VALUES_AT_ONCE // images_NHW3[0].size, 1)
    for start in range(0, len(images_NHW3), n):
        rows = slice(start, start + n)
        draws = [np.random.default_rng([seed, NAMES.index(name), int(i)]) for i in ids_N[rows]]
        corrupted[rows] = _CORRUPTIONS[name](images_NHW3[rows], severity, draws)
    return corrupted


def _check(images_NHW3: UInt8Array, name: str, severity: int, ids_N: Int64Array) -> None:
    if name not in NAMES:
        raise InputError(f"{name!r} is no common corruption. Name one of {', '.join(NAMES)}.")
    if severity not in (0, *SEVERITIES):
        raise InputError(f"Severity {severity} of {name} is not defined. Give a whole number from 0 to 5.")
    shape = images_NHW3.shape
    if images_NHW3.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3:
        raise InputError(
            f"Images of type {images_NHW3.dtype} and shape {shape} cannot be corrupted. Give uint8 images of "
            "shape N x H x W x 3."
        )
    if len(ids_N) != shape[0] or (np.asarray(ids_N) < 0).any():
        raise InputError(f"{shape[0]} images need as many ids from 0 up: {len(ids_N)} were given.")
    if not all(LEAST_SIDE <= side <= MOST_SIDE for side in shape[1:3]):
        raise InputError(
            f"Images of {shape[1]} x {shape[2]} pixels cannot be corrupted: sides of {LEAST_SIDE} to "
            f"{MOST_SIDE} are defined. Resize them."
        )
