"""The changed images that are kept are the very ones that were predicted, chosen by the rule."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.artifacts.edited import EditedImages
from pipeline.core.types import Split
from pipeline.explain.reliance.changed import predict_classes
from pipeline.explain.reliance.kept import KEPT
from pipeline.models.interface import Classifier
from tests.fixtures.explain import (
    LUMA_READER,
    NOISE_READER,
    SQUARE_READER,
    WALL_READER,
    make_info,
    make_split,
    run_reliance,
)


def rows_of(found: EditedImages, edit: str) -> EditedImages:
    return EditedImages(*(part[found.edits_M == edit] for part in found))


def groups_of(found: EditedImages, test: Split) -> list[int]:
    place = {int(image): row for row, image in enumerate(test.ids)}
    return [int(test.groups[place[int(image)]]) for image in found.ids_M]


@pytest.mark.parametrize("model", [WALL_READER, SQUARE_READER, LUMA_READER], ids=["wall", "square", "luma"])
@pytest.mark.parametrize("batch_size", [256, 7])
def test_predicting_the_kept_pixels_gives_the_kept_classes(model: Classifier, batch_size: int) -> None:
    test = make_split()
    reliance = run_reliance([model, NOISE_READER], test, batch_size=batch_size)
    found = reliance.edited
    shown = [i.name for i in reliance.interventions] + [e.name for e in reliance.cue_use.exchanges]
    assert set(found.edits_M.tolist()) == set(shown)
    assert len(found.ids_M) == KEPT * len(set(shown))
    np.testing.assert_array_equal(predict_classes([model], found.images_MHW3)[0], found.after_M)
    place = {int(image): row for row, image in enumerate(test.ids)}
    rows = np.array([place[int(image)] for image in found.ids_M])
    np.testing.assert_array_equal(predict_classes([model], test.images[rows])[0], found.before_M)


def test_batches_and_the_order_of_rows_do_not_matter() -> None:
    test = make_split()
    shuffled = test.take(np.random.default_rng(1).permutation(len(test)))
    whole = run_reliance([WALL_READER], test).edited
    for other in (
        run_reliance([WALL_READER], test, batch_size=5).edited,
        run_reliance([WALL_READER], test, batch_size=1).edited,
    ):
        for one, same in zip(whole, other, strict=True):
            np.testing.assert_array_equal(one, same)
    moved = run_reliance([WALL_READER], shuffled).edited
    for edit in ("greyscale", "patch_shuffle"):  # no donors, which are drawn from the rows
        np.testing.assert_array_equal(rows_of(whole, edit).images_MHW3, rows_of(moved, edit).images_MHW3)


def test_flipped_images_whose_cue_misleads_come_first_then_by_id() -> None:
    test = make_split()
    swap = rows_of(run_reliance([WALL_READER], test).edited, "background_swap")
    assert (swap.before_M != swap.after_M).all()
    assert set(groups_of(swap, test)) <= {1, 2}  # the groups that are rare in training
    misled = np.isin(test.groups, [1, 2])
    np.testing.assert_array_equal(swap.ids_M, np.sort(test.ids[misled])[:KEPT])


def test_where_nothing_flips_an_image_that_stays_is_kept() -> None:
    """The null: a model of brightness is moved by no edit of color, and a picture is shown all the same."""
    test = make_split(masks=False)
    found = rows_of(run_reliance([LUMA_READER], test).edited, "greyscale")
    np.testing.assert_array_equal(found.before_M, found.after_M)
    np.testing.assert_array_equal(found.ids_M, np.sort(test.ids[np.isin(test.groups, [1, 2])])[:KEPT])


def test_a_flip_in_a_group_whose_cue_fits_comes_before_an_image_that_stays() -> None:
    test = make_split()
    only_aligned = test.take(np.isin(test.groups, [0, 3]))
    found = rows_of(run_reliance([WALL_READER], only_aligned).edited, "hue_rotation")
    assert (found.before_M != found.after_M).all()


def test_without_masks_or_cue_there_is_no_background_and_nothing_breaks() -> None:
    bare = make_split(masks=False)
    found = run_reliance([WALL_READER], bare, make_info(origin="inferred")).edited
    plain = {"greyscale", "hue_rotation", "saturation", "patch_shuffle"}
    assert plain <= set(found.edits_M.tolist()) <= plain | {"color_exchange"}
    assert found.images_MHW3.dtype == np.uint8


def test_fewer_images_than_are_kept() -> None:
    found = run_reliance([WALL_READER], make_split(2, masks=False)).edited
    assert len(rows_of(found, "greyscale").ids_M) == 2
    grey = dataclasses.replace(make_split(4, masks=False), images=np.full((4, 16, 16, 3), 90, np.uint8))
    same = rows_of(run_reliance([WALL_READER], grey).edited, "greyscale")
    np.testing.assert_array_equal(same.images_MHW3, np.full((3, 16, 16, 3), 90))
