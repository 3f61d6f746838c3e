"""Images whose cue speaks for another class than their label, and which of the two a network follows.

Each value of the attribute speaks for one label: the one in whose training images its share is most above
its mean share over labels, so that a label's frequency does not count (as in `class_skill`). Followed is
the label, or the one that the value speaks for; a class counts as its superclass where these form the groups.

A network that always says the same would "follow the label" on every image of that label. Counted are
therefore only cells (label, label the cue speaks for) whose mirror image has images too, each with the same
weight: a constant then follows both equally often, and so does chance.

Shape legend: N images, K classes, L labels of groups, A attribute values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.types import Float64Array, Int64Array

Codes = tuple[Int64Array, Int64Array]  # classes and attribute values of images


@dataclass(frozen=True)
class Conflict:
    """Conflicting images among those that a network is validated on."""

    label_of_K: Int64Array
    label_N: Int64Array
    cue_N: Int64Array  # the label that the image's attribute value speaks for
    weight_N: Float64Array  # adds up to 1; 0 of images that are not counted

    @property
    def n(self) -> int:
        """Images that count."""
        return int((self.weight_N > 0).sum())

    @property
    def n_effective(self) -> float:
        """Equally weighted images that would say as much."""
        return float(1 / (self.weight_N**2).sum())

    def followed(self, predicted_N: Int64Array) -> dict[str, float]:
        """Weighted shares of images given their label, and their cue's; as `EpochDynamics` has them."""
        said_N = self.label_of_K[predicted_N]
        return {
            "follows_label": float(self.weight_N[said_N == self.label_N].sum()),
            "follows_cue": float(self.weight_N[said_N == self.cue_N].sum()),
            "n_conflicting": self.n,
            "n_effective": self.n_effective,
        }


def find_conflict(train: Codes, images: Codes, label_of_K: Int64Array) -> Conflict | None:
    """The conflicting ones of `images` by what goes with what in `train`; None where there are too few.

    >>> train = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 0])
    >>> found = find_conflict(train, train, np.arange(2))
    >>> found.n, found.followed(np.zeros(6, int))["follows_cue"]
    (2, 0.5)
    """
    spoken_A = spoken_for(label_of_K[train[0]], train[1], n_labels=int(label_of_K.max()) + 1)
    label_N, value_N = label_of_K[images[0]], images[1]
    cue_N = np.where(value_N < len(spoken_A), spoken_A[np.minimum(value_N, len(spoken_A) - 1)], -1)
    cells = {(int(a), int(b)) for a, b in zip(label_N, cue_N, strict=True) if b >= 0 and a != b}
    counted = sorted((a, b) for a, b in cells if (b, a) in cells)
    if not counted:
        return None
    weight_N = np.zeros(len(label_N))
    for label, cue in counted:
        cell_N = (label_N == label) & (cue_N == cue)
        weight_N[cell_N] = 1 / (len(counted) * cell_N.sum())
    return Conflict(label_of_K, label_N, cue_N, weight_N)


def spoken_for(label_N: Int64Array, value_N: Int64Array, *, n_labels: int) -> Int64Array:
    """The label that each attribute value speaks for in training, A; -1 for values without images."""
    counts_LA = np.zeros((n_labels, int(value_N.max(initial=-1)) + 1))
    np.add.at(counts_LA, (label_N, value_N), 1)
    share_LA = counts_LA / np.maximum(counts_LA.sum(axis=1, keepdims=True), 1)
    spoken_A: Int64Array = np.where(counts_LA.any(axis=0), share_LA.argmax(axis=0), -1)
    return spoken_A
