"""Changed images: each edit takes one cue away and leaves the rest. Images in, images out.

The three color edits keep every pixel's luma, so that a model of brightness is not taken for one of
color. Edits never look at labels or predictions.

Shape legend: N images, H height, W width, P patches.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.core.types import BoolArray, Float32Array, Int64Array, UInt8Array
from pipeline.cues.exchanges.backgrounds import paste_foreground, widen
from pipeline.pixels.levels import LUMA, to_uint8
from pipeline.pixels.maps import FOREGROUND

GRID = 4  # patches along a side
BLUR_SHARE = 1 / 8  # sigma of the background's blur as a share of the side


def to_grey(images_NHW3: UInt8Array) -> UInt8Array:
    """Rec. 601 luma in all three channels, N x H x W x 3."""
    n, height, width, _ = images_NHW3.shape
    tall = np.ascontiguousarray(images_NHW3).reshape(n * height, width, 3)
    luma = cv2.cvtColor(tall, cv2.COLOR_RGB2GRAY).reshape(n, height, width, 1)
    grey: UInt8Array = np.repeat(luma, 3, axis=3)
    return grey


def halve_saturation(images_NHW3: UInt8Array) -> UInt8Array:
    """Half way to grey at the same luma: torchvision's `adjust_saturation` with 0.5."""
    luma_NHW1 = _luma(images_NHW3)
    return to_uint8(luma_NHW1 + (images_NHW3 - luma_NHW1) * np.float32(0.5))


def rotate_hue(images_NHW3: UInt8Array) -> UInt8Array:
    """The opposite hue (turned by 180 degrees) at the same luma; grey stays grey.

    A turn in HSV would keep the largest channel and change the luma: red (luma 76) becomes cyan
    (179), and a model of brightness would seem to read color. Here a pixel's differences to its luma
    change their sign. Where the opposite color does not exist at that luma, the saturation is
    lowered until it does; elsewhere turning twice gives the image back.
    """
    luma_NHW1 = _luma(images_NHW3)
    chroma_NHW3 = images_NHW3 - luma_NHW1
    above = np.maximum.reduce([chroma_NHW3[..., c] for c in range(3)])[..., None]
    below = -np.minimum.reduce([chroma_NHW3[..., c] for c in range(3)])[..., None]
    # The largest channel falls by `above` and must stay >= 0, the least one rises and must stay <= 255.
    tiny = np.float32(1e-6)
    room = np.minimum(luma_NHW1 / np.maximum(above, tiny), (255 - luma_NHW1) / np.maximum(below, tiny))
    return to_uint8(luma_NHW1 - np.minimum(room, 1) * chroma_NHW3)


def is_nearly_grey(images_NHW3: UInt8Array, spread: float) -> BoolArray:
    """N, True where the mean of largest minus least channel is below `spread` (of 255)."""
    channels = [images_NHW3[..., c] for c in range(3)]
    spread_NHW = np.maximum.reduce(channels) - np.minimum.reduce(channels)
    nearly: BoolArray = spread_NHW.mean(axis=(1, 2)) < spread
    return nearly


def draw_permutations(ids_N: Int64Array, seed: int) -> Int64Array:
    """One order of the patches per image, N x P, never the identity.

    A function of seed and image id alone: batches and the order of rows do not matter.
    """
    orders_NP = np.empty((len(ids_N), GRID**2), np.int64)
    identity = np.arange(GRID**2)
    for i, image_id in enumerate(ids_N):
        rng = np.random.default_rng([seed, int(image_id)])
        orders_NP[i] = rng.permutation(GRID**2)
        while np.array_equal(orders_NP[i], identity):
            orders_NP[i] = rng.permutation(GRID**2)
    return orders_NP


def shuffle_patches(images_NHW3: UInt8Array, orders_NP: Int64Array) -> UInt8Array:
    """Patches of a 4 x 4 grid in another order: local texture and color stay, shape goes.

    Patch p of the result is patch `orders_NP[:, p]` of the image, counted row by row. Where a side
    is no multiple of 4 the grid is centered and the margin of at most 3 pixels stays as it is.
    """
    n, height, width, _ = images_NHW3.shape
    h, w = height // GRID, width // GRID
    top, left = (height - GRID * h) // 2, (width - GRID * w) // 2
    inside = (slice(None), slice(top, top + GRID * h), slice(left, left + GRID * w))
    patches = images_NHW3[inside].reshape(n, GRID, h, GRID, w, 3).swapaxes(2, 3).reshape(n, GRID**2, h, w, 3)
    moved = np.take_along_axis(patches, orders_NP[:, :, None, None, None], axis=1)
    shuffled = images_NHW3.copy()
    shuffled[inside] = moved.reshape(n, GRID, GRID, h, w, 3).swapaxes(2, 3).reshape(n, GRID * h, GRID * w, 3)
    return shuffled


def fill_background(
    images_NHW3: UInt8Array, masks_NHW: UInt8Array, color_3: npt.NDArray[np.uint8]
) -> UInt8Array:
    """Every background pixel in one color; the foreground keeps its pixels."""
    return paste_foreground(images_NHW3, masks_NHW, np.broadcast_to(color_3, images_NHW3.shape))


def blur_background(images_NHW3: UInt8Array, masks_NHW: UInt8Array) -> UInt8Array:
    """The background blurred with a Gaussian of side / 8; the foreground keeps its pixels.

    Normalized convolution: only background pixels are averaged, so nothing of the foreground
    bleeds out. The object's rim, which masks stop short of, is not averaged either.

    Source: Knutsson and Westin 1993 (Normalized and differential convolution).
    """
    blurred = np.empty_like(images_NHW3)
    for i, (image_HW3, mask_HW) in enumerate(zip(images_NHW3, masks_NHW, strict=True)):
        is_foreground = mask_HW > FOREGROUND
        # Pixels of the rim weigh next to nothing, and decide only where there is no other background.
        weight_HW1 = np.where(widen(mask_HW) > 0, 1e-6 * ~is_foreground, 1.0).astype(np.float32)[..., None]
        weighted_HW4 = np.concatenate([image_HW3 * weight_HW1, weight_HW1], axis=2)
        sigma = BLUR_SHARE * mask_HW.shape[0]
        sums_HW4 = cv2.GaussianBlur(weighted_HW4, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
        mean_HW3 = sums_HW4[..., :3] / np.maximum(sums_HW4[..., 3:], np.float32(1e-30))
        blurred[i] = to_uint8(mean_HW3)
    return paste_foreground(images_NHW3, masks_NHW, blurred)


def _luma(images_NHW3: UInt8Array) -> Float32Array:
    luma: Float32Array = (images_NHW3 @ LUMA)[..., None]
    return luma
