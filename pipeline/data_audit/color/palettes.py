"""Dominant colors of each class, for people to look at.

Shape legend: N images, P sampled pixels, C colors.
"""

from __future__ import annotations

import cv2
import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipeline.core.types import Float32Array, Int64Array, PackedSplit, UInt8Array
from pipeline.records.color import Palette

N_COLORS = 6
IMAGES_PER_CLASS = 64
PIXELS_PER_CLASS = 3000


def class_palettes(split: PackedSplit, class_names: list[str], seed: int) -> list[Palette]:
    """Up to 6 dominant colors per class with their shares, by k-means in CIELAB over sampled pixels.

    Clustering happens in CIELAB because distances there follow what people see as different. Classes
    without images get an empty palette.
    """
    rng = np.random.default_rng(seed)
    rows_by_class = np.split(
        np.argsort(split.labels, kind="stable"),
        np.cumsum(np.bincount(split.labels, minlength=len(class_names)))[:-1],
    )
    with threadpool_limits(limits=1):  # thousands of points: threads cost more than they bring
        return [
            _palette(split.images, rows, name, rng)
            for rows, name in zip(rows_by_class, class_names, strict=True)
        ]


def _palette(images: UInt8Array, rows: Int64Array, name: str, rng: np.random.Generator) -> Palette:
    if not len(rows):
        return Palette(class_name=name, colors=[], shares=[])
    lab_P3 = _sample_lab(images, rows, rng)
    n_colors = min(N_COLORS, len(np.unique(np.round(lab_P3, 1), axis=0)))
    seed = int(rng.integers(2**31))
    clusters = KMeans(n_colors, n_init=1, max_iter=30, tol=1e-3, random_state=seed).fit(lab_P3)
    shares_C = np.bincount(clusters.labels_, minlength=n_colors) / len(lab_P3)
    order = np.argsort(-shares_C, kind="stable")
    return Palette(
        class_name=name,
        colors=_hex_codes(clusters.cluster_centers_[order]),
        shares=[round(float(share), 4) for share in shares_C[order]],
    )


def _sample_lab(images: UInt8Array, rows: Int64Array, rng: np.random.Generator) -> Float32Array:
    """CIELAB of about `PIXELS_PER_CLASS` random pixels of at most `IMAGES_PER_CLASS` images, P x 3."""
    chosen = np.sort(rng.choice(rows, min(IMAGES_PER_CLASS, len(rows)), replace=False))
    pixels = np.asarray(images[chosen]).reshape(-1, 3)
    picked = rng.integers(len(pixels), size=PIXELS_PER_CLASS)
    rgb = pixels[picked][None].astype(np.float32) / 255
    lab: Float32Array = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab), np.float32)[0]
    return lab


def _hex_codes(lab_C3: Float32Array) -> list[str]:
    rgb = cv2.cvtColor(lab_C3[None].astype(np.float32), cv2.COLOR_Lab2RGB)[0]
    return ["#{:02x}{:02x}{:02x}".format(*row) for row in np.clip(np.rint(rgb * 255), 0, 255).astype(int)]
