"""A constant has the balanced accuracy of chance, whatever the sizes of classes."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.statistics.accuracy.class_skill import measure_class_skill, measure_following
from tests.fixtures.report import photo_birds

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


@pytest.mark.parametrize(
    ("accuracies", "n_test", "found"),
    [
        ((1, 0, 0, 1), (300, 300, 300, 300), 1.0),  # the cue alone
        ((0.98, 0.15, 0.16, 0.99), (50, 450, 450, 50), 0.83),  # mostly images on which it is wrong
        ((1, 1, 0, 0), (300, 300, 300, 300), 0.0),  # a constant
        ((1, 1, 0, 0), (300, 30, 3, 900), 0.0),
        ((1, 1, 1, 1), (300, 300, 300, 300), 0.0),  # classes are known, the cue does nothing
        ((0.1, 0.1, 0.1, 0.1), (300, 300, 300, 300), 0.0),
        ((0.5, 0.5, 0.5, 0.5), (300, 300, 300, 300), 0.0),
        ((0, 1, 1, 0), (300, 300, 300, 300), -1.0),  # against the cue
    ],
)
def test_following_the_attribute_is_not_being_constant(
    accuracies: tuple[float, ...], n_test: tuple[int, ...], found: float
) -> None:
    info = photo_birds().info  # two labels, two values; labels are even numbers of groups
    groups = np.repeat(np.arange(4), n_test)
    right = np.concatenate([np.arange(n) < round(p * n) for p, n in zip(accuracies, n_test, strict=True)])
    labels = np.array([info.group_labels.index(g.label) for g in info.groups])[groups]
    goes = [g.n_train > 100 for g in info.groups]
    assert goes == [True, False, False, True]
    (own,) = measure_following(np.where(right, labels, 1 - labels)[None], groups, info)
    assert own.value == pytest.approx(found, abs=0.02)
    assert (own.low > 0.05) is (found > 0.5)


def test_several_classes_can_go_with_one_value() -> None:
    info = photo_birds().info
    classes = [f"c{k}" for k in range(4)]
    groups = [
        info.groups[0].model_copy(
            update={"label": c, "attribute": f"v{v}", "n_train": 95 if k % 2 == v else 5}
        )
        for k, c in enumerate(classes)
        for v in range(2)
    ]
    update = {"groups": groups, "group_labels": classes, "class_to_group_label": [0, 1, 2, 3]}
    four = info.model_copy(update=update)
    groups_N = np.tile(np.arange(8), 40)
    either = groups_N % 2 + 2 * (np.arange(320) // 8 % 2)
    found = measure_following(np.stack([either, np.zeros(320, int)]), groups_N, four)
    assert [own.value for own in found] == pytest.approx([1, 0])
    one = four.model_copy(update={"groups": [g.model_copy(update={"attribute": "v0"}) for g in groups]})
    assert measure_following(np.zeros((1, 320), int), groups_N, one) == []
