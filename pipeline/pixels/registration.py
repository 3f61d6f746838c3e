"""How far red and blue lie from green: shift and magnification, in pixels.

Shape legend: n images, H height, W width, C channels (red, blue), P pixels.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.types import Float32Array, UInt8Array

CHANNELS = (0, 2)
FINE, COARSE = 0.7, 2.0  # spreads of the blurs between which detail lies
LEAST_DETAIL = 0.02  # of full range: flat parts say nothing
LEAST_GAIN = 0.2  # a channel with less of green's detail has no place
FARTHEST = 4.0  # pixels


def lie_apart(image_HW3: UInt8Array) -> Float32Array:
    """Shift to the right, shift down and magnification of red and of blue, C x 3, pixels.

    The magnification is the shift at the middle of the right or lower side. Least squares of each channel's
    detail on green's and on its gradients, every place in proportion to how much detail there is around it.

    Source: Lucas and Kanade 1981 (registration by gradients), with a zoom.
    """
    smooth = cv2.GaussianBlur(image_HW3.astype(np.float32) / 255, (0, 0), FINE)
    detail = smooth - cv2.GaussianBlur(smooth, (0, 0), COARSE)
    green = np.ascontiguousarray(detail[..., 1])
    right, down = (cv2.Sobel(green, cv2.CV_32F, x, 1 - x, ksize=1, scale=0.5) for x in (1, 0))
    across_HW, along_HW = offsets(green.shape)
    zoom = across_HW * right + along_HW * down
    told = np.stack([green, right, down, zoom], axis=-1)
    return np.stack([_fit(told, green, detail[..., channel]) for channel in CHANNELS])


def _fit(told_HW4: Float32Array, green_HW: Float32Array, own_HW: Float32Array) -> Float32Array:
    around = cv2.GaussianBlur(own_HW**2 + green_HW**2, (0, 0), COARSE)
    size_HW = np.sqrt(around) + LEAST_DETAIL
    rows_P4 = (told_HW4 / size_HW[..., None]).reshape(-1, 4)
    ridge = 1e-4 * len(rows_P4) * np.eye(4, dtype=np.float32)
    gain, *found = np.linalg.solve(rows_P4.T @ rows_P4 + ridge, rows_P4.T @ (own_HW / size_HW).ravel())
    return np.asarray(np.clip(np.array(found) / max(gain, LEAST_GAIN), -FARTHEST, FARTHEST), np.float32)


def move_channels(image_HW3: UInt8Array, by_C3: Float32Array) -> UInt8Array:
    """The image with red and blue moved as `lie_apart` measures it."""
    moved = image_HW3.copy()
    height, width = image_HW3.shape[:2]
    y_HW, x_HW = np.mgrid[:height, :width].astype(np.float32)
    across_HW, along_HW = offsets((height, width))
    for channel, (right, down, zoom) in zip(CHANNELS, by_C3.tolist(), strict=True):
        moved[..., channel] = cv2.remap(
            np.ascontiguousarray(image_HW3[..., channel]),
            x_HW + np.float32(right) + np.float32(zoom) * across_HW,
            y_HW + np.float32(down) + np.float32(zoom) * along_HW,
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return moved


def offsets(shape: tuple[int, ...]) -> tuple[Float32Array, Float32Array]:
    """Place of each pixel from the middle, -1 to 1, across and along."""
    height, width = shape
    y_HW, x_HW = np.mgrid[:height, :width].astype(np.float32)
    return (x_HW - (width - 1) / 2) / (width / 2), (y_HW - (height - 1) / 2) / (height / 2)
