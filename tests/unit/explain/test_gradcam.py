"""GradCAM from images to the record: a planted patch must be found, and nothing where it is no cue."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.core.errors import InputError, TrainingError
from pipeline.core.types import Split
from pipeline.explain.cam.overlays import draw_overlay
from pipeline.explain.cam.run import GradcamRun, run_gradcam
from pipeline.explain.cam.sampling import choose_balanced
from pipeline.models.interface import Classifier
from pipeline.pixels.resize import resize_image
from pipeline.records.base import Provenance
from pipeline.statistics.sampling import choose_by_group
from tests.fixtures.cam import PATCH, SETTINGS, SIDE, gradcam, make_info, make_split, train

pytestmark = pytest.mark.slow
MAPS_ALONE = SETTINGS.model_copy(update={"faithfulness_images": 0, "sanity_images": 0})


@pytest.fixture(scope="module")
def patch_readers() -> list[Classifier]:
    split = make_split(1024, 1, rho=1.0)
    return [train(split, seed) for seed in (0, 1)]


@pytest.fixture(scope="module")
def test_split() -> Split:
    return make_split(300, 2, rho=0.0)


@pytest.fixture(scope="module")
def found(patch_readers: list[Classifier], test_split: Split) -> GradcamRun:
    return gradcam(patch_readers, test_split)


def test_a_planted_patch_is_where_the_energy_is(found):
    result = found.result
    assert result.mask_area == pytest.approx(PATCH**2 / SIDE**2)
    assert result.lift is not None
    assert result.lift.value >= 4
    assert result.lift.low < result.lift.value < result.lift.high
    assert result.energy_in_mask is not None
    assert result.energy_in_mask.value > 4 * result.mask_area
    assert [group.name for group in result.groups] == [group.name for group in make_info().groups]
    # A class can be known by the absence of the others' colors, so not every group must be high.
    energies = [group.energy_in_mask.value for group in result.groups if group.energy_in_mask]
    assert np.median(energies) > 4 * result.mask_area
    assert result.computed_by == "grad-cam"  # a stage before the last
    assert (result.layer, result.cells, result.n_models) == ("stages.2", [8, 8], 2)
    assert result.n_images == len(choose_by_group(make_split(300, 2, rho=0.0).groups, 20, 0))


def test_every_model_shows_it_clearly(patch_readers, test_split):
    """One by one: two models leave the interval of their mean wide (one degree of freedom)."""
    for model in patch_readers:
        result = gradcam([model], test_split).result
        assert result.lift is not None
        assert result.lift.low > 4
        assert result.pointing is not None
        assert result.pointing.low > 0.9
        assert result.pointing_by_chance is not None
        assert result.pointing_by_chance < 0.2
        assert result.faithfulness is not None
        assert result.faithfulness.over_random.low > 0
        assert result.faithfulness.over_center.low > 0
        assert result.faithfulness.random.low < 0 < result.faithfulness.random.high
        assert [step.layer for step in result.sanity] == ["head", *(f"stages.{i}" for i in (3, 2, 1, 0))]
        assert all(step.spearman.value < 0.5 for step in result.sanity)


def test_a_patch_that_is_no_cue_is_not_found():
    """The lightness of all the rest decides, so the patch is where the map is lower."""
    model = train(make_split(1024, 3, rho=0.0, shift=40), seed=0)
    result = gradcam([model], make_split(300, 2, rho=0.0, shift=40), MAPS_ALONE).result
    assert result.lift is not None
    assert result.lift.high < 1
    assert result.pointing is not None
    assert result.pointing.value < 0.3


def test_the_last_stage_is_mapped_in_closed_form(patch_readers, test_split):
    run = gradcam(patch_readers[:1], test_split, SETTINGS.model_copy(update={"min_cells": 4}))
    assert (run.result.layer, run.result.computed_by) == ("stages.3", "closed form")
    assert run.maps_SNhw.shape == (1, run.result.n_images, 4, 4)


def test_groups_carry_every_number(found, test_split):
    result = found.result
    rows = choose_by_group(test_split.groups, 20, 0)
    for index, group in enumerate(result.groups):
        assert group.n <= (test_split.groups[rows] == index).sum()
        assert group.blank_rate is not None
        assert group.pointing is not None
        assert group.sufficient == (group.n >= 10)
        assert group.lift is None or group.lift.n == group.n
        assert group.faithfulness is None  # 40 images over 16 groups: too few in each


def test_checks_can_be_switched_off(patch_readers, test_split):
    result = gradcam(patch_readers[:1], test_split, MAPS_ALONE).result
    assert (result.faithfulness, result.sanity) == (None, [])


def test_weights_that_are_not_finite_are_an_error(test_split):
    model = train(make_split(64, 4, rho=0.0), 0, epochs=0)
    with torch.no_grad():
        model.head.weight[:] = np.nan
    with pytest.raises(TrainingError, match=r"not finite.*train\.lr"):
        gradcam([model], test_split)


def test_images_without_a_mask_are_left_out_of_what_masks_say(patch_readers, test_split):
    assert test_split.masks is not None
    masks = test_split.masks.copy()
    masks[::2] = 0
    result = gradcam(patch_readers[:1], dataclasses.replace(test_split, masks=masks), MAPS_ALONE).result
    whole = gradcam(patch_readers[:1], test_split, MAPS_ALONE).result
    assert result.pointing is not None
    assert whole.pointing is not None
    assert result.pointing.n < 0.7 * whole.pointing.n
    assert result.pointing.value == whole.pointing.value == 1
    assert result.lift is not None
    assert result.lift.low > 4
    without = dataclasses.replace(test_split, masks=0 * masks)
    none = gradcam(patch_readers[:1], without, MAPS_ALONE).result
    assert (none.energy_in_mask, none.lift, none.pointing, none.pointing_by_chance) == (None,) * 4
    assert none.mask_area == 0


def test_untrained_models_show_no_lift_worth_the_name(test_split):
    models = [train(make_split(64, 4, rho=0.0), seed, epochs=0) for seed in range(3)]
    result = gradcam(models, test_split, MAPS_ALONE).result
    assert result.lift is not None
    assert result.lift.value < 2


def test_pictures_are_failures_of_the_worst_and_successes_of_the_best_group(found, test_split):
    result, pictures = found.result, found.pictures
    roles = [overlay.role for overlay in result.overlays]
    assert roles == ["failure_in_worst_group"] * 3 + ["success_in_best_group"] * 3
    for overlay in result.overlays:
        row = overlay.id - 500
        assert overlay.label == test_split.labels[row]
        assert overlay.group == test_split.groups[row] == (1 if "failure" in overlay.role else 5)
        assert (overlay.predicted == overlay.label) == (overlay.role == "success_in_best_group")
        assert pictures[overlay.image].shape == (64, 64, 3)
        assert pictures[overlay.image].dtype == np.uint8
    assert sorted(pictures) == sorted(overlay.image for overlay in result.overlays)


def test_the_same_run_gives_the_same_record(found, patch_readers, test_split):
    again = gradcam(patch_readers, test_split)
    assert again.result.model_copy(update={"seconds": 0.0}) == found.result.model_copy(
        update={"seconds": 0.0}
    )
    assert all(np.array_equal(again.pictures[name], found.pictures[name]) for name in found.pictures)
    np.testing.assert_array_equal(again.maps_SNhw, found.maps_SNhw)


def test_without_masks_nothing_is_said_of_the_foreground(patch_readers, test_split):
    result, pictures, _ = gradcam(patch_readers, dataclasses.replace(test_split, masks=None))
    assert (result.energy_in_mask, result.mask_area, result.lift) == (None, None, None)
    assert (result.pointing, result.pointing_by_chance) == (None, None)
    for group in result.groups:
        assert (group.energy_in_mask, group.lift, group.pointing) == (None, None, None)
        assert group.blank_rate is not None
    assert result.faithfulness is not None  # needs no masks
    assert all(overlay.energy_in_mask is None for overlay in result.overlays)
    assert len(pictures) == 6


def test_only_the_allowed_number_of_models_is_used(patch_readers, test_split):
    result = gradcam(patch_readers, test_split, SETTINGS.model_copy(update={"max_models": 1})).result
    assert result.n_models == 1


def test_blank_maps_are_counted_and_left_out(test_split):
    """A network of ReLU features whose head counts them against class 1 has no evidence for it."""
    model = train(make_split(64, 4, rho=0.0), 0, epochs=0)
    model.stages[3] = nn.Identity()
    model.head = nn.Linear(16, 4)
    with torch.no_grad():
        model.head.weight[:] = -0.1
        model.head.bias.copy_(torch.tensor([0.0, 100.0, 0.0, 0.0]))  # so class 1 is predicted for all
    result, pictures, _ = gradcam([model], test_split, worst=0, best=5)
    assert result.blank_rate == 1.0
    assert (result.energy_in_mask, result.lift, result.pointing) == (None, None, None)
    assert (result.faithfulness, result.sanity) == (None, [])
    assert [(group.n, group.sufficient) for group in result.groups] == [(0, False)] * 16
    assert len(pictures) == 6
    assert all(overlay.energy_in_mask is None for overlay in result.overlays)


def test_no_models_is_an_error(test_split):
    with pytest.raises(InputError, match="needs images and models, got 10 and 0"):
        run_gradcam(
            method="erm",
            models=[],
            test=test_split,
            rows=np.arange(10),
            predicted_SN=np.zeros((0, 10), np.int64),
            worst_group=0,
            best_group=0,
            info=make_info(),
            settings=SETTINGS,
            provenance=Provenance(),
        )


def test_sampled_rows_are_stratified_sorted_and_seeded():
    split = make_split(200, 0, rho=0.5)
    rows = choose_by_group(split.groups, 10, seed=3)
    assert (np.diff(rows) > 0).all()
    expected = np.minimum(10, np.bincount(split.groups, minlength=16))
    np.testing.assert_array_equal(np.bincount(split.groups[rows], minlength=16), expected)
    np.testing.assert_array_equal(rows, choose_by_group(split.groups, 10, seed=3))
    assert not np.array_equal(rows, choose_by_group(split.groups, 10, seed=4))
    np.testing.assert_array_equal(choose_by_group(split.groups, 10**6, seed=0), np.arange(200))


def test_a_balanced_part_takes_one_of_each_group_before_two_of_any():
    groups = np.array([0] * 50 + [1] * 3 + [3] * 20)
    for n, counts in ((3, [1, 1, 0, 1]), (9, [3, 3, 0, 3]), (23, [10, 3, 0, 10]), (99, [50, 3, 0, 20])):
        chosen = choose_balanced(groups, n, seed=0)
        assert (np.diff(chosen) > 0).all()
        np.testing.assert_array_equal(np.bincount(groups[chosen], minlength=4), counts)
    # What groups cannot share evenly goes to another one with another seed.
    extra = {int(np.bincount(groups[choose_balanced(groups, 4, s)], minlength=4).argmax()) for s in range(20)}
    assert extra == {0, 1, 3}
    assert len(choose_balanced(groups, 0, seed=0)) == 0


def test_an_overlay_colors_the_peak_and_leaves_the_rest():
    image = np.full((16, 16, 3), 90, np.uint8)
    peak = np.zeros((4, 4), np.float32)
    peak[0, 0] = 1e-9  # raw maps have any scale
    drawn = draw_overlay(image, peak, None, 64)
    assert np.abs(drawn[0, 0].astype(int) - 90).max() > 40
    np.testing.assert_array_equal(drawn[32:, 32:], 90)
    np.testing.assert_array_equal(draw_overlay(image, 0 * peak, None, 64), np.full((64, 64, 3), 90))


def test_a_blank_map_still_gets_the_masks_outline():
    image, mask = np.full((16, 16, 3), 90, np.uint8), np.zeros((16, 16), np.uint8)
    mask[4:12, 4:12] = 255
    drawn = draw_overlay(image, np.zeros((4, 4), np.float32), mask, 64)
    np.testing.assert_array_equal(drawn[16, 32], 255)
    np.testing.assert_array_equal(drawn[32, 32], 90)
    np.testing.assert_array_equal(drawn[2, 2], 90)


@pytest.mark.parametrize("size", [8, 16, 40])
def test_pictures_have_the_wanted_size(size):
    assert resize_image(np.zeros((16, 16, 3), np.uint8), size).shape == (size, size, 3)
