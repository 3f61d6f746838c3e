"""Images that studies train on, made of what scikit-learn ships: nothing is downloaded.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipeline.core.types import BoolArray, Float64Array, Int64Array, Split, SplitName, UInt8Array


@lru_cache(maxsize=4)  # a worker trains several networks on the same images
def plain_digits(seed: int, n_train: int, *, n_test: int | None = None) -> tuple[Split, Split]:
    """Scikit-learn's digits, grey, 8 px, in ten classes; of the rest `n_test` are for test."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    shapes_NHW = (digits.images * (255 / 16)).round().astype(np.uint8)
    images = np.repeat(shapes_NHW[..., None], 3, axis=3)
    order = np.random.default_rng([seed, 22]).permutation(len(images))
    labels = digits.target.astype(np.int64)
    parts = order[:n_train], order[n_train:][:n_test]
    names: tuple[SplitName, SplitName] = ("train", "test")
    train, test = (
        make_split(name, images[rows], labels[rows], np.zeros_like(rows))
        for name, rows in zip(names, parts, strict=True)
    )
    return train, test


@lru_cache(maxsize=4)
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
    splits: list[Split] = []
    sizes: dict[SplitName, tuple[int, float]] = {"train": (n_train, strength), "test": (n_test, 0.5)}
    for name, (n, share) in sizes.items():
        rng = np.random.default_rng([seed, 24, len(splits)])
        rows = rng.choice(parts[name], n)
        labels = (digits.target[rows] >= 5).astype(np.int64)
        agrees = _in_each_class(labels, share, rng)
        cue = np.where(agrees, labels, 1 - labels)
        shapes = _shifted(digits.images[rows] / 16, rng)
        images = _tinted(shapes, (cue - 0.5) * ease, rng)
        splits.append(make_split(name, images, labels, cue))
    return splits[0], splits[1]


def _in_each_class(labels_N: Int64Array, share: float, rng: np.random.Generator) -> BoolArray:
    """A random `share` of each class is True."""
    chosen_N = np.zeros(len(labels_N), bool)
    for label in (0, 1):
        rows = rng.permutation(np.flatnonzero(labels_N == label))
        chosen_N[rows[: round(share * len(rows))]] = True
    return chosen_N


def _shifted(shapes_NHW: Float64Array, rng: np.random.Generator) -> Float64Array:
    """Each moved by at most one pixel in both directions: there are nine times as many digits."""
    padded = np.pad(shapes_NHW, ((0, 0), (1, 1), (1, 1)))
    views = np.lib.stride_tricks.sliding_window_view(padded, shapes_NHW.shape[1:], axis=(1, 2))
    y_N, x_N = rng.integers(0, 3, size=(2, len(shapes_NHW)))
    moved: Float64Array = views[np.arange(len(shapes_NHW)), y_N, x_N]
    return moved


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
