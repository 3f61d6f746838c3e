"""Groups of the validation images that repair looks for its worst group among: given ones, or clusters.

Clusters are those of attribution vectors: validation images that the same training images help and harm.
No attribute is read for them; where the dataset has groups, these score the clusters for the record.

Shape legend: S seeds, V validation images, D dimensions, G groups, C counted groups.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.records.training import ClusterMatch
from pipeline.statistics.accuracy.worst_group import counted, lowest_of
from pipeline.train.fitting import SeedRun
from pipeline.train.group_inference import agreement_in_classes, best_match

_log = logging.getLogger(__name__)
COMPONENTS = 4  # leading principal directions of a class's attribution vectors
SMALLEST_CLUSTER = 10  # validation images; a class without two such clusters stays whole
SMALLEST_SHARE = 0.05  # of the class's validation images


@dataclass(frozen=True)
class TargetGroups:
    """Groups of the validation images; `counted_G` are those that the worst one is taken among."""

    groups_V: Int64Array
    names_G: Sequence[str]
    parents_G: Sequence[str]  # the class, or superclass, of each group
    counted_G: Int64Array

    def accuracies(self, correct_SV: BoolArray) -> Float64Array:
        """S x counted groups."""
        return np.stack(
            [correct_SV[:, self.groups_V == g].mean(axis=1) for g in self.counted_G.tolist()], axis=1
        )

    def worst(self, correct_SV: BoolArray) -> int:
        """The counted group with the lowest accuracy, mean over seeds."""
        accuracy_C = self.accuracies(correct_SV).mean(axis=0)
        return int(self.counted_G[lowest_of(accuracy_C, range(len(accuracy_C))).group])


def given_groups(run: SeedRun) -> TargetGroups:
    """The dataset's groups. Those without training images do not count, nor small ones beside others."""
    groups, infos = run.groups, run.info.groups
    n_val_G = np.bincount(groups.val_V, minlength=len(infos))
    known_G = np.array(groups.n_train()) > 0
    counted_G = np.flatnonzero(counted(np.where(known_G, n_val_G, 0), run.settings.min_val))
    return TargetGroups(groups.val_V, groups.names, [g.label for g in infos], counted_G)


def target_weights(targets: TargetGroups, accuracy_G: Float64Array) -> Float64Array:
    """How much each validation image counts when training images are scored: V, of sum 1.

    A group counts by how far its accuracy lies below that of the best group with the same class (or
    superclass), each of its images the same. To score on the worst group alone would be a trap: it has
    one class, so whatever images the other classes have seem to harm it, and without them the bias
    turns round. The groups that fall behind in the other classes hold against that.

    Args:
        accuracy_G: of the counted groups.

    Source: targets weighted by how badly their group fares, as in D3M (Jain et al. 2024,
        arXiv:2406.16846), which weights by the exponential of the loss.
    """
    parents_G = np.array([targets.parents_G[g] for g in targets.counted_G.tolist()])
    gap_G = np.array([accuracy_G[parents_G == parent].max() for parent in parents_G]) - accuracy_G
    if not gap_G.any():  # none falls behind: the worst group of all
        gap_G[lowest_of(accuracy_G, range(len(accuracy_G))).group] = 1.0
    weights_V = np.zeros(len(targets.groups_V))
    for gap, g in zip(gap_G / gap_G.sum(), targets.counted_G.tolist(), strict=True):
        members = targets.groups_V == g
        weights_V[members] = gap / members.sum()
    return weights_V


def cluster_targets(
    vectors_VD: Float64Array, labels_V: Int64Array, classes: Sequence[str], *, seed: int
) -> TargetGroups:
    """Each class's validation images in two clusters of their attribution vectors, the larger one first.

    A Gaussian mixture on the leading principal directions: the sign of the first direction alone cuts
    through the larger of two unequal clusters.

    Source: groups from the leading direction of attributions, Jain et al. 2024 (arXiv:2406.16846).
    """
    groups_V = 2 * labels_V
    for k in np.unique(labels_V).tolist():
        rows = np.flatnonzero(labels_V == k)
        if len(rows) < 2 * SMALLEST_CLUSTER:
            continue
        groups_V[rows] += _two_clusters(vectors_VD[rows], seed)
    return clusters_of(groups_V, classes)


def clusters_of(groups_V: Int64Array, classes: Sequence[str]) -> TargetGroups:
    """Class k has clusters 2k and 2k + 1."""
    names = [f"{name}, attribution cluster {c}" for name in classes for c in (1, 2)]
    parents = [name for name in classes for _ in (1, 2)]
    return TargetGroups(groups_V, names, parents, np.unique(groups_V).astype(np.int64))


def _two_clusters(vectors_VD: Float64Array, seed: int) -> Int64Array:
    """0 for the larger cluster and 1 for the smaller; all 0 where one of them is too small to judge."""
    from sklearn.decomposition import PCA  # late: it takes two seconds to load
    from sklearn.mixture import GaussianMixture

    n = len(vectors_VD)
    alone = np.zeros(n, np.int64)
    if np.ptp(vectors_VD, axis=0).max() == 0:  # nothing tells them apart
        return alone
    leading = PCA(min(COMPONENTS, vectors_VD.shape[1]), random_state=seed).fit_transform(vectors_VD)
    spread = float(leading[:, 0].std())
    mixture = GaussianMixture(2, n_init=5, reg_covar=1e-3, random_state=seed)
    found = mixture.fit_predict(leading / spread).astype(np.int64)
    if found.sum() * 2 > n:
        found = 1 - found
    return found if found.sum() >= max(SMALLEST_CLUSTER, SMALLEST_SHARE * n) else alone


def match_clusters(clusters: TargetGroups, run: SeedRun, correct_SV: BoolArray) -> ClusterMatch:
    """How well the clusters match the dataset's groups, which decide nothing here."""
    given = given_groups(run)
    worst = given.worst(correct_SV)
    agreement = agreement_in_classes(clusters.groups_V, run.val.groups, run.val.labels)
    recall, precision = best_match(run.val.groups == worst, clusters.groups_V)
    sizes_G = np.bincount(clusters.groups_V, minlength=len(clusters.names_G)).tolist()
    if agreement is not None:
        _log.info(
            "%s: attribution clusters agree with the dataset's groups by %.2f inside classes (%s: recall "
            "%.0f %%, precision %.0f %%)",
            run.name, agreement, given.names_G[worst], 100 * recall, 100 * precision,
        )  # fmt: skip
    return ClusterMatch(
        sizes=dict(zip(clusters.names_G, sizes_G, strict=True)),
        adjusted_rand=agreement,
        worst_group=given.names_G[worst],
        worst_group_recall=recall,
        worst_group_precision=precision,
    )
