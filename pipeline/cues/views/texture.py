"""Texture without place: which small patterns there are, wherever they are.

Shape legend: n images of a chunk, H height, W width.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.cue import Cue, Seen, Values
from pipeline.cues.exchanges.texture import exchange_texture
from pipeline.cues.views.grids import fill_rows, greys

NEIGHBORS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))  # around, in order
TOLERANCE = 2 / 255  # brighter by less is not brighter: noise would decide
ANGLES = 4
WAVELENGTHS = (3.0, 6.0)  # pixels


def read(seen: Seen) -> Values:
    """Shares of the 59 uniform local binary patterns, and means and peaks of 8 oriented filters, N x 75.

    Source: Ojala, Pietikainen and Maenpaa 2002 (local binary patterns).
    """
    return Values(fill_rows(seen.images, (59 + 4 * ANGLES,), _measure))


def _measure(chunk_nHW3: UInt8Array) -> Float32Array:
    grey_nHW = greys(chunk_nHW3)
    return np.concatenate([_patterns(grey_nHW), _oriented(grey_nHW)], axis=1)


def _patterns(grey_nHW: Float32Array) -> Float32Array:
    """Shares of uniform patterns; all others are one."""
    inner = grey_nHW[:, 1:-1, 1:-1]
    code_nHW = np.zeros(inner.shape, np.uint8)
    height, width = grey_nHW.shape[1:]
    for bit, (down, right) in enumerate(NEIGHBORS):
        around = grey_nHW[:, 1 + down : height - 1 + down, 1 + right : width - 1 + right]
        code_nHW |= (around > inner + TOLERANCE).astype(np.uint8) << bit
    bins_nP = _UNIFORM[code_nHW].reshape(len(code_nHW), -1) + 59 * np.arange(len(code_nHW))[:, None]
    counts = np.bincount(bins_nP.ravel(), minlength=59 * len(code_nHW)).reshape(-1, 59)
    return np.asarray(np.sqrt(counts / max(1, bins_nP.shape[1])), np.float32)


def _uniform_bins() -> np.typing.NDArray[np.int64]:
    """Bin of each of the 256 codes: those with at most two changes around have their own."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    n_changes = np.abs(bits - np.roll(bits, 1, axis=1)).sum(axis=1)
    bins = np.full(256, 58, np.int64)
    bins[n_changes <= 2] = np.arange(58)
    return bins


_UNIFORM = _uniform_bins()


def _oriented(grey_nHW: Float32Array) -> Float32Array:
    """Logarithms of the mean and of the peak that each Gabor filter answers with."""
    rows = []
    for grey_HW in grey_nHW:
        answers = [np.abs(cv2.filter2D(grey_HW, cv2.CV_32F, kernel)) for kernel in _KERNELS]
        rows.append([v for a in answers for v in (float(a.mean()), float(a.max()))])
    return np.asarray(np.log(np.array(rows).reshape(len(grey_nHW), 4 * ANGLES) + 1e-3), np.float32)


def _kernel(wavelength: float, angle: float) -> Float32Array:
    size = int(2 * round(wavelength) + 1)
    kernel = cv2.getGaborKernel((size, size), wavelength / 2, angle, wavelength, 1.0, 0.0)
    return np.asarray((kernel - kernel.mean()) / np.abs(kernel).sum(), np.float32)


_KERNELS = [_kernel(w, np.pi * a / ANGLES) for w in WAVELENGTHS for a in range(ANGLES)]

CUE = Cue(
    name="texture",
    title="texture",
    sees="which small patterns there are, not where",
    kind="pixels",
    breadth=8,
    read=read,
    may_be_content=True,
    exchange=exchange_texture,
)
