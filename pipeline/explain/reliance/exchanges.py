"""One property of an image exchanged for another image's: each edit takes pairs and gives images.

Every exchange *adds the difference* of two images' statistics and leaves the image's own deviations from
its statistics alone, so that an exchange between images that agree in the property does nothing. Edits
never look at labels, attributes or predictions.

Shape legend: N images, H height, W width, P pixels, Q levels, C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.core.types import Float32Array, Int64Array, UInt8Array
from pipeline.explain.reliance.edits import LUMA, to_uint8
from pipeline.pixels.maps import FOREGROUND

N_LEVELS = 12  # of an image's lightness, from its darkest to its lightest
FRAME_SHARE = 1 / 8  # of the side: how deep a frame may be
RIM_SHARE = 1 / 32  # of the side: how far a rim may reach on either side of an object's edge


class Pair(NamedTuple):
    """Images and those whose property they get, row by row. Masks are None where the dataset has none."""

    images_NHW3: UInt8Array
    donors_NHW3: UInt8Array
    masks_NHW: UInt8Array | None
    donor_masks_NHW: UInt8Array | None


@dataclass(frozen=True)
class Exchange:
    """One property that can be exchanged between any two images."""

    words: str  # what is exchanged
    edit: Callable[[Pair], UInt8Array]
    needs_masks: bool = False


def exchange_color(pair: Pair) -> UInt8Array:
    """The donor's mean color, lightness included, at each level from an image's darkest to its lightest.

    Ink gets the color of ink and paper that of paper; brightness and contrast go along.

    Source: Welsh, Ashikhmin and Mueller 2002 (Transferring color to greyscale images), with means of
    levels in place of single pixels.
    """
    return _add(pair.images_NHW3, _level_shift(pair))


def exchange_texture(pair: Pair) -> UInt8Array:
    """The donor's amplitude spectrum of lightness with the image's own phase and mean: texture, not shape.

    Source: Yang and Soatto 2020 (FDA); Chen et al. 2021 (Amplitude-phase recombination).
    """
    luma_NHW, donor_NHW = pair.images_NHW3 @ LUMA, pair.donors_NHW3 @ LUMA
    spectrum_NHW, donor_spectrum_NHW = np.fft.rfft2(luma_NHW), np.fft.rfft2(donor_NHW)
    amplitude_NHW = np.abs(donor_spectrum_NHW)
    amplitude_NHW[:, 0, 0] = np.abs(spectrum_NHW[:, 0, 0])
    mixed_NHW = np.fft.irfft2(amplitude_NHW * np.exp(1j * np.angle(spectrum_NHW)), s=luma_NHW.shape[1:])
    return _add(pair.images_NHW3, (mixed_NHW - luma_NHW)[..., None])


def exchange_look(pair: Pair) -> UInt8Array:
    """Texture, then color and lightness: everything of these that single images tell."""
    return exchange_color(pair._replace(images_NHW3=exchange_texture(pair)))


def exchange_frame(pair: Pair) -> UInt8Array:
    """The donor's mean color at each distance from the image's border, near the border."""
    height, width = pair.images_NHW3.shape[1:3]
    y_H1, x_W = np.arange(height)[:, None], np.arange(width)
    distance_HW = np.minimum(np.minimum(y_H1, height - 1 - y_H1), np.minimum(x_W, width - 1 - x_W))
    depth = max(2, round(FRAME_SHARE * min(height, width)))
    rings_NHW = np.broadcast_to(np.minimum(distance_HW, depth), pair.images_NHW3.shape[:3])
    return _shift_by_cells(pair, rings_NHW, rings_NHW, depth)


def exchange_rim(pair: Pair) -> UInt8Array:
    """The donor's mean color at each distance from the object's edge, near the edge."""
    assert pair.masks_NHW is not None
    assert pair.donor_masks_NHW is not None
    reach = max(2, round(RIM_SHARE * pair.masks_NHW.shape[1]))
    cells, donor_cells = (_rim_cells(m, reach) for m in (pair.masks_NHW, pair.donor_masks_NHW))
    return _shift_by_cells(pair, cells, donor_cells, 2 * reach)


# The least change first: of exchanges that carry an attribute about equally well the first is taken.
EXCHANGES: dict[str, Exchange] = {
    "color_exchange": Exchange("color, brightness and contrast", exchange_color),
    "frame_exchange": Exchange("the color along the image's border", exchange_frame),
    "rim_exchange": Exchange("the color along the object's edge", exchange_rim, needs_masks=True),
    "texture_exchange": Exchange("the texture (amplitudes of all frequencies)", exchange_texture),
    "look_exchange": Exchange("texture, color, brightness and contrast", exchange_look),
}


def _level_shift(pair: Pair) -> Float32Array:
    """Donor's minus own mean color at each pixel's level of lightness, N x P x 3."""
    own_NP3, donor_NP3 = (_pixels(images) for images in (pair.images_NHW3, pair.donors_NHW3))
    own_NP, donor_NP = _levels(own_NP3), _levels(donor_NP3)
    shift_NQ3 = _level_means(donor_NP3, donor_NP) - _level_means(own_NP3, own_NP)
    place_NP = np.clip(own_NP * N_LEVELS - 0.5, 0, N_LEVELS - 1)
    below_NP = np.minimum(place_NP.astype(np.int64), N_LEVELS - 2)
    weight_NP1 = (place_NP - below_NP)[..., None].astype(np.float32)
    rows_N1 = np.arange(len(own_NP))[:, None]
    lower, upper = shift_NQ3[rows_N1, below_NP], shift_NQ3[rows_N1, below_NP + 1]
    shift: Float32Array = (1 - weight_NP1) * lower + weight_NP1 * upper
    return shift


def _levels(pixels_NP3: Float32Array) -> Float32Array:
    """Lightness of each pixel between its image's 2nd (0) and 98th (1) percentile, N x P."""
    luma_NP = pixels_NP3 @ LUMA
    low_N1, high_N1 = np.percentile(luma_NP, [2, 98], axis=1)[..., None]
    levels: Float32Array = np.clip((luma_NP - low_N1) / np.maximum(high_N1 - low_N1, 8), 0, 1)
    return levels


