"""Images with planted color cues, and the records the color audit asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from pipeline.audit.color_inputs import ColorView, view_colors
from pipeline.core.results import AttributeInfo, DatasetInfo, Provenance, SourceInfo
from pipeline.core.settings import ColorSettings
from pipeline.core.types import Int64Array, Split, SplitName, UInt8Array

SIDE = 12


def settings(seed: int = 0, permutations: int = 199, **others: Any) -> ColorSettings:
    values: dict[str, Any] = {
        "permutations": permutations,
        "min_omega_squared": 0.06,
        "min_kappa": 0.05,
        "alpha": 0.05,
        "folds": 4,
        "boosted_max_train": 10_000,
        "examples_per_class": 4,
        "seed": seed,
    }
    return ColorSettings(**(values | others))


def wheel(n_colors: int) -> UInt8Array:
    """Colors of equal saturation and value around the hue circle, n x 3."""
    hsv = np.stack(
        [np.arange(n_colors) * 180 // n_colors, *(np.full(n_colors, v) for v in (150, 170))], axis=1
    )
    rgb: UInt8Array = np.asarray(cv2.cvtColor(hsv.astype(np.uint8)[None], cv2.COLOR_HSV2RGB), np.uint8)[0]
    return rgb


def noisy(colors_N3: np.ndarray, rng: np.random.Generator, noise: float = 25) -> UInt8Array:
    """One image per color, with pixel noise and a brightness of its own."""
    brightness = rng.normal(0, 10, (len(colors_N3), 1, 1, 1))
    pixels = colors_N3[:, None, None, :] + rng.normal(0, noise, (len(colors_N3), SIDE, SIDE, 3)) + brightness
    return np.clip(pixels, 0, 255).astype(np.uint8)


def planted(n: int, n_classes: int, strength: float, seed: int) -> tuple[UInt8Array, Int64Array, float]:
    """Images tinted with their class's color in a share `strength`, at random otherwise.

    Returns images, labels and the kappa of a perfect reader of the tint on these very images.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n)
    tint = np.where(rng.random(n) < strength, labels, rng.integers(0, n_classes, n))
    agreement = float((tint == labels).mean())
    return noisy(wheel(n_classes)[tint], rng), labels, (agreement - 1 / n_classes) / (1 - 1 / n_classes)


def gray_noise(labels: Int64Array, rng: np.random.Generator) -> UInt8Array:
    return noisy(rng.uniform(90, 160, (len(labels), 3)), rng)


def view(images: UInt8Array, labels: Int64Array) -> ColorView:
    """What the color audit sees of these images when they are the train split."""
    split = make_split("train", images, labels)
    return view_colors(split, split)[0]


def make_split(
    name: SplitName,
    images: UInt8Array,
    labels: Int64Array,
    annotated: Mapping[str, Int64Array] | None = None,
    masks: UInt8Array | None = None,
) -> Split:
    """A split whose primary attribute is the first of `annotated`."""
    annotated = annotated or {}
    attributes = next(iter(annotated.values()), np.zeros_like(labels))
    n = len(labels)
    return Split(
        name=name,
        images=images,
        labels=labels,
        attributes=attributes,
        groups=labels,
        ids=np.arange(n),
        files=np.array([""] * n),
        masks=masks,
        annotated=annotated,
    )


def make_info(n_classes: int, attributes: list[AttributeInfo] | None = None) -> DatasetInfo:
    return DatasetInfo(
        provenance=Provenance(),
        name="planted",
        title="planted",
        classes=[f"class {k}" for k in range(n_classes)],
        group_labels=["all"],
        class_to_group_label=[0] * n_classes,
        attributes=attributes or [],
        groups=[],
        n={},
        image_size=SIDE,
        has_masks=False,
        channel_mean=[0.5] * 3,
        channel_std=[0.2] * 3,
        source_info=SourceInfo(source="planted", licence="none"),
    )
