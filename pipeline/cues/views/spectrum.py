"""How much detail of each size and direction there is, wherever it is.

Shape legend: N images, n images of a chunk, H height, W width, S side of the transform, B bands.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.bands import exchange_detail
from pipeline.cues.views.grids import fill_rows, greys

RADII = 6  # rings, equally wide on a logarithmic scale from 2 cycles an image to the finest detail
DIRECTIONS = 4


def read(seen: Seen) -> Values:
    """Logarithm of the power in every band, N x 24; brightness and contrast shift all bands alike."""
    return Values(fill_rows(seen.images, (RADII * DIRECTIONS,), _log_power))


def _log_power(chunk_nHW3: UInt8Array) -> Float32Array:
    grey_nHW = greys(chunk_nHW3)
    height, width = grey_nHW.shape[1:]
    window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    grey_nHW = (grey_nHW - grey_nHW.mean(axis=(1, 2), keepdims=True)) * window
    power = np.abs(fft.rfft2(grey_nHW, axes=(1, 2))) ** 2
    bands_PB = _bands(height, width)
    sums_nB = power.reshape(len(power), -1).astype(np.float32) @ bands_PB
    return np.asarray(np.log(sums_nB + 1e-4), np.float32)


def _bands(height: int, width: int) -> Float32Array:
    """Which frequency is in which band, P x B, columns that add up to one."""
    down, across = np.meshgrid(fft.fftfreq(height), fft.rfftfreq(width), indexing="ij")
    radius = np.hypot(down, across)
    least = 2 / min(height, width)
    ring = np.floor(RADII * np.log(np.maximum(radius, 1e-9) / least) / np.log(0.5 / least)).astype(int)
    direction = np.floor(np.arctan2(down, across) / np.pi * DIRECTIONS + 0.5).astype(int) % DIRECTIONS
    band = np.where(
        (radius >= least) & (radius > 0), np.clip(ring, 0, RADII - 1) * DIRECTIONS + direction, -1
    )
    bands_PB = (band.reshape(-1, 1) == np.arange(RADII * DIRECTIONS)).astype(np.float32)
    return np.asarray(bands_PB / np.maximum(bands_PB.sum(axis=0), 1), np.float32)


CUE = Cue(
    name="spectrum",
    title="detail by size and direction",
    sees="the power in 6 bands of frequency and 4 directions",
    kind="pixels",
    breadth=7,
    read=read,
    may_be_content=True,
    exchange=exchange_detail,
)
