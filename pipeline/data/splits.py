"""Which image goes to train, val or test: given splits kept, missing ones carved, seeded and stratified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import SPLIT_NAMES, BoolArray, Int64Array, SplitName
from pipeline.data.scenes import carve_sources
from pipeline.settings.data import DataSettings

TRAIN, VAL, TEST = range(3)


@dataclass
class Assignment:
    """Split index per row (0 train, 1 val, 2 test; -1 left out) and what was done, in words."""

    splits: Int64Array
    notes: list[str] = field(default_factory=list)


def assign_splits(
    given: Sequence[SplitName | None],
    labels: Int64Array,
    attributes: Int64Array,
    *,
    classes: Sequence[str],
    settings: DataSettings,
    sources: Int64Array | None = None,
) -> Assignment:
    """Keep the splits that the source gives; carve a missing val or test from train.

    With `sources` whole sources are carved, so that none is cut. Fractions are of the images carved from.
    Each label gives each carved split at least one
    image, and so does each cell label x attribute that has enough of them.

    Raises:
        InputError: no train images, some rows without split, or a label too small to carve from.
    """
    assignment = Assignment(_given_splits(given))
    splits = assignment.splits
    rng = np.random.default_rng(settings.split_seed)
    wanted = {TEST: settings.test_fraction, VAL: settings.val_fraction}
    missing = {split: fraction for split, fraction in wanted.items() if not (splits == split).any()}
    if missing:
        if sources is None:
            _carve(splits, labels, attributes, missing=missing, classes=classes, rng=rng)
        else:
            carve_sources(splits, sources, labels, attributes, missing=missing, classes=classes, rng=rng)
        for split, fraction in missing.items():
            assignment.notes.append(
                f"{SPLIT_NAMES[split]} images were carved from the training images ({fraction:.0%}, "
                f"stratified, seed {settings.split_seed}): the source has no such split"
            )
    if settings.max_per_class is not None:
        n_out = _subsample_train(splits, labels, attributes, settings.max_per_class, rng)
        if n_out:
            assignment.notes.append(
                f"{n_out:,} training images were left out: at most {settings.max_per_class:,} per class"
            )
    return assignment


def _given_splits(given: Sequence[SplitName | None]) -> Int64Array:
    index: dict[SplitName | None, int] = {name: i for i, name in enumerate(SPLIT_NAMES)}
    n_without = sum(split is None for split in given)
    if 0 < n_without < len(given):
        raise InputError(
            f"{n_without:,} of {len(given):,} rows have no split while the others have one. Give every row "
            "a split, or none."
        )
    index[None] = TRAIN
    unknown = next((split for split in given if split not in index), None)
    if unknown is not None:
        raise InputError(f"split {unknown!r} is not one of {', '.join(SPLIT_NAMES)}.")
    splits = np.array([index[split] for split in given], np.int64)
    if not (splits == TRAIN).any():
        raise InputError("no image is in the train split: mark some rows as train, or give no split at all.")
    return splits


def _carve(
    splits: Int64Array,
    labels: Int64Array,
    attributes: Int64Array,
    *,
    missing: dict[int, float],
    classes: Sequence[str],
    rng: np.random.Generator,
) -> None:
    """Move rows of train into the `missing` splits, in place."""
    pool = np.flatnonzero(splits == TRAIN)
    least = 1 + len(missing)
    for label in np.unique(labels[pool]):
        rows = rng.permutation(pool[labels[pool] == label])
        if len(rows) < least:
            names = " and ".join(SPLIT_NAMES[split] for split in missing)
            raise InputError(
                f"class {classes[label]!r} has {len(rows)} training image(s), too few to carve {names} from: "
                f"at least {least} are needed. Add images, remove the class, or give the splits yourself."
            )
        cells = [rows[attributes[rows] == value] for value in np.unique(attributes[rows])]
        for n_later, (split, fraction) in zip(reversed(range(len(missing))), missing.items(), strict=True):
            sizes = np.array([len(cell) for cell in cells])
            n_carved = int(np.clip(round(fraction * len(rows)), 1, sizes.sum() - 1 - n_later))
            has_enough = sizes >= 2 + n_later
            shares = np.maximum(_shares(sizes, n_carved, has_enough), has_enough)
            for i, share in enumerate(shares):
                splits[cells[i][:share]] = split
                cells[i] = cells[i][share:]


def _shares(sizes: Int64Array, total: int, first: BoolArray) -> Int64Array:
    """`total` spread over cells by largest remainder; cells of `first` are served before they get none."""
    exact = total * sizes / sizes.sum()
    shares = np.floor(exact).astype(np.int64)
    priority = (exact - shares) + ((shares == 0) & first)
    order = np.argsort(-priority, kind="stable")
    shares[order[: total - int(shares.sum())]] += 1
    capped: Int64Array = np.minimum(shares, sizes)
    return capped


def _subsample_train(
    splits: Int64Array, labels: Int64Array, attributes: Int64Array, most: int, rng: np.random.Generator
) -> int:
    """Leave out train rows beyond `most` per class, in place, keeping the attribute's proportions."""
    n_out = 0
    for label in np.unique(labels[splits == TRAIN]):
        rows = rng.permutation(np.flatnonzero((splits == TRAIN) & (labels == label)))
        if len(rows) <= most:
            continue
        cells = [rows[attributes[rows] == value] for value in np.unique(attributes[rows])]
        sizes = np.array([len(cell) for cell in cells])
        kept = _shares(sizes, most, sizes > 0)
        for cell, n_kept in zip(cells, kept, strict=True):
            splits[cell[n_kept:]] = -1
        n_out += len(rows) - int(kept.sum())
    return n_out