def _level_means(pixels_NP3: Float32Array, levels_NP: Float32Array) -> Float32Array:
    """Mean color at each level, smoothed over its neighbors, N x Q x 3; empty levels take the nearest."""
    n = len(pixels_NP3)
    level_NP = np.minimum((levels_NP * N_LEVELS).astype(np.int64), N_LEVELS - 1)
    sums_NQ4 = _cell_sums(pixels_NP3, level_NP, N_LEVELS)
    apart_QQ = np.abs(np.subtract.outer(np.arange(N_LEVELS), np.arange(N_LEVELS)))
    kernel_QQ = np.exp(-2.0 * apart_QQ**2) + 1e-9 * np.exp(-1.0 * apart_QQ)
    smooth_NQ4 = np.einsum("qr,nrc->nqc", kernel_QQ, sums_NQ4.reshape(n, N_LEVELS, 4))
    means: Float32Array = (smooth_NQ4[..., :3] / smooth_NQ4[..., 3:]).astype(np.float32)
    return means


def _shift_by_cells(pair: Pair, own_NHW: Int64Array, donor_NHW: Int64Array, n_cells: int) -> UInt8Array:
    """Add donor's minus own mean color of each cell 0 .. n_cells - 1; the last index stays as it is."""
    n = len(pair.images_NHW3)
    means = []
    for images, cells in ((pair.donors_NHW3, donor_NHW), (pair.images_NHW3, own_NHW)):
        sums_NQ4 = _cell_sums(_pixels(images), cells.reshape(n, -1), n_cells + 1)
        counts_NQ1 = sums_NQ4[..., 3:]
        means.append(np.where(counts_NQ1 > 0, sums_NQ4[..., :3] / np.maximum(counts_NQ1, 1), np.nan))
    shift_NQ3 = np.nan_to_num(means[0] - means[1])  # 0 where either has no such pixels
    shift_NQ3[:, n_cells] = 0
    return _add(pair.images_NHW3, shift_NQ3[np.arange(n)[:, None], own_NHW.reshape(n, -1)])


def _rim_cells(masks_NHW: UInt8Array, reach: int) -> Int64Array:
    """Signed distance from the object's edge as an index; 2 x reach where it is farther than `reach`."""
    cells_NHW = np.full(masks_NHW.shape, 2 * reach, np.int64)
    for cells_HW, mask_HW in zip(cells_NHW, masks_NHW, strict=True):
        is_object = (mask_HW > FOREGROUND).astype(np.uint8)
        for side, offset in ((is_object, 0), (1 - is_object, reach)):
            steps_HW = np.ceil(np.minimum(cv2.distanceTransform(side, cv2.DIST_L2, 3), 2 * reach) - 1e-3)
            near = (steps_HW >= 1) & (steps_HW <= reach)
            cells_HW[near] = offset + steps_HW[near].astype(np.int64) - 1
    return cells_NHW


def _cell_sums(pixels_NP3: Float32Array, cells_NP: Int64Array, n_cells: int) -> Float32Array:
    """Sums of the channels and counts in each cell, N x cells x 4."""
    n = len(pixels_NP3)
    flat = (cells_NP + n_cells * np.arange(n)[:, None]).ravel()
    columns = [np.bincount(flat, pixels_NP3[..., c].ravel(), n * n_cells) for c in range(3)]
    columns.append(np.bincount(flat, minlength=n * n_cells).astype(np.float64))
    sums: Float32Array = np.stack(columns, axis=1).reshape(n, n_cells, 4).astype(np.float32)
    return sums


def _pixels(images_NHW3: UInt8Array) -> Float32Array:
    return images_NHW3.reshape(len(images_NHW3), -1, 3).astype(np.float32)


def _add(images_NHW3: UInt8Array, shift: npt.NDArray[Any]) -> UInt8Array:
    """`shift`: N x P x 3, or broadcast over the channels."""
    per_image = images_NHW3.shape[:3] + shift.shape[-1:]
    return to_uint8(images_NHW3 + shift.reshape(per_image))
