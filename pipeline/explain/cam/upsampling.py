"""Maps at image size.

Shape legend: h w cells of the map before upsampling.
"""

from __future__ import annotations

import functools

import numpy as np

from pipeline.core.types import Float32Array, Float64Array


@functools.cache
def upsampling_matrix(n_cells: int, n_pixels: int) -> Float64Array:
    """Bilinear weights, n_pixels x n_cells: along one axis, pixels = matrix @ cells.

    The same as `cv2.resize` with INTER_LINEAR when it enlarges, and as torch's "bilinear" without aligned
    corners; without torch, because the report draws maps and should not wait for it.
    """
    centers = (np.arange(n_pixels) + 0.5) * (n_cells / n_pixels) - 0.5
    columns = [np.interp(centers, np.arange(n_cells), impulse) for impulse in np.eye(n_cells)]
    return np.stack(columns, axis=1)


def upsample_map(map_hw: Float32Array, height: int, width: int) -> Float32Array:
    """A map at image size, bilinear."""
    rows, columns = upsampling_matrix(map_hw.shape[0], height), upsampling_matrix(map_hw.shape[1], width)
    upsampled: Float32Array = (rows @ map_hw @ columns.T).astype(np.float32)
    return upsampled
