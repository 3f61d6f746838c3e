"""Texture exchanged: how strong each frequency is.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import UInt8Array
from pipeline.cues.exchanges.color import exchange_color
from pipeline.cues.exchanges.pair import Pair, add
from pipeline.pixels.levels import LUMA


def exchange_texture(pair: Pair) -> UInt8Array:
    """The donor's amplitude spectrum of lightness with the image's own phase and mean: texture, not shape.

    Source: Yang and Soatto 2020 (FDA); Chen et al. 2021 (Amplitude-phase recombination).
    """
    luma_NHW, donor_NHW = pair.images_NHW3 @ LUMA, pair.donors_NHW3 @ LUMA
    spectrum_NHW, donor_spectrum_NHW = np.fft.rfft2(luma_NHW), np.fft.rfft2(donor_NHW)
    amplitude_NHW = np.abs(donor_spectrum_NHW)
    amplitude_NHW[:, 0, 0] = np.abs(spectrum_NHW[:, 0, 0])
    mixed_NHW = np.fft.irfft2(amplitude_NHW * np.exp(1j * np.angle(spectrum_NHW)), s=luma_NHW.shape[1:])
    return add(pair.images_NHW3, (mixed_NHW - luma_NHW)[..., None])


def exchange_look(pair: Pair) -> UInt8Array:
    """Texture, then color and lightness: everything of these that single images tell."""
    return exchange_color(pair._replace(images_NHW3=exchange_texture(pair)))
