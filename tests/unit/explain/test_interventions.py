"""Models that read one known thing: exactly the interventions on that thing must move them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.core.types import Split
from pipeline.explain.reliance.changed import Changed, choose_rows, predict_classes
from pipeline.explain.reliance.cue_use import choose_cue
from pipeline.explain.reliance.edits import to_grey
from pipeline.explain.reliance.interventions import INTERVENTIONS
from pipeline.explain.reliance.measure import Measure, aligned_groups, measure_reliance
from pipeline.models.interface import Classifier
from pipeline.records.data import DatasetInfo, GroupInfo
from pipeline.records.evaluation import Intervention
from pipeline.statistics.accuracy.groups import split_metrics
from pipeline.statistics.accuracy.worst_group import WorstGroup, lowest_of
from tests.fixtures.explain import (
    LAYOUT_READER,
    LUMA_READER,
    NOISE_READER,
    SPREAD_READER,
    SQUARE_READER,
    WALL_READER,
    make_info,
    make_settings,
    make_split,
    make_train,
    run_reliance,
)

pytestmark = pytest.mark.slow

PLAIN = ["greyscale", "hue_rotation", "saturation", "patch_shuffle"]
MASKED = ["background_fill", "background_blur", "background_swap", "foreground_removal"]


def run(model: Classifier, *args: Any, **more: Any) -> dict[str, Intervention]:
    return {item.name: item for item in run_reliance([model], *args, **more).interventions}


def bright_halves() -> Split:
    """The upper or the lower half of every image is bright: only where things are tells the classes."""
    test = make_split()
    images = np.full_like(test.images, 60)
    images[test.labels == 1, :8], images[test.labels == 0, 8:] = 180, 180
    return dataclasses.replace(test, images=images, masks=None)


def soft_walls() -> Split:
    """Walls whose opposite hue exists at the same brightness: turning it costs no colorfulness."""
    test = make_split()
    walls = np.array([[150, 90, 90], [90, 90, 150]], np.uint8)[test.attributes][:, None, None]
    assert test.masks is not None
    return dataclasses.replace(test, images=np.where(test.masks[..., None] > 0, np.uint8(128), walls))


@pytest.mark.parametrize(
    ("model", "test", "moving"),
    [
        (WALL_READER, make_split(), {"greyscale", "hue_rotation", "background_fill", "background_swap"}),
        (SQUARE_READER, make_split(), {"patch_shuffle", "foreground_removal"}),
        (SPREAD_READER, soft_walls(), {"greyscale", "saturation", "background_fill"}),
        (LUMA_READER, make_split(masks=False), set()),  # the mean brightness survives all of them
        (LAYOUT_READER, bright_halves(), {"patch_shuffle"}),
    ],
    ids=["wall", "square", "colorfulness", "brightness", "layout"],
)
def test_exactly_the_interventions_on_what_a_model_reads_move_it(
    model: Classifier, test: Split, moving: set[str]
) -> None:
    found = run(model, test)
    assert list(found) == (PLAIN if test.masks is None else PLAIN + MASKED)
    for name, change in found.items():
        if name in moving:
            assert change.flip_rate.low > 0.15, name
        else:
            assert change.flip_rate.value < 0.03, name


def test_a_model_of_the_background_flips_under_the_swap_and_not_under_its_control() -> None:
    swap = run(WALL_READER, make_split())["background_swap"]
    assert swap.flip_rate.value == 1.0
    assert swap.flip_rate_control is not None
    assert swap.flip_rate_control.value == 0.0
    assert swap.flip_rate_control.high < 0.05
    assert [group.value for group in swap.groups] == [1.0] * 4
    assert [group.value for group in swap.group_changes] == [-1.0, 1.0, 1.0, -1.0]
    first = swap.groups[0]
    assert (first.name, first.n, first.sufficient) == ("dark on red", 40, True)
    assert swap.group_changes[0].high == pytest.approx(-0.95, abs=0.06)  # 40 images: some doubt is left


def test_changes_are_over_the_images_whose_cue_fits_and_in_the_worst_group() -> None:
    """On a balanced split the plain accuracy would not move: what some lose, the others win."""
    for name in ("background_swap", "hue_rotation"):
        change = run(WALL_READER, make_split())[name]
        assert (change.accuracy.value, change.accuracy_change.value) == (0.0, -1.0)
        assert change.accuracy.n == change.accuracy_change.n == 80
        assert change.n_images == 160
        assert change.worst_group == 1, "dark on blue"
        assert change.worst_group_change is not None
        assert change.worst_group_change.value == 1.0
        assert change.worst_group_change.n == 40
        assert "over the 80 images whose wall goes with their class" in change.description


def test_without_an_annotated_attribute_all_images_count() -> None:
    hue = run(WALL_READER, make_split(), make_info(origin="cue"))["hue_rotation"]
    assert (hue.accuracy_change.n, hue.accuracy_change.value) == (160, 0.0)
    assert hue.flip_rate.value == 1.0


def test_without_any_correlation_all_images_count() -> None:
    swap = run(WALL_READER, make_split(), make_info(n_train=(50, 50, 50, 50)))["background_swap"]
    assert (swap.accuracy_change.n, swap.accuracy_change.value) == (160, 0.0)


def test_aligned_groups_have_more_training_images_than_independence_gives() -> None:
    info = make_info(n_train=(90, 30, 10, 6))  # 120 x 100 / 136 = 88 < 90; 16 x 36 / 136 = 4.2 < 6
    np.testing.assert_array_equal(aligned_groups(info), [True, False, False, True])


def test_a_model_of_the_foreground_is_not_moved_by_backgrounds() -> None:
    found = run(SQUARE_READER, make_split())
    for name in MASKED[:3]:
        change = found[name]
        assert (change.flip_rate.value, change.accuracy.value, change.accuracy_change.value) == (0, 1, 0)
        assert change.worst_group_change is not None
        assert change.worst_group_change.value == 0.0
        assert -0.1 < change.accuracy_change.low < 0 < change.accuracy_change.high < 0.1


def test_a_model_of_noise_flips_as_often_under_the_control() -> None:
    """Nothing about the wall's color is read, so swap and control must agree."""
    swap = run(NOISE_READER, make_split(400))["background_swap"]
    assert swap.flip_rate_control is not None
    assert swap.flip_rate.value > 0.3
    assert abs(swap.flip_rate.value - swap.flip_rate_control.value) < 0.12
    assert swap.accuracy_change.low < 0 < swap.accuracy_change.high


