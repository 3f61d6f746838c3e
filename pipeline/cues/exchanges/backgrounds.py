"""Backgrounds exchanged: the object pasted on another image's, from which its own object is painted away.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.exchanges.pair import Pair
from pipeline.pixels.levels import to_uint8
from pipeline.pixels.maps import FOREGROUND, opacity_of

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
    """The foregrounds of `images` on `backgrounds`. A hard edge: opaque pixels keep their value.

    Where the masks say that an object is see-through, what was behind it is taken out as far as it can be
    told from the background around it, and what is behind it now is put in.
    """
    pasted: UInt8Array = np.where(masks_NHW[..., None] > FOREGROUND, images_NHW3, backgrounds_NHW3)
    through_NHW = (masks_NHW != 0) & (masks_NHW != 255)
    rows = np.flatnonzero(through_NHW.any(axis=(1, 2)))
    if not len(rows):
        return pasted
    behind_nHW3 = remove_foreground(images_NHW3[rows], masks_NHW[rows])
    seen_nHW1 = 1 - opacity_of(masks_NHW[rows])[..., None]  # of what is behind
    change_nHW3: Float32Array = backgrounds_NHW3[rows].astype(np.float32) - behind_nHW3
    drawn_nHW3 = to_uint8(seen_nHW1 * change_nHW3 + images_NHW3[rows])
    pasted[rows] = np.where(through_NHW[rows][..., None], drawn_nHW3, pasted[rows])
    return pasted


def widen(mask_HW: UInt8Array) -> UInt8Array:
    """1 on the foreground and a rim of 1 pixel per 64 around it, else 0."""
    rim = 2 * max(1, mask_HW.shape[0] // 64) + 1
    widened = cv2.dilate((mask_HW > FOREGROUND).astype(np.uint8), np.ones((rim, rim), np.uint8))
    return np.asarray(widened, np.uint8)
