"""Carved splits: exact sizes, no label or cell forgotten, given splits untouched, same seed same split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import InputError
from pipeline.data.splits import TEST, TRAIN, VAL, assign_splits
from tests.fixtures.data import data_settings

CLASSES = list("abcdefgh")


def assign(labels, attributes=None, given=None, **changes):
    labels = np.asarray(labels)
    attributes = np.zeros(len(labels), np.int64) if attributes is None else np.asarray(attributes)
    given = [None] * len(labels) if given is None else given
    return assign_splits(given, labels, attributes, classes=CLASSES, settings=data_settings(**changes))


def test_fractions_are_of_the_whole_and_stratified():
    labels = np.repeat([0, 1], [100, 50])
    attributes = np.tile([0, 0, 0, 0, 1], 30)
    found = assign(labels, attributes, val_fraction=0.1, test_fraction=0.2)
    for label, n in ((0, 100), (1, 50)):
        for attribute, share in ((0, 0.8), (1, 0.2)):
            cell = found.splits[(labels == label) & (attributes == attribute)]
            expected = n * share * np.array([0.7, 0.1, 0.2])
            np.testing.assert_allclose(np.bincount(cell, minlength=3), expected, atol=1)
    assert len(found.notes) == 2


def test_given_splits_stay_and_only_the_missing_one_is_carved():
    given = ["train"] * 40 + ["test"] * 10
    found = assign([0, 1] * 25, given=given)
    assert (found.splits[40:] == TEST).all()
    assert np.bincount(found.splits[:40]).tolist() == [32, 8]
    complete = assign([0, 1] * 6, given=["train"] * 4 + ["val"] * 4 + ["test"] * 4)
    np.testing.assert_array_equal(complete.splits, np.repeat([TRAIN, VAL, TEST], 4))
    assert complete.notes == []


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.lists(st.integers(0, 12), min_size=3, max_size=3), min_size=2, max_size=4),
    fractions=st.tuples(st.floats(0.02, 0.49), st.floats(0.02, 0.49)),
    seed=st.integers(0, 5),
)
def test_every_label_reaches_every_split_and_big_cells_too(sizes, fractions, seed):
    sizes = [cells if sum(cells) >= 3 else [3, 0, 0] for cells in sizes]
    labels = np.concatenate([np.full(sum(cells), i) for i, cells in enumerate(sizes)])
    attributes = np.concatenate([np.repeat(np.arange(3), cells) for cells in sizes])
    options = {"val_fraction": fractions[0], "test_fraction": fractions[1], "split_seed": seed}
    splits = assign(labels, attributes, **options).splits
    np.testing.assert_array_equal(splits, assign(labels, attributes, **options).splits)
    for label in range(len(sizes)):
        assert set(splits[labels == label]) == {TRAIN, VAL, TEST}
        for attribute in range(3):
            cell = splits[(labels == label) & (attributes == attribute)]
            if len(cell) >= 3:
                assert TEST in cell  # enough images: the group can be tested


def test_other_seed_other_split():
    first, second = (assign([0, 1] * 50, split_seed=seed).splits for seed in (0, 1))
    assert (first != second).any()


def test_too_small_a_class_names_it_and_the_need():
    with pytest.raises(InputError, match=r"class 'b' has 2 training image\(s\).*at least 3"):
        assign([0] * 10 + [1] * 2)
    with pytest.raises(InputError, match="class 'b' has 1"):
        assign([0] * 10 + [1], given=["train"] * 9 + ["test", "train"])


def test_some_rows_without_split_or_no_train():
    with pytest.raises(InputError, match="1 of 3 rows have no split"):
        assign([0, 1, 0], given=["train", None, "test"])
    with pytest.raises(InputError, match="no image is in the train split"):
        assign([0, 1], given=["val", "test"])
    with pytest.raises(InputError, match="'training' is not one of"):
        assign([0, 1], given=["training", "train"])


def test_max_per_class_thins_train_alone_and_keeps_proportions():
    labels, attributes = np.repeat([0, 1], 100), np.tile([0, 0, 0, 1], 50)
    given = (["train"] * 60 + ["val"] * 20 + ["test"] * 20) * 2
    found = assign(labels, attributes, given, max_per_class=20)
    assert (found.splits == -1).sum() == 80
    for label in (0, 1):
        kept = (found.splits == TRAIN) & (labels == label)
        assert np.bincount(attributes[kept]).tolist() == [15, 5]
    assert (found.splits == TEST).sum() == 40
    assert "80 training images were left out" in found.notes[0]
