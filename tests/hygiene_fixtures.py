"""Natural image crops with planted copies, and a small dataset around them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from sklearn.datasets import load_sample_images

from pipeline.core.results import AttributeInfo, DatasetInfo, GroupInfo, Provenance, SourceInfo
from pipeline.core.settings import HygieneSettings
from pipeline.core.types import Int64Array, Split, SplitName, UInt8Array

SETTINGS = HygieneSettings(near_duplicates=True, min_similarity=0.87, examples=12, seed=0)


def crops(n: int, *, size: int = 96, side: int = 32, seed: int = 0) -> UInt8Array:
    """Crops of two photographs that overlap little, at `side` px."""
    rng = np.random.default_rng(seed)
    photos = load_sample_images().images
    corners = [
        (p, y, x)
        for p, photo in enumerate(photos)
        for y in range(0, photo.shape[0] - size, size // 2)
        for x in range(0, photo.shape[1] - size, size // 2)
        if _is_rich(photo[y : y + size, x : x + size])
    ]
    picked = rng.permutation(len(corners))[:n]
    cut = [photos[p][y : y + size, x : x + size] for p, y, x in (corners[i] for i in picked)]
    return np.stack([cv2.resize(c, (side, side), interpolation=cv2.INTER_AREA) for c in cut])


def _is_rich(crop: UInt8Array) -> bool:
    """Something to see, neither a dark corner nor a white sky."""
    luma = crop.mean(axis=2)
    return bool(luma.std() > 20 and np.quantile(luma, 0.9) > 90 and np.quantile(luma, 0.1) < 170)


def jpeg(image: UInt8Array, quality: int = 85) -> UInt8Array:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [1, quality])[1], 1), np.uint8)


def scaled(image: UInt8Array, factor: float) -> UInt8Array:
    changed: UInt8Array = np.clip(image * factor, 0, 255).astype(np.uint8)
    return changed


def shifted(image: UInt8Array, *, down: int, right: int) -> UInt8Array:
    """Moved by some pixels; the rim is repeated."""
    padded = np.pad(image, ((down, 0), (right, 0), (0, 0)), mode="edge")
    return padded[: image.shape[0], : image.shape[1]]


def cropped(image: UInt8Array) -> UInt8Array:
    """Without its rim of one pixel, at the old size."""
    side = image.shape[0]
    return np.asarray(cv2.resize(image[1:-1, 1:-1], (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def turned(image: UInt8Array, degrees: float, scale: float = 1.0) -> UInt8Array:
    """Turned around its middle and enlarged, at the old size; corners are reflected."""
    side = image.shape[0]
    turn = cv2.getRotationMatrix2D(((side - 1) / 2,) * 2, degrees, scale)
    return np.asarray(cv2.warpAffine(image, turn, (side, side), borderMode=cv2.BORDER_REFLECT), np.uint8)


def noisy(image: UInt8Array, deviation: float) -> UInt8Array:
    noise = np.random.default_rng(int(image.sum())).normal(0, deviation, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def captioned(image: UInt8Array, *, above: bool = False) -> UInt8Array:
    """With a white bar over an eighth of the picture, with letters in it."""
    height, width = max(image.shape[0] // 8, 3), image.shape[1]
    bar = np.full((height, width, 3), 255, np.uint8)
    bar[1:-1, 2 : width // 2 : 2] = 0
    found = image.copy()
    found[slice(height) if above else slice(-height, None)] = bar
    return found


CHANGES: dict[str, Callable[[UInt8Array], UInt8Array]] = {
    "jpeg": jpeg,
    "brighter": lambda image: scaled(image, 1.1),
    "darker": lambda image: scaled(image, 0.9),
    "shifted by 1": lambda image: shifted(image, down=1, right=1),
    "shifted by 2": lambda image: shifted(image, down=0, right=2),
    "cropped": cropped,
    "jpeg 75": lambda image: jpeg(image, 75),
    "noise": lambda image: noisy(image, 5),
    "brighter by a quarter": lambda image: scaled(image, 1.25),
    "darker by a quarter": lambda image: scaled(image, 0.75),
    "turned": lambda image: turned(image, 2),
    "enlarged": lambda image: turned(image, 0, 1 / 0.95),
    "caption below": captioned,
    "caption above": lambda image: captioned(image, above=True),
    "mirrored": lambda image: np.ascontiguousarray(image[:, ::-1]),
}


def dataset(
    images: UInt8Array, labels: Int64Array, sizes: tuple[int, int, int], groups: Int64Array | None = None
) -> tuple[UInt8Array, list[Split], DatasetInfo]:
    """The images cut into train, val and test, with two classes and as many groups."""
    groups = labels if groups is None else groups
    bounds = np.cumsum((0, *sizes))
    assert bounds[-1] == len(images)
    names: tuple[SplitName, ...] = ("train", "val", "test")
    splits = []
    for name, start, stop in zip(names, bounds[:-1], bounds[1:], strict=True):
        rows = np.arange(start, stop)
        splits.append(
            Split(
                name=name,
                images=images[rows],
                labels=labels[rows],
                attributes=np.zeros(len(rows), np.int64),
                groups=groups[rows],
                ids=rows.astype(np.int64),
                files=rows.astype(str),
            )
        )
    return images, splits, _info(splits)


def _info(splits: list[Split]) -> DatasetInfo:
    counts = {split.name: np.bincount(split.groups, minlength=2) for split in splits}
    return DatasetInfo(
        provenance=Provenance(),
        name="crops",
        title="Crops",
        classes=["left", "right"],
        group_labels=["left", "right"],
        class_to_group_label=[0, 1],
        attributes=[AttributeInfo(name="none", values=["all"], origin="none")],
        groups=[
            GroupInfo(
                name=name,
                label=name,
                attribute="all",
                n_train=int(counts["train"][g]),
                n_val=int(counts["val"][g]),
                n_test=int(counts["test"][g]),
            )
            for g, name in enumerate(("left", "right"))
        ],
        n={split.name: len(split) for split in splits},
        image_size=splits[0].images.shape[1],
        has_masks=False,
        channel_mean=[0.5] * 3,
        channel_std=[0.2] * 3,
        source_info=SourceInfo(source="scikit-learn's sample images", licence="CC BY"),
    )
