"""Whether an exchange carries an attribute: does a simple classifier of it see the donor's value afterwards.

The classifier sees means and spreads of color in a few regions, and how much there is of fine and coarse
detail. It is fitted on training images weighted so that the label says nothing about the attribute, and it
never sees what the audited model predicts.

Shape legend: N images, F features, H height, W width, V attribute values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.core.types import BoolArray, Float64Array, Int64Array, Split, UInt8Array
from pipeline.pixels.levels import LUMA
from pipeline.pixels.maps import FOREGROUND
from pipeline.records.base import Estimate
from pipeline.statistics.cues.association import cell_weights

MAX_FITTED = 2000  # training images
N_BANDS = 6  # of frequencies
MIN_SEEN = 0.2  # least share of real images told apart beyond guessing, else nothing can be checked


class AttributeEye:
    """A classifier of attribute values on simple statistics of an image."""

    def __init__(
        self,
        train: Split,
        values_N: Int64Array,
        seed: int,
        *,
        with_masks: bool,
        background_only: bool = False,
    ) -> None:
        from sklearn.linear_model import LogisticRegression  # late: it takes two seconds to load
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        rows = np.sort(np.random.default_rng(seed).permutation(len(train))[:MAX_FITTED])
        masks = train.masks[rows] if with_masks and train.masks is not None else None
        self._with_masks = masks is not None
        self._background_only = background_only  # all that a swap of backgrounds can carry
        features = simple_statistics(np.asarray(train.images[rows]), masks, background_only)
        self._model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=300))
        weights_n = cell_weights(train.labels[rows], values_N[rows])
        self._model.fit(features, values_N[rows], logisticregression__sample_weight=weights_n)

    def see(self, images_NHW3: UInt8Array, masks_NHW: UInt8Array | None) -> Int64Array:
        """The value that each image seems to have, N."""
        seen: Int64Array = self._model.predict(
            simple_statistics(images_NHW3, masks_NHW if self._with_masks else None, self._background_only)
        )
        return seen


@dataclass(frozen=True)
class Sight:
    """What the classifier says of images, their donors, and the images after exchange and control; n each."""

    own_n: Int64Array
    donor_n: Int64Array
    exchanged_n: Int64Array
    control_n: Int64Array

    def carried(self, values_n: Int64Array, donor_values_n: Int64Array) -> Estimate | None:
        """How much of the way from own to donor's value the exchange goes; the worse of both directions.

        1: exchanged images are taken for the donor's value as often as real ones; 0: no more often than
        the control. None where real images are hardly told apart, so that nothing can be said.
        """
        worst: Estimate | None = None
        for up in (True, False):
            inside = (donor_values_n > values_n) == up
            found = self._share(inside, donor_values_n) if inside.any() else None
            if found is None:
                return None
            worst = found if worst is None or found.value < worst.value else worst
        return worst

    def _share(self, inside_n: BoolArray, donor_values_n: Int64Array) -> Estimate | None:
        def seen(by_n: Int64Array) -> Float64Array:
            is_donors: Float64Array = (by_n == donor_values_n)[inside_n].astype(np.float64)
            return is_donors

        real = float(np.mean(seen(self.donor_n) - seen(self.own_n)))
        if real < MIN_SEEN:
            return None
        gain_n = (seen(self.exchanged_n) - seen(self.control_n)) / real
        half = 1.96 * math.sqrt(float(gain_n.var()) / len(gain_n))
        value = float(gain_n.mean())
        return Estimate(value=value, low=value - half, high=value + half, n=len(gain_n))


def simple_statistics(
    images_NHW3: UInt8Array, masks_NHW: UInt8Array | None, background_only: bool = False
) -> Float64Array:
    """Lab by region, the color of colorful pixels, and log energy by frequency, N x F."""
    n, height, width, _ = images_NHW3.shape
    tall = np.ascontiguousarray(images_NHW3).reshape(n * height, width, 3).astype(np.float32) / 255
    lab_NP3 = cv2.cvtColor(tall, cv2.COLOR_RGB2LAB).reshape(n, -1, 3)
    regions = _regions(n, height, width, masks_NHW)
    if background_only and masks_NHW is not None:
        return _region_statistics(lab_NP3, regions[3]).astype(np.float64)
    parts = [_region_statistics(lab_NP3, inside_NP) for inside_NP in regions]
    parts.append(_detail(images_NHW3 @ LUMA))
    return np.concatenate(parts, axis=1).astype(np.float64)


def _regions(n: int, height: int, width: int, masks_NHW: UInt8Array | None) -> list[BoolArray]:
    edge = max(2, height // 8)
    border_HW = np.ones((height, width), bool)
    border_HW[edge:-edge, edge:-edge] = False
    regions = [np.broadcast_to(part.ravel(), (n, height * width)) for part in (border_HW, ~border_HW)]
    if masks_NHW is not None:
        is_object = (masks_NHW > FOREGROUND).astype(np.uint8)
        cross = np.ones((3, 3), np.uint8)
        outer = np.stack([cv2.dilate(m, cross) for m in is_object]) > 0
        inner = np.stack([cv2.erode(m, cross) for m in is_object]) > 0
        regions += [
            part.reshape(n, -1) for part in (inner, ~outer, is_object & ~inner > 0, outer & ~(is_object > 0))
        ]
    return regions


def _region_statistics(lab_NP3: npt.NDArray[Any], inside_NP: BoolArray) -> npt.NDArray[Any]:
    weight_NP1 = inside_NP[..., None].astype(np.float32)
    count_N1 = np.maximum(weight_NP1.sum(axis=1), 1)
    mean_N3 = (lab_NP3 * weight_NP1).sum(axis=1) / count_N1
    spread_N3 = np.sqrt((((lab_NP3 - mean_N3[:, None]) ** 2) * weight_NP1).sum(axis=1) / count_N1)
    chroma_NP1 = np.hypot(lab_NP3[..., 1], lab_NP3[..., 2])[..., None] * weight_NP1
    vivid_N2 = (lab_NP3[..., 1:] * chroma_NP1).sum(axis=1) / (chroma_NP1.sum(axis=1) + count_N1)
    return np.concatenate([mean_N3, spread_N3, vivid_N2], axis=1)


def _detail(luma_NHW: npt.NDArray[Any]) -> Float64Array:
    """Log energy in bands of frequency, and along either axis, N x (bands + 2)."""
    height, width = luma_NHW.shape[1:]
    power_NHW = np.abs(np.fft.rfft2(luma_NHW)) ** 2
    radius_HW = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    band_HW = np.minimum((radius_HW / 0.5 * N_BANDS).astype(int), N_BANDS - 1)
    inside = [(band_HW == band) & (radius_HW > 0) for band in range(N_BANDS)]
    energies = [power_NHW[:, part].mean(axis=1) for part in inside if part.any()]
    energies += [np.mean(np.diff(luma_NHW, axis=axis) ** 2, axis=(1, 2)) for axis in (1, 2)]
    detail: Float64Array = np.log(np.stack(energies, axis=1) + 1)
    return detail
