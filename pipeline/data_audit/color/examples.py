"""Images whose class color alone tells best and worst.

Shape legend: N images.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Float64Array, PackedSplit
from pipeline.records.color import ColorExamples


def class_examples(
    split: PackedSplit, p_true_N: Float64Array, class_names: list[str], n_examples: int
) -> list[ColorExamples]:
    """Ids of the images most and least typical of their class's color, by out-of-fold probability.

    At most `n_examples` of each per class; a class with fewer than twice as many images shows half of
    them each way, so that no image is both. Empty where `n_examples` is 0.

    Args:
        p_true_N: probability that a color-only classifier, not fitted on the image, gives its class.
    """
    if n_examples == 0:
        return []
    order = np.lexsort((split.ids, -p_true_N))  # most typical first, ties by id
    found = []
    for k, name in enumerate(class_names):
        rows = order[split.labels[order] == k]
        n = min(n_examples, len(rows) // 2)
        found.append(
            ColorExamples(
                class_name=name,
                typical=split.ids[rows[:n]].tolist(),
                atypical=split.ids[rows[len(rows) - n :][::-1]].tolist(),
            )
        )
    return found
