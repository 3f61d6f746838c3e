"""Images at another size."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.types import UInt8Array


def resize_image(image_HW3: UInt8Array, size: int) -> UInt8Array:
    """The image at `size` x `size` px: cubic when it grows, area averages when it shrinks."""
    method = cv2.INTER_CUBIC if size >= image_HW3.shape[0] else cv2.INTER_AREA
    resized = cv2.resize(np.ascontiguousarray(image_HW3), (size, size), interpolation=method)
    return np.asarray(resized, np.uint8)