def test_foreground_sensitivity_is_one_for_the_object_and_minus_one_for_the_background() -> None:
    for model, value in ((SQUARE_READER, 1.0), (WALL_READER, -1.0)):
        estimate = run_reliance([model], make_split()).foreground_sensitivity
        assert estimate is not None
        assert (estimate.value, estimate.n) == (value, 80)
        assert abs(estimate.low - value) < 0.15
        assert abs(estimate.high - value) < 0.15
    both = run_reliance([WALL_READER, SQUARE_READER], make_split()).foreground_sensitivity
    assert both is not None
    assert abs(both.value) < 0.01
    assert both.low < -0.5 < 0.5 < both.high, "two seeds that disagree say little about a third"
    assert run_reliance([WALL_READER], make_split(masks=False)).foreground_sensitivity is None


def test_greyscale_makes_a_model_of_hue_blind() -> None:
    hue = run(WALL_READER, make_split())["greyscale"]
    assert hue.flip_rate.value == 0.5  # grey has neither, so everything becomes class 0
    assert [group.value for group in hue.groups] == [0.0, 1.0, 0.0, 1.0]
    assert hue.flip_rate_control is None


def test_images_that_are_grey_already_are_said_to_be() -> None:
    test = make_split()
    found = run(WALL_READER, dataclasses.replace(test, images=to_grey(test.images)))
    for name, change in found.items():
        is_color = INTERVENTIONS[name].family == "color"
        assert ("100% of the images are nearly grey already" in change.description) == is_color
        assert change.flip_rate.value == 0.0 or not is_color
    assert "nearly grey" not in run(WALL_READER, test)["greyscale"].description


