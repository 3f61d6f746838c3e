"""Pictures of maps: the image with its map laid over it.

Shape legend: H height, W width, h w cells of the map before upsampling.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.explain.cam.upsampling import upsample_map
from pipeline.pixels.maps import FOREGROUND
from pipeline.pixels.resize import resize_image

MAX_OPACITY = 0.65  # of the color where the map is highest: the image stays recognizable


def draw_overlay(
    image_HW3: UInt8Array, map_hw: Float32Array, mask_HW: UInt8Array | None, size: int
) -> UInt8Array:
    """The image at `size` x `size` px, colored where the map is high, the mask's outline in white.

    Each map is scaled by its own maximum, for looking only; color and opacity both grow with the
    map, so that what the map ignores stays as it was. A blank map leaves the plain image.
    """
    canvas = resize_image(image_HW3, size)
    peak = float(map_hw.max())
    if peak > 0:
        strength = upsample_map(map_hw / peak, size, size)
        bgr = cv2.applyColorMap((strength * 255).round().astype(np.uint8), cv2.COLORMAP_INFERNO)
        colors = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        opacity = MAX_OPACITY * strength[:, :, None]
        canvas = ((1 - opacity) * canvas + opacity * colors).round().astype(np.uint8)
    if mask_HW is not None:
        _draw_outline(canvas, mask_HW)
    return canvas


def _draw_outline(canvas_HW3: UInt8Array, mask_HW: UInt8Array) -> None:
    size = canvas_HW3.shape[0]
    binary = (mask_HW > FOREGROUND).astype(np.uint8)
    enlarged = cv2.resize(binary, (size, size), interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(enlarged, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    # White inside black shows on any image.
    cv2.drawContours(canvas_HW3, contours, -1, (0, 0, 0), thickness=3)
    cv2.drawContours(canvas_HW3, contours, -1, (255, 255, 255), thickness=1)
