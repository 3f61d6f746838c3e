"""Folders as people have them, where nothing tells the label: every cue that is named is a false alarm.

Each image comes from one of six origins, which differ in everything that the planted cues are about: size,
proportions, format, quality, camera, names, time, colors, sharpness, noise, borders. Origins are as uneven
as real ones, and rows of one origin follow one another in the table. Labels know nothing of it.

Shape legend: N images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmarks.cue_discovery.chance import draw_labels, draw_splits, draw_stems
from benchmarks.cue_discovery.file_cues import CAMERAS
from benchmarks.cue_discovery.planted import write_table
from benchmarks.cue_discovery.recipe import WRITTEN, Format, Picture, fit, write_picture
from pipeline.core.types import UInt8Array

LABELS: dict[str, tuple[float, ...]] = {
    "50/50": (0.5, 0.5),
    "80/20": (0.8, 0.2),
    "95/5": (0.95, 0.05),
    "ten classes": (0.1,) * 10,
}
ORIGIN_SHARES = (0.35, 0.25, 0.15, 0.12, 0.08, 0.05)
FORMATS: tuple[Format, ...] = ("jpeg", "jpeg", "jpeg", "png", "webp", "bmp")
N_CAMERAS = 2  # origins that tell their camera: the first, which write JPEG
TOKENS = ("img", "DSC", "scan", "crop", "export", "site")
DAY = 86_400  # seconds


@dataclass(frozen=True)
class Origin:
    """A camera, scanner or web site with habits of its own."""

    format: Format
    side: int
    aspect: float
    qualities: tuple[int, ...]
    camera: tuple[str, str] | None
    token: str
    cast: tuple[float, float, float]  # levels added to red, green, blue
    softness: float  # sigma of a blur, pixels
    noise: float  # sigma, levels
    rim: int  # pixels of a black border
    written: int


def write_null(images: Sequence[UInt8Array], labels: str, seed: int, folder: Path) -> pd.DataFrame:
    """Write heterogeneous files whose labels, in the shares of `LABELS[labels]`, are drawn by themselves.

    Returns:
        The table, with the `origin` of each image beside the columns that are written.
    """
    n, rng = len(images), np.random.default_rng([seed, 21])
    origins = [draw_origin(number, rng) for number in range(len(ORIGIN_SHARES))]
    origins_N = rng.choice(len(origins), n, p=ORIGIN_SHARES)
    names = []
    for image, origin, stem in zip(images, origins_N, draw_stems(n, seed), strict=True):
        picture = take_picture(image, origins[origin], stem, rng)
        write_picture(picture, folder)
        names.append(picture.name)
    labels_N = draw_labels(n, LABELS[labels], seed)
    table = pd.DataFrame(
        {
            "file": names,
            "label": [f"class {label}" for label in labels_N],
            "split": draw_splits(n, seed),
            "origin": origins_N,
        }
    )
    return write_table(table.sort_values("origin", kind="stable").reset_index(drop=True), folder)


def draw_origin(number: int, rng: np.random.Generator) -> Origin:
    """One with habits drawn at random; the first are the commonest."""
    best = int(rng.integers(70, 96))
    red, green, blue = rng.normal(0, 10, 3) + rng.normal(0, 12)
    return Origin(
        format=FORMATS[number],
        side=int(rng.integers(48, 161)),
        aspect=float(rng.choice([1, 1, 4 / 3, 3 / 2, 16 / 9, 3 / 4])),
        qualities=(best, best, best - 10),
        camera=CAMERAS[rng.integers(len(CAMERAS))] if number < N_CAMERAS else None,
        token=TOKENS[number],
        cast=(red, green, blue),
        softness=float(rng.choice([0, 0, 0.6, 1.0])),
        noise=float(rng.choice([0, 0, 4, 8])),
        rim=int(rng.choice([0, 0, 0, 2])),
        written=WRITTEN - DAY * int(rng.integers(1, 1000)),
    )


def take_picture(image: UInt8Array, origin: Origin, stem: str, rng: np.random.Generator) -> Picture:
    """The image as this origin would have left it, no two quite alike."""
    side = int(origin.side * rng.uniform(0.8, 1.2))
    width = max(16, round(side * origin.aspect))
    picture = Picture(_develop(fit(image, width, side), origin, rng), f"{origin.token}_{stem}")
    return replace(
        picture,
        format=origin.format,
        quality=int(rng.choice(origin.qualities)),
        camera=origin.camera if rng.random() < 0.9 else None,
        written=origin.written + int(rng.integers(DAY)),
    )


def _develop(pixels: UInt8Array, origin: Origin, rng: np.random.Generator) -> UInt8Array:
    levels = pixels.astype(np.float32)
    if origin.softness:
        levels = np.asarray(cv2.GaussianBlur(levels, (0, 0), origin.softness), np.float32)
    levels = levels + np.array(origin.cast) + rng.normal(0, 6) + rng.normal(0, origin.noise, levels.shape)
    if rng.random() < 0.05:  # some are gray
        levels = np.repeat(levels.mean(axis=2, keepdims=True), 3, axis=2)
    developed = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    if origin.rim:
        rim = origin.rim
        developed = cv2.copyMakeBorder(developed[rim:-rim, rim:-rim], rim, rim, rim, rim, cv2.BORDER_CONSTANT)
    return developed
