"""Accuracy of images whose class a cue names rightly, minus that of others of the same class.

An image is *aligned* when the cue alone names its class and *conflicting* when it names another. Two numbers
are read off the same images, both by least squares and so a weighted sum of rights and wrongs:

- `difference`: aligned minus conflicting within classes. A class weighs a·c/(a+c) for a aligned and c
  conflicting images (Mantel and Haenszel): one with two conflicting images says little, and is no hundredth
  of a mean over a hundred classes. The weights do not know who was right.
- `beyond`: the same with a level for every class that the cue names as well, so that what is harder
  *whenever* the cue names it so (dark images, say, whatever their class) drops out. Of two classes this is
  their interaction. What stays in: images that are hard for what made the cue name them wrongly.

Shape legend: S seeds, N images, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.base import Estimate
from pipeline.statistics.intervals import CorrectArray, clip_difference
from pipeline.statistics.picked import picked_interval
from pipeline.statistics.sources import design_effect

_NOTHING_LEFT = 1e-6  # of an image's alignment, on average: what is left is rounding


@dataclass(frozen=True)
class Alignment:
    """Both numbers, None where the images cannot tell, and what they rest on."""

    difference: Estimate | None
    beyond: Estimate | None
    n_aligned: int  # in classes that have images of both kinds
    n_conflicting: int
    n_classes: int  # that have images of both kinds


class NamedImages:
    """Images with what a cue names of each: asked about one method after the other."""

    def __init__(
        self, labels_N: Int64Array, named_N: Int64Array, sources_N: Int64Array | None = None
    ) -> None:
        """
        Args:
            named_N: class that the cue alone names.
            sources_N: scene or patient of each image.
        """
        self._cells = _Cells(labels_N, named_N)
        self._sources_N = sources_N
        self._aligned_N = labels_N == named_N
        sides = (labels_N[self._aligned_N], labels_N[~self._aligned_N])
        counts_2K = np.stack([np.bincount(side, minlength=self._cells.n_classes) for side in sides])
        both_K = (counts_2K > 0).all(axis=0)
        self.n_aligned, self.n_conflicting = (int(n) for n in counts_2K[:, both_K].sum(axis=1))
        self.n_classes = int(both_K.sum())

    def measure(self, correct_SN: CorrectArray, *, n_picked: int = 1) -> Alignment:
        """Aligned minus conflicting accuracy, with 95 % intervals for new images (new sources) and seeds.

        The images' variance is p(1-p) of all aligned and of all conflicting images at (hits + 2)/(n + 4): at
        most too large, since classes differ and seeds average some of it out.

        Args:
            correct_SN: whether seed s is right on image n.
            n_picked: such numbers that the largest is picked from.

        Source: Mantel and Haenszel 1959; Frisch and Waugh 1933 (partialling out); `picked_interval`.

        >>> labels_N, named_N = np.repeat([0, 0, 1, 1], 100), np.repeat([0, 1, 1, 0], 100)
        >>> correct_SN = np.repeat([1, 0, 1, 0], 100)[None] == 1
        >>> round(NamedImages(labels_N, named_N).measure(correct_SN).beyond.value, 6)
        1.0
        """
        return Alignment(
            self._estimate(correct_SN, n_picked, is_beyond=False),
            self._estimate(correct_SN, n_picked, is_beyond=True),
            self.n_aligned,
            self.n_conflicting,
            self.n_classes,
        )

    def _estimate(self, correct_SN: CorrectArray, n_picked: int, *, is_beyond: bool) -> Estimate | None:
        left_N = self._cells.residual(self._aligned_N.astype(np.float64), with_named=is_beyond)
        total = float((left_N**2).sum())
        if total <= _NOTHING_LEFT * len(left_N):
            return None
        weights_N = left_N / total
        per_seed_S = np.asarray(correct_SN, np.float64) @ weights_N
        image_N = np.asarray(correct_SN, np.float64).mean(axis=0)
        variance = _variance(image_N, weights_N, self._aligned_N)
        if self._sources_N is not None:
            rest_N = self._cells.residual(image_N, with_named=is_beyond) - float(per_seed_S.mean()) * left_N
            variance *= design_effect(weights_N * rest_N, self._sources_N, variance)
        n = min(self.n_aligned, self.n_conflicting)
        return clip_difference(picked_interval(per_seed_S, variance, n, n_picked))


def _variance(image_N: Float64Array, weights_N: Float64Array, aligned_N: BoolArray) -> float:
    parts = []
    for side_N in (aligned_N, ~aligned_N):
        n = int(side_N.sum())
        p = (float(image_N[side_N].sum()) + 2) / (n + 4)
        parts.append(p * (1 - p) * float((weights_N[side_N] ** 2).sum()))
    return sum(parts)


class _Cells:
    """Images by class and by the class that the cue names: what is left of numbers beyond both."""

    def __init__(self, labels_N: Int64Array, named_N: Int64Array) -> None:
        self.n_classes = int(max(labels_N.max(initial=0), named_N.max(initial=0))) + 1
        self.labels_N, self.named_N = labels_N, named_N
        table_KK = np.zeros((self.n_classes, self.n_classes))
        np.add.at(table_KK, (labels_N, named_N), 1.0)
        by_label, by_named = np.diag(table_KK.sum(axis=1)), np.diag(table_KK.sum(axis=0))
        self._inverse = {
            False: np.linalg.pinv(by_label, hermitian=True),
            True: np.linalg.pinv(np.block([[by_label, table_KK], [table_KK.T, by_named]]), hermitian=True),
        }

    def residual(self, values_N: Float64Array, *, with_named: bool) -> Float64Array:
        """Values minus the best sum of a level for each class and, if asked, for each class named."""
        keys = [self.labels_N, self.named_N][: 1 + with_named]
        sums = np.concatenate([np.bincount(key, values_N, self.n_classes) for key in keys])
        levels = (self._inverse[with_named] @ sums).reshape(len(keys), self.n_classes)
        left_N = values_N.copy()
        for level, key in zip(levels, keys, strict=True):
            left_N -= level[key]
        return left_N
