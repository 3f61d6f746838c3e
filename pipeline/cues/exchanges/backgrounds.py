"""Backgrounds exchanged: the object pasted on another image's, from which its own object is painted away.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from pipeline.core.types import UInt8Array
from pipeline.cues.exchanges.pair import Pair
from pipeline.pixels.maps import FOREGROUND

INPAINT_RADIUS = 3.0  # pixels


def exchange_background(pair: Pair) -> UInt8Array:
    """The object on the donor's background."""
    assert pair.masks_NHW is not None
    assert pair.donor_masks_NHW is not None
    backgrounds = remove_foreground(pair.donors_NHW3, pair.donor_masks_NHW)
    return paste_foreground(pair.images_NHW3, pair.masks_NHW, backgrounds)


def remove_foreground(images_NHW3: UInt8Array, masks_NHW: UInt8Array) -> UInt8Array:
    """Every foreground painted over from the background around it, in OpenCV's number of threads."""
    with ThreadPoolExecutor(max(1, cv2.getNumThreads())) as pool:
        parts = list(pool.map(fill_foreground, images_NHW3, masks_NHW))
    return np.stack(parts) if parts else images_NHW3


def fill_foreground(image_HW3: UInt8Array, mask_HW: UInt8Array) -> UInt8Array:
    """The image with its foreground painted over from the background around it.

    The mask is widened first: resized masks stop short of the object's rim.

    Source: Telea 2004 (An image inpainting technique based on the fast marching method).
    """
    filled = cv2.inpaint(np.ascontiguousarray(image_HW3), widen(mask_HW), INPAINT_RADIUS, cv2.INPAINT_TELEA)
    return np.asarray(filled, np.uint8)


def paste_foreground(
    images_NHW3: UInt8Array, masks_NHW: UInt8Array, backgrounds_NHW3: UInt8Array
) -> UInt8Array:
    """The foregrounds of `images` on `backgrounds`. A hard edge: foreground pixels keep their value."""
    pasted: UInt8Array = np.where(masks_NHW[..., None] > FOREGROUND, images_NHW3, backgrounds_NHW3)
    return pasted


def widen(mask_HW: UInt8Array) -> UInt8Array:
    """1 on the foreground and a rim of 1 pixel per 64 around it, else 0."""
    rim = 2 * max(1, mask_HW.shape[0] // 64) + 1
    widened = cv2.dilate((mask_HW > FOREGROUND).astype(np.uint8), np.ones((rim, rim), np.uint8))
    return np.asarray(widened, np.uint8)
