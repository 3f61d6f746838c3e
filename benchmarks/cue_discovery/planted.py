"""Data sets of real files in which one cue, and nothing else, tells the label.

`KINDS` lists the cues. What each changes is in its own docstring, in `file_cues` and `pixel_cues`; all that
it does not change is the same for every file (`recipe`) or decided by chance without regard to the label
(`chance`).

Shape legend: N images, K classes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.cue_discovery import file_cues, pixel_cues
from benchmarks.cue_discovery.chance import draw_splits, draw_stems, draw_values
from benchmarks.cue_discovery.pixel_cues import change_pixels
from benchmarks.cue_discovery.recipe import WRITTEN, Picture, fit, write_picture
from pipeline.core.types import Int64Array, UInt8Array

STRENGTHS = (0.1, 0.3, 0.6, 0.9)
TABLE = "table.csv"
COLUMNS = ["file", "label", "split"]


@dataclass(frozen=True)
class Kind:
    """A cue that can be planted."""

    plant: Callable[[Picture, int, np.random.Generator], Picture]
    n_values: int = 2
    is_list: bool = False  # of values of which none is nearer to another: any of them may be drawn

    def draw_variants(self, n: int, seed: int) -> Int64Array:
        """Which values stand for the n classes, in which order: no direction is always the same.

        Raises:
            ValueError: there are more classes than values.
        """
        if n > self.n_values:
            raise ValueError(f"{n} classes, but this cue has {self.n_values} values.")
        pool = self.n_values if self.is_list else n
        return np.random.default_rng([seed, 5]).permutation(pool)[:n].astype(np.int64)


KINDS: dict[str, Kind] = {
    "size": Kind(file_cues.plant_size, 10),
    "aspect": Kind(file_cues.plant_aspect),
    "quality": Kind(file_cues.plant_quality, len(file_cues.QUALITIES)),
    "format": Kind(file_cues.plant_format, len(file_cues.FORMATS), is_list=True),
    "camera": Kind(file_cues.plant_camera, len(file_cues.CAMERAS), is_list=True),
    "token": Kind(file_cues.plant_token, len(file_cues.TOKENS), is_list=True),
    "order": Kind(file_cues.plant_order, 10),
    "corner": Kind(change_pixels(pixel_cues.patch_corner), 4, is_list=True),
    "watermark": Kind(change_pixels(pixel_cues.watermark)),
    "border": Kind(change_pixels(pixel_cues.darken_border)),
    "blur": Kind(change_pixels(pixel_cues.blur)),
    "noise": Kind(change_pixels(pixel_cues.add_noise)),
    "hue": Kind(change_pixels(pixel_cues.turn_hue), 10),
    "texture": Kind(change_pixels(pixel_cues.add_grating), len(pixel_cues.WAVES), is_list=True),
}


def plant(
    images: Sequence[UInt8Array], labels_N: Int64Array, kind: str, strength: float, seed: int, folder: Path
) -> pd.DataFrame:
    """Write a file for each image, and `table.csv`, into `folder`.

    Args:
        labels_N: 0..K-1, equally frequent, and independent of the images.
        strength: Cohen's kappa of the cue and the label.

    Returns:
        The table, with the cue's `value` and the row of `images` beside the columns that are written.
    """
    chosen, n = KINDS[kind], len(images)
    values_N = chosen.draw_variants(int(labels_N.max()) + 1, seed)[draw_values(labels_N, strength, seed)]
    rng, names = np.random.default_rng([seed, 6]), []
    for image, value, stem in zip(images, values_N, draw_stems(n, seed), strict=True):
        picture = chosen.plant(Picture(fit(image), stem), int(value), rng)
        write_picture(picture, folder)
        names.append(picture.name)
    table = pd.DataFrame(
        {
            "file": names,
            "label": [f"class {label}" for label in labels_N],
            "split": draw_splits(n, seed),
            "value": values_N,
            "image": np.arange(n),
        }
    )
    order = np.random.default_rng([seed, 7]).permutation(n)
    if kind == "order":
        order = order[np.argsort(values_N[order], kind="stable")]
    return write_table(table.iloc[order].reset_index(drop=True), folder)


def write_table(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """`table.csv` with what a user's own would have; the table itself is given back."""
    path = folder / TABLE
    table[COLUMNS].to_csv(path, index=False)
    os.utime(path, (WRITTEN, WRITTEN))
    return table