@pytest.mark.parametrize(
    ("test", "info", "names"),
    [
        (make_split(masks=False), make_info(), PLAIN),
        (make_split(), make_info(origin="cue"), [n for n in PLAIN + MASKED if n != "background_swap"]),
        (
            make_split().take(np.arange(160) % 4 < 2),
            make_info(),
            [n for n in PLAIN + MASKED if n != "background_swap"],
        ),
        (dataclasses.replace(make_split(), masks=np.zeros((160, 16, 16), np.uint8)), make_info(), PLAIN),
        (dataclasses.replace(make_split(), masks=np.full((160, 16, 16), 255, np.uint8)), make_info(), PLAIN),
    ],
    ids=["no masks", "attribute of a cue", "one background", "empty masks", "full masks"],
)
def test_what_masks_and_attribute_do_not_allow_is_left_out(
    test: Split, info: DatasetInfo, names: list[str]
) -> None:
    assert list(run(WALL_READER, test, info)) == names
    if names == PLAIN:
        assert run_reliance([WALL_READER], test, info).foreground_sensitivity is None


def test_images_without_a_usable_mask_are_not_counted() -> None:
    test = make_split(40)
    assert test.masks is not None
    masks = test.masks.copy()
    masks[0], masks[1] = 0, 255
    found = run(WALL_READER, dataclasses.replace(test, masks=masks))
    assert [found[name].n_images for name in PLAIN + MASKED] == [40] * 4 + [38] * 4
    assert "on 38 of 40 test images (with a usable mask)." in found["background_fill"].description


def test_several_models_are_averaged() -> None:
    found = run_reliance([WALL_READER, SQUARE_READER], make_split(), min_test=100).interventions
    swap = next(change for change in found if change.name == "background_swap")
    assert swap.flip_rate.value == 0.5
    assert swap.flip_rate.n == 160
    assert not swap.groups[0].sufficient  # 40 images are fewer than 100
    assert not swap.group_changes[0].sufficient


@pytest.mark.parametrize("n_val", [(10, 10, 10, 10), (10, 2, 10, 10)])
@pytest.mark.parametrize("min_test", [20, 1000])
def test_the_worst_group_is_the_evaluations(n_val: tuple[int, ...], min_test: int) -> None:
    test, info = make_split().take(np.arange(130)), make_info(n_val=n_val)
    models = [WALL_READER, NOISE_READER]
    metrics = split_metrics(
        predict_classes(models, test.images) == test.labels,
        test.groups,
        group_names=[g.name for g in info.groups],
        n_train=[g.n_train for g in info.groups],
        seeds=[0, 1],
        min_images=min_test,
    )
    found = run_reliance(models, test, info, min_test=min_test).interventions
    assert {change.worst_group for change in found} == {metrics.worst_group.index}
    if min_test == 20:
        assert metrics.worst_group.name == "dark on blue"  # however few validation images it has


def test_one_group_has_no_worst_one() -> None:
    test = make_split()
    found = run(WALL_READER, test.take(test.groups == 0))
    assert all(change.worst_group is None and change.worst_group_change is None for change in found.values())
    empty = found["greyscale"].group_changes[1]
    assert (empty.n, empty.low, empty.high, empty.sufficient) == (0, -1, 1, False)
    assert (found["greyscale"].groups[1].low, found["greyscale"].groups[1].high) == (0, 1)


