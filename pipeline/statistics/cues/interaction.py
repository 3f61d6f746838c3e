"""Does a group pay for a cue: differences of differences of group accuracies.

A value of the attribute that is harder for every class, or a class that is harder for every value, lowers
groups without anyone being misled. Neither is left in a difference of differences.

Shape legend: S seeds, G groups.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.base import Estimate
from pipeline.statistics.picked import picked_interval


class Contrast(NamedTuple):
    """A weighted sum of group accuracies on both scales on which "equally much harder" can be meant."""

    points: Estimate  # of accuracies
    log_odds: Estimate  # of their log odds


class MeasuredGroups(NamedTuple):
    """Accuracies of every seed and group, and the images behind them."""

    accuracy_SG: Float64Array
    n_G: Float64Array
    weight_G: Float64Array | None = None  # independent images that would say as much; None: `n_G`

    def contrast(self, weights_G: Float64Array, *, n_picked: int = 1) -> Contrast:
        """A weighted sum of the groups' accuracies, with 95 % intervals for new images and new seeds.

        Squared half-widths of images and seeds are added, each with the quantile that its number of draws
        deserves, as in `intervals.estimate_from_variance`. The images' variance is p(1-p)/n of each group
        at (hits + 2)/(n + 4): for several seeds at most too large, since they average out some of it.

        Args:
            weights_G: groups of weight 0 need no images. On log odds, groups of opposite sign are compared.
            n_picked: contrasts that this one was picked from for being the largest.

        Raises:
            InputError: a group with a weight has no images.
        Source: Graybill and Wang 1980; log odds by Haldane 1956 and Anscombe 1956 (half a hit added).
        """
        used_G = weights_G != 0
        if (self.n_G[used_G] < 1).any():
            raise InputError("a contrast of groups needs images in each of them.")
        n = int(self.n_G[used_G].min())
        weights_G, n_G = weights_G[used_G], (self.n_G if self.weight_G is None else self.weight_G)[used_G]
        accuracy_SG = self.accuracy_SG[:, used_G]
        center_G = (accuracy_SG.mean(axis=0) * n_G + 2) / (n_G + 4)
        spread_G = center_G * (1 - center_G)
        log_odds_SG = np.log((accuracy_SG * n_G + 0.5) / ((1 - accuracy_SG) * n_G + 0.5))
        points = picked_interval(accuracy_SG @ weights_G, float(weights_G**2 @ (spread_G / n_G)), n, n_picked)
        odds = picked_interval(
            log_odds_SG @ weights_G, float(weights_G**2 @ (1 / (spread_G * n_G))), n, n_picked
        )
        return Contrast(points, odds)


def interaction_weights(
    labels_G: Int64Array,
    values_G: Int64Array,
    *,
    paying: int,
    reference: int,
    comparable_G: BoolArray,
) -> Float64Array | None:
    """Weights of "what `paying` loses against `reference`, beyond what its value costs other classes".

    Both groups are of one class. What the value costs is the mean, over other classes with comparable
    groups of both values, of the same difference.

    Args:
        paying, reference: positions of groups of one class and two attribute values.
        comparable_G: groups that may speak for what the value costs.

    Returns:
        G weights, None where no other class has both values.
    """
    weights_G = np.zeros(len(labels_G))
    weights_G[reference], weights_G[paying] = 1.0, -1.0
    pairs = [
        pair
        for label in np.unique(labels_G).tolist()
        if label != labels_G[paying]
        and (pair := _both(labels_G == label, values_G, values_G[[reference, paying]], comparable_G))
    ]
    if not pairs:
        return None
    for easy, hard in pairs:
        weights_G[easy] -= 1 / len(pairs)
        weights_G[hard] += 1 / len(pairs)
    return weights_G


def _both(
    inside_G: BoolArray, values_G: Int64Array, wanted: Int64Array, comparable_G: BoolArray
) -> tuple[int, int] | None:
    found = [np.flatnonzero(inside_G & comparable_G & (values_G == value)) for value in wanted.tolist()]
    return None if any(not len(rows) for rows in found) else (int(found[0][0]), int(found[1][0]))


def difference_columns(inside_G: BoolArray, strata_G: Int64Array) -> Float64Array:
    """G x C weights, one column for each stratum with groups inside and outside: outside minus inside.

    With a value's groups inside and classes as strata a column is what the value costs that class; with a
    class's groups and values as strata it is what the class lacks with that value.
    """
    columns = [
        (stratum & ~inside_G) / (stratum & ~inside_G).sum()
        - (stratum & inside_G) / (stratum & inside_G).sum()
        for stratum in (strata_G == s for s in np.unique(strata_G).tolist())
        if (stratum & inside_G).any() and (stratum & ~inside_G).any()
    ]
    return np.stack(columns, axis=1) if columns else np.zeros((len(inside_G), 0))
