"""Images that studies train on, made of what scikit-learn ships: nothing is downloaded.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipeline.core.types import Float64Array, Int64Array, Split, SplitName, UInt8Array
from pipeline.data.sources.photo_digits import CLASSES, PHOTOS, PhotoDigits
from pipeline.settings.sources import PhotoDigitsSource


@lru_cache(maxsize=4)  # a worker trains several networks on the same images
def photo_digits(
    seed: int, n_train: int, *, n_test: int = 1200, strength: float = 0.95, label_noise: float = 0.03
) -> tuple[Split, Split]:
    """Training and test images of the demo, 32 px; groups are label x photograph.

    Every seed has other digits and other parts of the photographs in test. Training images are in random
    order, so that the first n are a random sample.
    """
    source = PhotoDigitsSource(
        kind="photo_digits", strength=strength, n_train=n_train, n_val=40, n_test=n_test, contrast=0.7,
        label_noise=label_noise, seed=seed,
    )  # fmt: skip
    rows = [row for row in PhotoDigits(source).load().rows if row.split != "val"]
    images = np.stack([row.image for row in rows])  # type: ignore[arg-type]
    labels = np.array([CLASSES.index(row.label) for row in rows])
    photos = np.array([PHOTOS.index(row.attributes["photo"]) for row in rows])
    order = np.random.default_rng([seed, 21]).permutation(n_train)
    test = np.arange(n_train, len(rows))
    return (
        make_split("train", images[order], labels[order], photos[order]),
        make_split("test", images[test], labels[test], photos[test]),
    )


@lru_cache(maxsize=4)
def plain_digits(seed: int, n_train: int, *, side: int = 8) -> tuple[Split, Split]:
    """Scikit-learn's digits, grey, in ten classes: `n_train` for training and the rest for test."""
    import cv2
    from sklearn.datasets import load_digits

    digits = load_digits()
    shapes = digits.images.astype(np.float32) / 16
    if side != shapes.shape[1]:
        big = [cv2.resize(s, (side, side), interpolation=cv2.INTER_LINEAR) for s in shapes]
        shapes = np.stack(big)
    images = np.repeat((shapes[..., None] * 255).round().astype(np.uint8), 3, axis=3)
    order = np.random.default_rng([seed, 22]).permutation(len(images))
    labels = digits.target.astype(np.int64)
    train, test = order[:n_train], order[n_train:]
    none = np.zeros_like(labels)
    return (
        make_split("train", images[train], labels[train], none[train]),
        make_split("test", images[test], labels[test], none[test]),
    )


def cued_digits(
    seed: int, n_train: int, *, strength: float, ease: float, n_test: int = 1600
) -> tuple[Split, Split]:
    """Digits below five or not, 8 px, on a ground whose tint goes with the class in `strength` of train.

    In test the tint is independent of the class. No digit is in both.

    Args:
        ease: distance of the two mean tints, in standard deviations of the tint within a value (d').
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.default_rng([seed, 23]).permutation(len(digits.target))
    parts: dict[SplitName, Int64Array] = {"train": order[:1200], "test": order[1200:]}
    splits = []
    for name, n, share in (("train", n_train, strength), ("test", n_test, 0.5)):
        rng = np.random.default_rng([seed, 24, len(splits)])
        rows = rng.choice(parts[name], n)  # type: ignore[index]
        labels = (digits.target[rows] >= 5).astype(np.int64)
        agrees = rng.permutation(np.arange(n) < round(share * n))
        cue = np.where(agrees, labels, 1 - labels)
        images = _tinted(digits.images[rows] / 16, (cue - 0.5) * ease, rng)
        splits.append(make_split(name, images, labels, cue))  # type: ignore[arg-type]
    return splits[0], splits[1]


SPREAD = 12.0  # of the tint within a value, in grey levels: |ease| <= 8 stays inside of 0 to 255


def _tinted(shapes_NHW: Float64Array, mean_N: Float64Array, rng: np.random.Generator) -> UInt8Array:
    tint_N = SPREAD * (mean_N + rng.normal(size=len(mean_N)))
    color_N3 = np.stack([tint_N, 0 * tint_N, -tint_N], axis=1)
    noise = rng.normal(0, 10, (*shapes_NHW.shape, 1))
    ground = 100 + noise + color_N3[:, None, None, :]
    ink = shapes_NHW[..., None]
    return np.clip(np.rint(ground * (1 - ink) + 255 * ink), 0, 255).astype(np.uint8)


def make_split(name: SplitName, images: UInt8Array, labels: Int64Array, attributes: Int64Array) -> Split:
    """Groups are label x attribute, where the attribute has two values."""
    ids = np.arange(len(images))
    return Split(
        name=name,
        images=images,
        labels=labels.astype(np.int64),
        ids=ids,
        files=ids.astype(str),
        attributes=attributes.astype(np.int64),
        groups=(2 * labels + attributes).astype(np.int64),
    )


def first(split: Split, n: int) -> Split:
    """The first n images."""
    return make_split(split.name, split.images[:n], split.labels[:n], split.attributes[:n])
