"""Detail exchanged band by band: the donor's strength of every size and direction, with own phases.

Shape legend: N images, H height, W width, B bands, F = H x (W / 2 + 1) frequencies.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from pipeline.core.types import Float32Array, Int64Array, UInt8Array
from pipeline.cues.exchanges.pair import Pair, add
from pipeline.pixels.levels import LUMA

RINGS = 8  # equally wide on a logarithmic scale, from 2 cycles an image to the finest detail
DIRECTIONS = 4
STEPS = 3
MOST_GAIN = 12.0  # of an amplitude: what is hardly there cannot be made strong
TINY = 0.05  # levels^2 of a band's mean power: less is rounding


def exchange_detail(pair: Pair) -> UInt8Array:
    """The donor's power of every size and direction in lightness; colors keep their differences to it."""
    height, width = pair.images_NHW3.shape[1:3]
    bands_F, n_bands = _bands(height, width)
    donor_NB = _power(pair.donors_NHW3 @ LUMA, bands_F, n_bands)
    luma_NHW = changed_NHW = pair.images_NHW3 @ LUMA
    for _ in range(STEPS):  # bands leak into their neighbors, and levels are cut at black and white
        changed_NHW = _scaled(changed_NHW, donor_NB, bands_F)
    return add(pair.images_NHW3, (changed_NHW - luma_NHW)[..., None])


def _scaled(luma_NHW: Float32Array, donor_NB: Float32Array, bands_F: Int64Array) -> Float32Array:
    """Amplitudes times the root of the two images' powers in each band, N x H x W."""
    n_bands = donor_NB.shape[1]
    power_NB = _power(luma_NHW, bands_F, n_bands)
    gain_NB = np.clip(np.sqrt(donor_NB / power_NB), 1 / MOST_GAIN, MOST_GAIN)
    one_N1 = np.ones((len(gain_NB), 1), np.float32)
    gain_NF = np.concatenate([gain_NB, one_N1], axis=1)[:, bands_F]  # the last stays as it is
    spectrum_NHF = fft.rfft2(luma_NHW, axes=(1, 2))
    scaled_NHF = spectrum_NHF * gain_NF.reshape(spectrum_NHF.shape)
    found: Float32Array = fft.irfft2(scaled_NHF, s=luma_NHW.shape[1:], axes=(1, 2)).astype(np.float32)
    return np.clip(found, 0, 255)


def _power(luma_NHW: Float32Array, bands_F: Int64Array, n_bands: int) -> Float32Array:
    """Mean power of each band, N x B, in levels^2; a window keeps the frame's edges out."""
    height, width = luma_NHW.shape[1:]
    window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    centered = (luma_NHW - luma_NHW.mean(axis=(1, 2), keepdims=True)) * window
    power_NF = (np.abs(fft.rfft2(centered, axes=(1, 2))) ** 2).reshape(len(luma_NHW), -1)
    member_FB = (bands_F[:, None] == np.arange(n_bands)).astype(np.float32)
    scale = float((window**2).sum()) * np.maximum(member_FB.sum(axis=0), 1)
    found: Float32Array = (power_NF.astype(np.float32) @ member_FB / scale + TINY).astype(np.float32)
    return found


def _bands(height: int, width: int) -> tuple[Int64Array, int]:
    """Band of each frequency, F, and how many there are; one more stands for what is coarser than all."""
    down, across = np.meshgrid(fft.fftfreq(height), fft.rfftfreq(width), indexing="ij")
    radius, least = np.hypot(down, across), 2 / min(height, width)
    place = RINGS * np.log(np.maximum(radius, 1e-9) / least) / np.log(0.5 / least)
    ring = np.clip(np.floor(place), 0, RINGS - 1).astype(np.int64)
    angle = np.floor(np.arctan2(down, across) / np.pi * DIRECTIONS + 0.5).astype(np.int64) % DIRECTIONS
    n_bands = RINGS * DIRECTIONS
    return np.where(radius >= least, ring * DIRECTIONS + angle, n_bands).ravel(), n_bands
