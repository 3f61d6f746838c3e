"""Whether a model tells classes apart at all, or does no better than one answer for every image.

Shape legend: S seeds, N images, K classes that have images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.results import ClassSkill
from pipeline.core.types import Int64Array
from pipeline.metrics.groups import weighted_average
from pipeline.metrics.seed_pool import pool_seeds


def measure_class_skill(
    predicted_SN: Int64Array,
    labels_N: Int64Array,
    classes: Sequence[str],
    sources_N: Int64Array | None = None,
) -> ClassSkill | None:
    """Balanced accuracy beside that of a constant; None where the images show fewer than two classes.

    Accuracy would not do: a constant has the largest class's share. Its balanced accuracy is 1/K
    whatever the class sizes and whichever class it names.

    Args:
        sources_N: scene or patient of each image: intervals are then for new ones.

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
    )