def test_one_image_says_next_to_nothing() -> None:
    found = run(WALL_READER, make_split(1), min_test=1)
    assert list(found) == [name for name in PLAIN + MASKED if name != "background_swap"]
    for change in found.values():
        assert change.accuracy_change.n == 1
        assert change.accuracy_change.high - change.accuracy_change.low > 0.6
        assert change.flip_rate.high - change.flip_rate.low > 0.6


def test_the_worst_of_many_equal_groups_does_not_seem_repaired() -> None:
    """40 equal groups, a change that redraws who is right: the worst one gains by luck alone."""
    rng = np.random.default_rng(0)
    n_groups, per_group = 40, 100
    groups = np.repeat(np.arange(n_groups), per_group)
    cells = [
        GroupInfo(name=str(g), label=str(g), attribute="x", n_train=9, n_val=50, n_test=per_group)
        for g in range(n_groups)
    ]
    info = make_info(origin="cue").model_copy(update={"groups": cells})
    test = dataclasses.replace(
        make_split(len(groups), masks=False), groups=groups, labels=np.zeros(len(groups), np.int64)
    )
    gains, alarms = [], 0
    for _ in range(25):
        before, after = (rng.random((2, 1, len(groups))) > 0.7).astype(np.int64)
        right = (before == 0).mean(axis=0).reshape(n_groups, per_group).mean(axis=1)
        measure = Measure(info, test, before, lowest_of(right, range(n_groups)), make_settings())
        change = measure.intervention("greyscale", Changed(np.arange(len(groups)), after)).worst_group_change
        assert change is not None
        gains.append(change.value)
        alarms += change.low > 0
    assert np.mean(gains) > 0.07, "what the interval has to allow for"
    assert alarms <= 2


def test_a_bounded_number_of_images_is_drawn_by_group() -> None:
    test = make_split(1000)
    found = run(WALL_READER, test, max_images=100)
    for name, change in found.items():
        assert change.n_images == 100
        assert [group.n for group in change.groups] == [25] * 4
        if name == "hue_rotation":
            assert "on 100 of 1,000 test images." in change.description
            assert change.flip_rate.value == 1.0
    assert run(WALL_READER, test, max_images=1000) == run(WALL_READER, test)


def test_rows_are_drawn_in_proportion_and_a_larger_draw_keeps_a_smaller_one() -> None:
    groups = np.repeat([0, 1, 2], [900, 99, 1])
    ids = np.arange(1000)[::-1]
    rows = choose_rows(groups, ids, 100, seed=0)
    np.testing.assert_array_equal(np.bincount(groups[rows], minlength=3), [89, 10, 1])
    assert (np.diff(ids[rows]) > 0).all()
    assert set(rows) < set(choose_rows(groups, ids, 200, seed=0))
    assert set(rows) != set(choose_rows(groups, ids, 100, seed=1))
    np.testing.assert_array_equal(choose_rows(groups, ids, None, seed=0), np.arange(1000)[::-1])


def test_nothing_to_test_is_an_error() -> None:
    def refused(models: list[Classifier], test: Split, n_predicted: int, message: str) -> None:
        with pytest.raises(InputError, match=message):
            measure_reliance(
                models=models,
                test=test,
                info=make_info(),
                cue=choose_cue(make_train(), make_split(4), make_info(), np.zeros(4, np.int64)),
                predicted_SN=np.zeros((1, n_predicted), np.int64),
                worst=WorstGroup(0, [0]),
                settings=make_settings(),
            )

    four = make_split(4)
    refused([WALL_READER], four.take(np.arange(0)), 0, "need test images and models")
    refused([], four, 4, "need test images and models")
    refused([WALL_READER], four, 3, r"shape \(1, 3\), but there are 1 models and 4 test images")


def test_every_intervention_says_what_it_does() -> None:
    assert list(INTERVENTIONS) == PLAIN + MASKED
    for kind in INTERVENTIONS.values():
        assert kind.words
        assert not kind.words.endswith(".")
        assert (kind.edit is None) == kind.needs_cue
        assert kind.needs_masks or kind.family in ("color", "shape")
