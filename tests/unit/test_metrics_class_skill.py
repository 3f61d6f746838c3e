"""A constant has the balanced accuracy of chance, whatever the sizes of classes."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.metrics.class_skill import measure_class_skill

CLASSES = ["cat", "dog", "fox"]


def test_by_hand() -> None:
    labels = np.repeat([0, 1, 2], [10, 20, 70])
    predicted = labels.copy()
    predicted[:5] = 1
    predicted[30:] = 0
    found = measure_class_skill(np.stack([predicted, labels]), labels, CLASSES)
    assert found is not None
    assert found.balanced_accuracy.value == pytest.approx((0.75 + 1 + 0.5) / 3)
    assert [own.value for own in found.per_seed] == pytest.approx([0.5, 1.0])
    assert (found.n_classes, found.never_predicted) == (3, [])
    assert found.per_seed[1].low < 1  # all right is not known exactly


@pytest.mark.parametrize("sizes", [(50, 50), (5, 95), (95, 5)])
def test_a_constant_is_not_above_chance(sizes: tuple[int, int]) -> None:
    labels = np.repeat([0, 2], sizes)
    found = measure_class_skill(np.zeros((3, 100), int), labels, CLASSES)
    assert found is not None
    assert found.balanced_accuracy.low < found.chance == 0.5 == found.balanced_accuracy.value
    assert found.never_predicted == ["fox"]  # dog has no images
    assert measure_class_skill(np.zeros((1, 9), int), np.zeros(9, int), CLASSES) is None
