"""Whose background an image gets, and which images take part."""

from __future__ import annotations

import numpy as np

from pipeline.explain.reliance.backgrounds import draw_donors, usable_masks
from tests.fixtures.explain import make_split


def test_donors_differ_or_agree_in_the_attribute_and_never_are_the_image_itself() -> None:
    test = make_split()
    donors = draw_donors(test.labels, test.attributes, seed=1)
    np.testing.assert_array_equal(donors.rows, np.arange(160))
    assert (test.attributes[donors.other] != test.attributes).all()
    assert (test.attributes[donors.same] == test.attributes).all()
    assert (donors.same != donors.rows).all()
    assert (test.labels[donors.other] == test.labels).all()  # own class: it has donors enough
    assert (test.labels[donors.same] == test.labels).all()


def test_where_the_own_class_has_too_few_donors_both_kinds_come_from_any_class() -> None:
    test = make_split()
    rare = (test.labels == 0) & (test.attributes == 1)
    test = test.take(~rare | (np.cumsum(rare) <= 3))
    donors = draw_donors(test.labels, test.attributes, seed=0)
    dark_on_red = (test.labels == 0) & (test.attributes == 0)
    assert set(test.labels[donors.other[dark_on_red]]) == {0, 1}
    assert set(test.labels[donors.same[dark_on_red]]) == {0, 1}
    assert (test.attributes[donors.other] != test.attributes).all()


def test_nobody_has_donors_where_there_is_one_background_or_no_image() -> None:
    assert len(draw_donors(np.array([0, 1, 0, 1]), np.zeros(4, np.int64), seed=0).rows) == 0
    assert len(draw_donors(np.zeros(0, np.int64), np.zeros(0, np.int64), seed=0).rows) == 0


def test_images_with_empty_or_nearly_full_masks_are_not_used() -> None:
    masks = np.zeros((5, 10, 10), np.uint8)
    masks[1] = 255
    masks[2, :8] = 255  # 80 %
    masks[3, :8], masks[3, 8, 0] = 255, 255  # a pixel more
    masks[4, 0, 0] = 255
    np.testing.assert_array_equal(
        usable_masks(masks, np.array([4, 0, 1, 2, 3]), batch_size=2), [True, False, False, True, False]
    )
