"""Parts of the images in which models err more: looked for on some images, measured on others.

A part is what a few conditions pick, each of them true or false of an image. A shallow tree looks for parts
on validation mistakes; what it finds is measured on test images, which it has not seen, so that intervals
need to allow only for how many parts are measured.

Shape legend: S seeds, N images, C conditions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.base import Estimate
from pipeline.statistics.cues.interaction import MeasuredGroups
from pipeline.statistics.distributions import normal_isf
from pipeline.statistics.intervals import (
    accuracy_over_seeds,
    clip_difference,
    mean_variance,
    sidak_confidence,
)

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeRegressor

DEPTH = 3  # conditions of a part: more cannot be read
MOST_MEASURED = 5  # parts, the clearest on validation first
MOST_FITTED = 50_000  # images that the tree reads
# chance that a node is split where mistakes are scattered: a clear part would be cut into parts of parts
_SPLIT_ALPHA = 0.05

Literal = tuple[int, bool]  # a condition, and whether it has to hold


@dataclass(frozen=True)
class Mistakes:
    """Which images are wrong, and what holds of each."""

    wrong_SN: BoolArray
    holds_NC: BoolArray
    sources_N: Int64Array | None = None  # scene or patient of each image

    @property
    def n(self) -> int:
        return int(self.wrong_SN.shape[1])

    @property
    def shares(self) -> Float64Array:
        """N, the share of the seeds that err on each image."""
        share_N: Float64Array = self.wrong_SN.mean(axis=0, dtype=np.float64)
        return share_N

    @property
    def effect(self) -> float:
        """Images that count as one."""
        return mean_variance(self.wrong_SN, self.sources_N).effect if self.n else 1.0

    def take(self, rows: BoolArray | Int64Array) -> Mistakes:
        """The same of some images."""
        sources_N = None if self.sources_N is None else self.sources_N[rows]
        return Mistakes(self.wrong_SN[:, rows], self.holds_NC[rows], sources_N)


class Part(NamedTuple):
    """A part that mistakes of validation images point to."""

    literals: tuple[Literal, ...]
    n: int
    error: float
    rest: float  # the error elsewhere


class Measured(NamedTuple):
    """A part on test images. Intervals hold for all measured parts at once."""

    error: Estimate
    rest: Estimate  # the error elsewhere, alone: nothing was looked for there
    beyond: Estimate  # error minus rest


def inside(literals: Sequence[Literal], holds_NC: BoolArray) -> BoolArray:
    """N, whether an image is in the part."""
    inside_N = np.ones(len(holds_NC), bool)
    for condition, wanted in literals:
        inside_N &= holds_NC[:, condition] == wanted
    return inside_N


def find_parts(
    val: Mistakes, *, least: int, min_effect: float, depth: int = DEPTH, seed: int = 0
) -> list[Part]:
    """Parts of a tree of validation mistakes that err more than the rest by `min_effect`, clearest first.

    A split has to be clearer than the best of as many conditions would be by chance; images of one source
    count as the sources allow. Of a part and the parts that it falls into the clearest is taken, and no two
    parts share images.

    Args:
        least: images on either side of a split.
        depth: most conditions of a part.

    >>> rows = np.arange(400)
    >>> holds_NC = np.stack([rows % 4 == 0, rows % 3 == 0], axis=1)
    >>> wrong_SN = (rows % 4 == 0)[None] & (rows % 8 == 0)
    >>> [part.literals for part in find_parts(Mistakes(wrong_SN, holds_NC), least=30, min_effect=0.05)]
    [((0, True),)]
    """
    share_N = val.shares
    if not val.holds_NC.shape[1] or val.n < 2 * least or not share_N.var():
        return []
    tree = _grow(val, share_N, least, depth, seed)
    found = [(path, _part(path, val, share_N)) for path in _nodes(tree)]
    found = [(path, part) for path, part in found if part.error - part.rest >= min_effect]
    found.sort(key=lambda one: (-_clearness(one[1], val.n), len(one[0])))
    chosen: list[tuple[tuple[Literal, ...], Part]] = []
    for path, part in found:
        if not any(_is_within(path, other) or _is_within(other, path) for other, _ in chosen):
            chosen.append((path, part))
    return [part for _, part in chosen[:MOST_MEASURED]]


def measure_parts(
    parts: Sequence[Sequence[Literal]], test: Mistakes, n_measured: int | None = None
) -> list[Measured]:
    """Errors of parts on test images beside those of all other images.

    Args:
        n_measured: parts that intervals allow for; None: these.

    Raises:
        InputError: a part, or its rest, has no test images.
    """
    if not parts:
        return []
    n_picked = n_measured or len(parts)
    confidence = sidak_confidence(n_picked)
    return [_measure(inside(part, test.holds_NC), test, confidence, n_picked) for part in parts]


def _grow(val: Mistakes, share_N: Float64Array, least: int, depth: int, seed: int) -> DecisionTreeRegressor:
    from sklearn.tree import DecisionTreeRegressor  # late: it takes two seconds to load

    rows = np.arange(val.n)
    if val.n > MOST_FITTED:
        rows = np.sort(np.random.default_rng(seed).choice(val.n, MOST_FITTED, replace=False))
    n_tried = val.holds_NC.shape[1]
    clear = float(normal_isf(_SPLIT_ALPHA / (2 * n_tried)))
    tree = DecisionTreeRegressor(
        max_depth=depth,
        min_samples_leaf=least,
        # a split's decrease of impurity, times N over the variance, is the square of its z
        min_impurity_decrease=clear**2 * float(share_N[rows].var()) * val.effect / len(rows),
        random_state=0,
    )
    return tree.fit(val.holds_NC[rows].astype(np.float32), share_N[rows])


def _nodes(tree: DecisionTreeRegressor) -> list[tuple[Literal, ...]]:
    """The conditions of every node below the root, from there down; none where nothing is split."""
    nodes = tree.tree_
    found: list[tuple[Literal, ...]] = []

    def walk(node: int, above: tuple[Literal, ...]) -> None:
        children = int(nodes.children_left[node]), int(nodes.children_right[node])
        if children[0] < 0:
            return
        for child, wanted in zip(children, (False, True), strict=True):
            path = (*above, (int(nodes.feature[node]), wanted))
            found.append(path)
            walk(child, path)

    walk(0, ())
    return found


def _is_within(path: tuple[Literal, ...], other: tuple[Literal, ...]) -> bool:
    return path[: len(other)] == other


def _shorten(literals: tuple[Literal, ...], holds_NC: BoolArray) -> tuple[Literal, ...]:
    """Without conditions that the others imply; those that deny something go first."""
    kept = list(literals)
    for literal in sorted(literals, key=lambda one: one[1]):
        others = [one for one in kept if one != literal]
        if others and np.array_equal(inside(others, holds_NC), inside(kept, holds_NC)):
            kept = others
    return tuple(kept)


def _part(path: tuple[Literal, ...], val: Mistakes, share_N: Float64Array) -> Part:
    literals = _shorten(path, val.holds_NC)
    inside_N = inside(literals, val.holds_NC)
    n = int(inside_N.sum())
    return Part(literals, n, float(share_N[inside_N].mean()), float(share_N[~inside_N].mean()))


def _clearness(part: Part, n: int) -> float:
    """The difference in standard errors, up to a factor that all parts share."""
    return (part.error - part.rest) * math.sqrt(part.n * (n - part.n) / n)


def _measure(inside_N: BoolArray, test: Mistakes, confidence: float, n_parts: int) -> Measured:
    own, other = test.take(inside_N), test.take(~inside_N)
    error = accuracy_over_seeds(own.wrong_SN, confidence, sources_N=own.sources_N)
    rest = accuracy_over_seeds(other.wrong_SN, sources_N=other.sources_N)
    n_2 = np.array([own.n, other.n], np.float64)
    pair = MeasuredGroups(
        np.stack([part.wrong_SN.mean(axis=1) for part in (own, other)], axis=1),
        n_2,
        np.maximum(n_2 / [own.effect, other.effect], 1.0),
    )
    beyond = pair.contrast(np.array([1.0, -1.0]), n_picked=n_parts).points
    return Measured(error, rest, clip_difference(beyond))
