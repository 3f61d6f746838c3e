"""Images that come in sources (scenes, patients, videos): what that does to intervals and permutations.

Sixty frames of one scene are not sixty independent images. Sums over sources are, so variances are
those of sums over sources, and permutations hand whole sources' labels to other sources.

Shape legend: N images, S sources, K classes.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pipeline.core.types import Int64Array
from pipeline.statistics.distributions import normal_isf, t_isf


def clustered_variance(deviations_N: npt.ArrayLike, sources_N: Int64Array) -> float:
    """Variance of the sum of `deviations_N`, which are 0 on average, where sources are independent.

    S/(S-1) times the sum over sources of squared sums; infinite for a single source.

    Source: Liang and Zeger 1986 (sandwich variance), with the usual correction for few clusters.
    """
    _, codes_N = np.unique(sources_N, return_inverse=True)
    sums_S = np.bincount(codes_N, weights=np.asarray(deviations_N, np.float64))
    n = len(sums_S)
    return math.inf if n < 2 else float(n / (n - 1) * (sums_S**2).sum())


def design_effect(deviations_N: npt.ArrayLike, sources_N: Int64Array, variance: float) -> float:
    """How many images count as one: clustered over independent `variance` of the same sum, at least 1.

    Widened by Student's t with S - 1 degrees of freedom over the normal quantile, since few sources
    know their own spread badly. Where nothing varies (all right, or all wrong) nothing is known of the
    spread: images of a source then count as one.

    Args:
        variance: of the sum, if images were independent.

    >>> deviations_N = np.repeat([0.5, -0.5], 50)  # a hundred scenes, then twenty of five photographs
    >>> design_effect(deviations_N, np.arange(100), variance=25.0)
    1.0
    >>> round(design_effect(deviations_N, np.repeat(np.arange(20), 5), variance=25.0), 1)
    6.0
    """
    _, sizes_S = np.unique(sources_N, return_counts=True)
    n_sources = len(sizes_S)
    if n_sources == len(sources_N):
        return 1.0
    if n_sources < 2:
        return float(len(sources_N))
    most = float((sizes_S**2).sum() / sizes_S.sum())
    ratio = clustered_variance(deviations_N, sources_N) / variance if variance > 0 else most
    few = float(t_isf(0.025, n_sources - 1) / normal_isf(0.025)) ** 2
    return max(1.0, ratio * few)


class SourcePermutations:
    """Shuffled copies of labels that keep what a source's images have in common.

    Under the null hypothesis that labels say nothing about images, sources are exchangeable and so are
    a source's images. A draw hands every source's labels, turned by a random number of images, to
    another source of the same block, repeated or cut to its number of images. Sources of one label
    each keep one label; sources of one image give the plain permutation.
    """

    def __init__(
        self, labels_N: Int64Array, sources_N: Int64Array, blocks_N: Int64Array | None = None
    ) -> None:
        """`blocks_N`: labels stay within a block; None = one block."""
        blocks_N = np.zeros(len(labels_N), np.int64) if blocks_N is None else blocks_N
        self.labels_N = labels_N
        self.order_N = np.lexsort((sources_N, blocks_N))
        sorted_S2 = np.stack([blocks_N[self.order_N], sources_N[self.order_N]], axis=1)
        is_first_N = np.ones(len(labels_N), bool)
        is_first_N[1:] = (np.diff(sorted_S2, axis=0) != 0).any(axis=1)
        self.start_S = np.flatnonzero(is_first_N)
        self.size_S = np.diff(np.append(self.start_S, len(labels_N)))
        self.block_S = sorted_S2[self.start_S, 0]
        self.unit_N = np.cumsum(is_first_N) - 1  # of the images in `order_N`
        self.rank_N = np.arange(len(labels_N)) - self.start_S[self.unit_N]

    def draw(self, rng: np.random.Generator) -> Int64Array:
        """Labels of the N images, shuffled, in the order of the images."""
        giver_S = np.lexsort((rng.random(len(self.start_S)), self.block_S))
        size_S = self.size_S[giver_S]
        turn_S = rng.integers(size_S)
        position_N = (self.rank_N + turn_S[self.unit_N]) % size_S[self.unit_N]
        given_N = self.order_N[self.start_S[giver_S][self.unit_N] + position_N]
        shuffled_N = np.empty_like(self.labels_N)
        shuffled_N[self.order_N] = self.labels_N[given_N]
        return shuffled_N


def source_means(
    values_NF: npt.NDArray[np.float32], labels_N: Int64Array, sources_N: Int64Array
) -> tuple[npt.NDArray[np.float32], Int64Array]:
    """One row for each source and label that occur together: the mean of its images, and the label."""
    pairs_S2, codes_N = np.unique(np.stack([sources_N, labels_N], axis=1), axis=0, return_inverse=True)
    codes_N = codes_N.ravel()
    means_SF = np.zeros((len(pairs_S2), values_NF.shape[1]), np.float64)
    np.add.at(means_SF, codes_N, values_NF)
    means_SF /= np.bincount(codes_N)[:, None]
    return means_SF.astype(np.float32), pairs_S2[:, 1].astype(np.int64)


def merge_sources(first_N: Int64Array | None, second_N: Int64Array | None) -> Int64Array | None:
    """Sources such that images which share either the first or the second source share one.

    >>> merge_sources(np.array([0, 0, 1, 2]), np.array([5, 6, 6, 7])).tolist()
    [0, 0, 0, 1]
    """
    if first_N is None or second_N is None:
        return second_N if first_N is None else first_N
    from scipy.sparse import coo_matrix  # late: everybody loads this module, and few data have two sources
    from scipy.sparse.csgraph import connected_components

    _, rows = np.unique(first_N, return_inverse=True)
    _, columns = np.unique(second_N, return_inverse=True)
    size = int(max(rows.max(), columns.max())) + 1
    links = coo_matrix((np.ones(len(rows)), (rows, columns + size)), shape=(2 * size, 2 * size))
    _, component = connected_components(links, directed=False)
    merged: Int64Array = component[rows].astype(np.int64)
    return merged
