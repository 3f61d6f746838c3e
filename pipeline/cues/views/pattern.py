"""A small pattern that repeats or comes back: watermarks at any place, gratings, weaves.

Shape legend: n images of a chunk, H height, W width, L largest lag.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy import fft

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.texture import exchange_texture
from pipeline.cues.views.grids import fill_rows, greys

SIDE = 64  # pixels that larger images are averaged to
LAG = 8  # pixels
FINE, AROUND = 1.0, 2.0  # sigma in pixels: what counts as detail, and where its usual size is taken from
LEAST_SIZE, MOST = (
    4 / 255,
    1.5,
)  # of detail beside its usual size: an edge counts little more than a faint mark


def read(seen: Seen) -> Values:
    """Autocorrelation of fine detail, which place does not change, at each lag, N x L (2 L + 2)."""
    return Values(fill_rows(seen.images, (2 * LAG * (LAG + 1),), _lags))


def _lags(chunk_nHW3: UInt8Array) -> Float32Array:
    detail_nHW = np.stack([_detail(grey_HW) for grey_HW in greys(chunk_nHW3)])
    height, width = detail_nHW.shape[1:]
    power = np.abs(fft.rfft2(detail_nHW, axes=(1, 2))) ** 2
    lags_nHW = fft.irfft2(power, s=(height, width), axes=(1, 2))
    lags_nHW = lags_nHW / np.maximum(lags_nHW[:, :1, :1], 1e-9)
    around = np.arange(-LAG, LAG + 1)
    square = lags_nHW[:, around % height][:, :, around % width].reshape(len(chunk_nHW3), -1)
    return np.asarray(square[:, : square.shape[1] // 2], np.float32)  # the other half is the same


def _detail(grey_HW: Float32Array) -> Float32Array:
    """Fine detail beside how large it usually is there."""
    if max(grey_HW.shape) > SIDE:
        height, width = (min(side, SIDE) for side in grey_HW.shape)
        smaller = cv2.resize(grey_HW, (width, height), interpolation=cv2.INTER_AREA)
        grey_HW = np.asarray(smaller, np.float32)
    fine_HW = grey_HW - cv2.GaussianBlur(grey_HW, (0, 0), FINE)
    size_HW = np.sqrt(cv2.GaussianBlur(fine_HW * fine_HW, (0, 0), AROUND)) + LEAST_SIZE
    return np.asarray(np.clip(fine_HW / size_HW, -MOST, MOST), np.float32)


CUE = Cue(
    name="pattern",
    title="a small pattern that comes back",
    sees="at which distances fine detail repeats, wherever it is",
    kind="pixels",
    breadth=7,
    read=read,
    may_be_content=True,
    exchange=exchange_texture,
    trees=False,
)
