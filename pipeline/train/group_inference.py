"""Groups inferred from a base model, for datasets whose attribute is missing or withheld.

Two ways, both inside the classes: whether the model errs on an image, or clusters of its embeddings. Errors
are those of a model that was trained briefly: one that has learned the minority makes none.
Where the dataset has groups of its own they score the inferred ones, and train nothing.

Shape legend: N training images, V validation images, D features, K classes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

import numpy as np

from pipeline.core.errors import CannotTrainError
from pipeline.core.types import BoolArray, Float32Array, Int64Array, PackedSplit
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits
from pipeline.parallel.rank import current_world
from pipeline.records.training import GroupInference
from pipeline.settings.methods import GroupSettings
from pipeline.statistics.accuracy.worst_group import worst_counted
from pipeline.train.fitting import SeedRun
from pipeline.train.groups import Groups
from pipeline.train.loop import Outcome

_log = logging.getLogger(__name__)
Kind = Literal["errors", "clusters", "first_model_errors"]
RECOVERED = 0.5  # least chance-corrected agreement that is called a recovery
MAX_COMPONENTS = 8  # of the embeddings, before they are clustered


def infer_groups(run: SeedRun, method: GroupSettings) -> tuple[Groups, GroupInference]:
    """Groups of both splits from the base model of this seed, and how well they match the dataset's.

    Raises:
        CannotTrainError: `inference: errors`, and the model makes no mistakes on the training images.
    """
    if method.inference == "errors" and method.inference_epochs is not None:
        base = run.fit_short_base(method.inference_epochs)
    else:
        base = run.fit_base()
    model = run.network(run.base.settings, base.weights)
    if method.inference == "clusters":
        found = cluster_groups(
            (run.base.embed(model, run.train), run.train.labels),
            (run.base.embed(model, run.val), run.val.labels),
            run.info.classes,
            per_class=method.clusters_per_class,
            seed=run.seed,
        )
        groups = current_world().share(found)
        return groups, score_groups(groups, run, base, kind="clusters")
    groups = current_world().share(error_groups(model, run))
    if not is_error(groups.train_N).any():
        raise CannotTrainError(
            f"{run.base.label} makes no mistakes on the {len(run.train)} training images (seed {run.seed}), "
            f"so its errors form no groups. Set methods.{run.name}.inference_epochs to a lower number, "
            f"such as 2, or methods.{run.name}.inference: clusters."
        )
    return groups, score_groups(groups, run, base, kind="errors")


def error_groups(model: Classifier, run: SeedRun) -> Groups:
    """Class x whether the model errs: of class k group 2k is right, group 2k + 1 wrong."""
    found = []
    for split in (run.train, run.val):
        found.append(2 * split.labels + errs(model, split))
    return Groups(
        found[0], found[1], [f"{c}, {what}" for c in run.info.classes for what in ("right", "wrong")]
    )


def errs(model: Classifier, split: PackedSplit) -> BoolArray:
    """N, whether the model errs on each image."""
    wrong_N: BoolArray = predict_logits(model, split.images).argmax(1) != split.labels
    return wrong_N


def is_error(error_groups_N: Int64Array) -> BoolArray:
    """Which images lie in a group of errors, see `error_groups`."""
    wrong_N: BoolArray = error_groups_N % 2 == 1
    return wrong_N


def cluster_groups(
    train: tuple[Float32Array, Int64Array],
    val: tuple[Float32Array, Int64Array],
    classes: Sequence[str],
    *,
    per_class: int,
    seed: int,
) -> Groups:
    """Class x cluster of the class's embeddings, numbered from the largest cluster to the smallest.

    A Gaussian mixture on the leading principal components: unlike k-means it finds clusters of very
    different sizes. Classes with too few images stay whole.

    Args:
        train, val: embeddings N x D and labels N of a split.

    Source: clusters of embeddings inside classes, Sohoni et al. 2020 (arXiv:2011.12945).
    """
    from sklearn.decomposition import PCA  # late: it takes two seconds to load
    from sklearn.mixture import GaussianMixture
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    (embeddings_ND, labels_N), (embeddings_VD, labels_V) = train, val
    train_N, val_V = per_class * labels_N, per_class * labels_V
    for k in np.unique(labels_N):
        in_train, in_val = labels_N == k, labels_V == k
        n_components = min(MAX_COMPONENTS, embeddings_ND.shape[1], int(in_train.sum()) // (4 * per_class))
        if n_components == 0:
            continue
        clusterer = make_pipeline(
            StandardScaler(),
            PCA(n_components, random_state=seed),
            GaussianMixture(per_class, n_init=5, reg_covar=1e-3, random_state=seed),
        )
        found = clusterer.fit(embeddings_ND[in_train]).predict(embeddings_ND[in_train])
        rank = np.argsort(np.argsort(-np.bincount(found, minlength=per_class), kind="stable"))
        train_N[in_train] += rank[found]
        if in_val.any():
            val_V[in_val] += rank[clusterer.predict(embeddings_VD[in_val])]
    return Groups(train_N, val_V, [f"{name}, cluster {c + 1}" for name in classes for c in range(per_class)])


def distances_to_center(embeddings_ND: Float32Array, groups_N: Int64Array) -> Float32Array:
    """N, how far each image is from the mean of its group, in the group's own standard deviations.

    >>> distances_to_center(np.array([[0.0], [1.0], [2.0], [7.0]], np.float32), np.array([0, 0, 0, 1]))[1]
    np.float32(0.0)
    """
    distances_N = np.zeros(len(groups_N), np.float32)
    for g in np.unique(groups_N):
        rows = np.flatnonzero(groups_N == g)
        own = embeddings_ND[rows].astype(np.float64)
        spread_D = own.std(axis=0)
        own = (own - own.mean(axis=0)) / np.where(spread_D > 0, spread_D, 1.0)
        distances_N[rows] = np.sqrt((own**2).mean(axis=1))
    return distances_N


def score_groups(groups: Groups, run: SeedRun, base: Outcome, *, kind: Kind) -> GroupInference:
    """How well inferred groups match the dataset's own, which train nothing.

    The group to find is the one where `base`, the model they are inferred from, has its lowest
    validation accuracy, of those with enough validation images.
    """
    accuracies = base.history[base.selected_epoch].val_accuracy
    n_val_G = np.bincount(run.val.groups, minlength=len(accuracies))
    found_worst = worst_counted(accuracies, n_val_G, run.settings.min_val)
    assert found_worst is not None, "plans of inferred groups need validation images"
    worst, _ = found_worst
    agreement = agreement_in_classes(groups.train_N, run.train.groups, run.train.labels)
    recall, precision = best_match(run.train.groups == worst, groups.train_N)
    found = GroupInference(
        seed=run.seed,
        kind=kind,
        sizes=dict(zip(groups.names, groups.n_train(), strict=True)),
        adjusted_rand=agreement,
        worst_group=run.info.groups[worst].name,
        worst_group_recall=recall,
        worst_group_precision=precision,
        recovered=agreement is not None and agreement >= RECOVERED,
    )
    if agreement is not None:
        _log.log(
            logging.INFO if found.recovered else logging.WARNING,
            "%s seed %d: inferred groups %s the dataset's (agreement inside classes %.2f; %s: recall "
            "%.0f %%, precision %.0f %%)",
            run.name, run.seed, "match" if found.recovered else "do not match", agreement,
            found.worst_group, 100 * recall, 100 * precision,
        )  # fmt: skip
    return found


def agreement_in_classes(inferred_N: Int64Array, groups_N: Int64Array, labels_N: Int64Array) -> float | None:
    """Adjusted Rand index inside each class, averaged with the classes' sizes; None where nothing is split.

    Inside the classes, because both groupings know the class: over all images even a useless one
    would seem to agree.
    """
    from sklearn.metrics import adjusted_rand_score  # late: it takes two seconds to load

    found = []
    for k in np.unique(labels_N):
        members = labels_N == k
        if len(np.unique(groups_N[members])) > 1:
            found.append((adjusted_rand_score(groups_N[members], inferred_N[members]), int(members.sum())))
    if not found:
        return None
    scores, sizes = zip(*found, strict=True)
    return float(np.average(scores, weights=sizes))


def best_match(is_wanted_N: BoolArray, inferred_N: Int64Array) -> tuple[float, float]:
    """Recall and precision of the inferred group with the largest intersection over union."""
    n_wanted = int(is_wanted_N.sum())
    best = (-1.0, 0.0, 0.0)
    for g in np.unique(inferred_N):
        n_group, both = int((inferred_N == g).sum()), int((is_wanted_N & (inferred_N == g)).sum())
        best = max(best, (both / (n_wanted + n_group - both), both / max(1, n_wanted), both / n_group))
    return best[1], best[2]
