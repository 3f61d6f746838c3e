"""Whether a model tells classes apart, or follows an attribute, or gives one answer to every image.

Shape legend: S seeds, N images, K classes that have images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.types import Int64Array
from pipeline.records.base import Estimate
from pipeline.records.data import DatasetInfo, GroupInfo
from pipeline.records.evaluation import ClassSkill
from pipeline.statistics.accuracy.balanced import kappa_from_balanced
from pipeline.statistics.accuracy.groups import weighted_average
from pipeline.statistics.seed_pool import pool_seeds


def measure_class_skill(
    predicted_SN: Int64Array,
    labels_N: Int64Array,
    classes: Sequence[str],
    sources_N: Int64Array | None = None,
    *,
    follows: Sequence[Estimate] = (),
) -> ClassSkill | None:
    """Balanced accuracy beside that of a constant; None where the images show fewer than two classes.

    Accuracy would not do: a constant has the largest class's share. Its balanced accuracy is 1/K
    whatever the class sizes and whichever class it names.

    Args:
        sources_N: scene or patient of each image: intervals are then for new ones.
        follows: what `measure_following` finds of the seeds.

    Returns:
        The mean over classes of the share of their images that are recognized, over seeds and images
        and for every seed alone (whose interval is for new images), and the classes that no seed names.
    """
    present_K = np.unique(labels_N)
    if len(present_K) < 2:
        return None
    correct_SN = predicted_SN == labels_N
    columns = {k: correct_SN[:, labels_N == label] for k, label in enumerate(present_K)}
    sources = (
        {} if sources_N is None else {k: sources_N[labels_N == label] for k, label in enumerate(present_K)}
    )
    recall_SK = np.stack([column.mean(axis=1) for column in columns.values()], axis=1)
    ones_K = np.ones(len(present_K))
    named = set(np.unique(predicted_SN).tolist())
    return ClassSkill(
        balanced_accuracy=weighted_average(
            columns, recall_SK, ones_K, pool_seeds(list(columns.values())), sources
        ),
        per_seed=[
            weighted_average({k: c[[s]] for k, c in columns.items()}, recall_SK[[s]], ones_K, None, sources)
            for s in range(len(predicted_SN))
        ],
        n_classes=len(present_K),
        never_predicted=[classes[label] for label in present_K if int(label) not in named],
        follows=list(follows),
    )


def measure_following(
    predicted_SN: Int64Array, groups_N: Int64Array, info: DatasetInfo, sources_N: Int64Array | None = None
) -> list[Estimate]:
    """How far each seed names the labels that an image's attribute value goes with, on kappa's scale.

    A model that follows the attribute alone recognizes no class of a balanced test split, as a constant
    does, and gets 1 here; a constant gets at most 0, and so does a model that says the same of a class
    whatever the value: every label with the value counts alike.

    Args:
        groups_N: cell of (label, attribute value) of each image.

    Returns:
        One estimate per seed; empty where test images' values go with fewer than two sets of labels.
    """
    code_L, code_G = _codes(info.groups, info.group_labels)
    value_N = code_G[groups_N]
    present = np.unique(value_N[value_N >= 0])
    if len(present) < 2:
        return []
    follows_SN = code_L[np.asarray(info.class_to_group_label)[predicted_SN]] == value_N
    labels_N = np.array([info.group_labels.index(group.label) for group in info.groups])[groups_N]
    cells = np.unique(np.stack([value_N, labels_N])[:, value_N >= 0], axis=1).T
    masks = [(value_N == value) & (labels_N == label) for value, label in cells]
    columns = {i: follows_SN[:, mask] for i, mask in enumerate(masks)}
    sources = {} if sources_N is None else {i: sources_N[mask] for i, mask in enumerate(masks)}
    weights = np.array([1 / (cells[:, 0] == value).sum() for value, _ in cells])
    share_SC = np.stack([column.mean(axis=1) for column in columns.values()], axis=1)
    return [
        _on_kappa_scale(
            weighted_average({i: c[[s]] for i, c in columns.items()}, share_SC[[s]], weights, None, sources),
            len(present),
        )
        for s in range(len(predicted_SN))
    ]


def _codes(groups: Sequence[GroupInfo], labels: Sequence[str]) -> tuple[Int64Array, Int64Array]:
    """Codes per label and per group, alike where the label goes with the group's value; -1 for neither.

    Going with: the value's share of the label's training images is most above its mean share (a label's
    frequency does not count). Where values are fewer, several labels share one; else labels several values.
    """
    values = sorted({group.attribute for group in groups})
    n_train_LV = np.zeros((len(labels), len(values)))
    for group in groups:
        n_train_LV[labels.index(group.label), values.index(group.attribute)] += group.n_train
    share_LV = n_train_LV / np.maximum(n_train_LV.sum(axis=1, keepdims=True), 1)
    above_LV = share_LV - share_LV.mean(axis=0)
    if len(values) <= len(labels):
        code_L, code_V = above_LV.argmax(axis=1), np.arange(len(values))
        code_V = np.where(np.isin(code_V, code_L), code_V, -1)
    else:
        code_L, code_V = np.arange(len(labels)), above_LV.argmax(axis=0)
    code_V = np.where(n_train_LV.any(axis=0), code_V, -1)
    return code_L, code_V[[values.index(group.attribute) for group in groups]]


def _on_kappa_scale(balanced: Estimate, n_labels: int) -> Estimate:
    value, low, high = (
        kappa_from_balanced(x, n_labels) for x in (balanced.value, balanced.low, balanced.high)
    )
    return Estimate(value=value, low=low, high=high, n=balanced.n)
