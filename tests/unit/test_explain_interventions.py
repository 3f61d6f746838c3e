"""Models that read one known thing: each intervention must flip exactly those that read its cue."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.core.errors import InputError
from pipeline.core.results import AttributeInfo, DatasetInfo, GroupInfo, Intervention, Provenance, SourceInfo
from pipeline.core.types import Split
from pipeline.explain.backgrounds import draw_donors, fill_foreground, swap_backgrounds
from pipeline.explain.interventions import run_interventions, to_grey
from pipeline.models.networks import Classifier

SIDE = 16
OBJECT = slice(5, 11)


def make_info(origin: str = "annotated", n_train: tuple[int, ...] = (95, 5, 5, 95)) -> DatasetInfo:
    cells = [("dark", "red"), ("dark", "blue"), ("bright", "red"), ("bright", "blue")]
    groups = [
        GroupInfo(name=f"{y} on {a}", label=y, attribute=a, n_train=n, n_val=10, n_test=40)
        for (y, a), n in zip(cells, n_train, strict=True)
    ]
    return DatasetInfo(
        provenance=Provenance(),
        name="squares",
        title="Squares",
        classes=["dark", "bright"],
        group_labels=["dark", "bright"],
        class_to_group_label=[0, 1],
        attributes=[AttributeInfo(name="wall", values=["red", "blue"], origin=origin)],
        groups=groups,
        n={"train": 200, "val": 40, "test": 160},
        image_size=SIDE,
        has_masks=True,
        channel_mean=[0.5] * 3,
        channel_std=[0.25] * 3,
        source_info=SourceInfo(source="made here", licence="none"),
    )


def make_split(n: int = 160, seed: int = 0, masks: bool = True) -> Split:
    """Dark or bright squares (the label) on red or blue walls (the attribute), independent."""
    rng = np.random.default_rng(seed)
    labels, attributes = np.arange(n) % 2, np.arange(n) // 2 % 2
    walls = np.array([[200, 40, 40], [40, 40, 200]])[attributes]
    images = np.broadcast_to(walls[:, None, None], (n, SIDE, SIDE, 3)).copy()
    images[:, OBJECT, OBJECT] = np.array([30, 220])[labels][:, None, None, None]
    images = np.clip(images + rng.integers(-20, 21, images.shape), 0, 255).astype(np.uint8)
    mask = np.zeros((n, SIDE, SIDE), np.uint8)
    mask[:, OBJECT, OBJECT] = 255
    return Split(
        name="test",
        images=images,
        labels=labels.astype(np.int64),
        attributes=attributes.astype(np.int64),
        groups=(2 * labels + attributes).astype(np.int64),
        ids=np.arange(1000, 1000 + n),
        files=np.array([f"{i}.png" for i in range(n)]),
        masks=mask if masks else None,
    )


class Crop(nn.Module):
    def __init__(self, part: slice) -> None:
        super().__init__()
        self.part = part

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW[:, :, self.part, self.part]


def reader(part: slice, weights: list[float], bias: float) -> Classifier:
    """Class 1 where weights · mean color of `part` + bias > 0; pixels are in [0, 1]."""
    model = Classifier(nn.Sequential(Crop(part)), 3, 2, mean=[0.0] * 3, std=[1.0] * 3)
    with torch.no_grad():
        model.head.weight.copy_(torch.tensor([[0.0] * 3, weights]))
        model.head.bias.copy_(torch.tensor([0.0, bias]))
    return model


WALL_READER = reader(slice(0, 4), [-1.0, 0.0, 1.0], 0.0)  # blue minus red of a corner
SQUARE_READER = reader(OBJECT, [0.0, 1.0, 0.0], -0.5)
LUMA_READER = reader(slice(0, SIDE), [0.299, 0.587, 0.114], -0.3)


def run(
    model: Classifier, test: Split, info: DatasetInfo | None = None, **more: int
) -> dict[str, Intervention]:
    found = run_interventions(
        models=[model], test=test, info=info or make_info(), seed=0, min_test=20, **more
    )
    return {item.name: item for item in found}


def test_a_model_of_the_background_flips_under_the_swap_and_not_under_its_control():
    swap = run(WALL_READER, make_split())["background_swap"]
    assert swap.flip_rate.value == 1.0
    assert swap.flip_rate_control is not None
    assert swap.flip_rate_control.value == 0.0
    assert swap.flip_rate_control.high < 0.05
    assert [group.value for group in swap.groups] == [1.0] * 4
    first = swap.groups[0]
    assert (first.name, first.n, first.sufficient) == ("dark on red", 40, True)


def test_the_swap_costs_the_images_whose_background_fits_and_helps_the_worst_group():
    """On a balanced split the plain accuracy would not move: what some lose, the others win."""
    swap = run(WALL_READER, make_split())["background_swap"]
    assert swap.accuracy_change.value == -1.0
    assert swap.accuracy_change.n == 80
    assert swap.worst_group_change is not None
    assert swap.worst_group_change.value == 1.0
    assert swap.worst_group_change.n == 40


def test_a_model_of_the_foreground_does_not_flip():
    swap = run(SQUARE_READER, make_split())["background_swap"]
    assert swap.flip_rate.value == 0.0
    assert swap.accuracy_change.value == 0.0
    assert swap.worst_group_change is not None
    assert swap.worst_group_change.value == 0.0


def test_a_model_of_noise_flips_as_often_under_the_control():
    """Nothing about the wall's color is read, so swap and control must agree."""
    test = make_split(400)
    swap = run(reader(slice(0, 1), [0.0, 1.0, 0.0], -40 / 255), test)["background_swap"]
    assert swap.flip_rate_control is not None
    assert swap.flip_rate.value > 0.3
    assert abs(swap.flip_rate.value - swap.flip_rate_control.value) < 0.12
    assert swap.accuracy_change.low < 0 < swap.accuracy_change.high


def test_greyscale_flips_a_model_of_hue_and_not_one_of_lightness():
    test = make_split()
    hue = run(WALL_READER, test)["greyscale"]
    assert hue.flip_rate.value == 0.5  # grey has neither, so everything becomes class 0
    assert [group.value for group in hue.groups] == [0.0, 1.0, 0.0, 1.0]
    assert hue.flip_rate_control is None
    light = run(LUMA_READER, test)["greyscale"]
    assert light.flip_rate.value < 0.02
    assert light.accuracy_change.low <= 0 <= light.accuracy_change.high


def test_grey_is_the_rec_601_luma_in_every_channel():
    images = make_split(4).images
    grey = to_grey(images)
    assert (grey == grey[..., :1]).all()
    expected = images @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey[..., 0] - expected).max() <= 0.51
    np.testing.assert_array_equal(to_grey(grey), grey)


def test_images_that_are_grey_already_are_said_to_be():
    test = make_split()
    grey = run(WALL_READER, dataclasses.replace(test, images=to_grey(test.images)))["greyscale"]
    assert "100% of the images are nearly grey already" in grey.description
    assert grey.flip_rate.value == 0.0
    assert "nearly grey" not in run(WALL_READER, test)["greyscale"].description


@pytest.mark.parametrize(
    ("test", "info"),
    [(make_split(masks=False), make_info()), (make_split(), make_info(origin="derived"))],
    ids=["no masks", "derived attribute"],
)
def test_no_swap_without_masks_or_without_an_annotated_attribute(test, info):
    assert list(run(WALL_READER, test, info)) == ["greyscale"]


def test_no_swap_where_all_images_share_one_background():
    test = make_split()
    assert list(run(WALL_READER, test.take(test.attributes == 0))) == ["greyscale"]


def test_without_any_correlation_all_images_count_for_the_change():
    swap = run(WALL_READER, make_split(), make_info(n_train=(50, 50, 50, 50)))["background_swap"]
    assert swap.accuracy_change.n == 160
    assert swap.accuracy_change.value == 0.0


def test_several_models_are_averaged():
    both = run_interventions(models=[WALL_READER, SQUARE_READER], test=make_split(), info=make_info(), seed=0)
    swap = both[1]
    assert swap.flip_rate.value == 0.5
    assert swap.flip_rate.n == 160
    assert not swap.groups[0].sufficient  # 40 images are fewer than the default 100


def test_results_do_not_depend_on_the_batch_size_and_repeat():
    noisy = reader(slice(0, 1), [0.0, 1.0, 0.0], -40 / 255)
    test = make_split(60)
    assert run(noisy, test, batch_size=7) == run(noisy, test) == run(noisy, test)


@pytest.mark.parametrize(("n", "models"), [(0, [WALL_READER]), (4, [])])
def test_nothing_to_test_is_an_error(n, models):
    with pytest.raises(InputError, match="need test images and models"):
        run_interventions(models=models, test=make_split().take(np.arange(n)), info=make_info(), seed=0)


def test_donors_differ_or_agree_in_the_attribute_and_never_are_the_image_itself():
    test = make_split()
    donors = draw_donors(test, seed=1)
    np.testing.assert_array_equal(donors.rows, np.arange(160))
    assert (test.attributes[donors.other] != test.attributes).all()
    assert (test.attributes[donors.same] == test.attributes).all()
    assert (donors.same != donors.rows).all()
    assert (test.labels[donors.other] == test.labels).all()  # own class: it has donors enough
    assert (test.labels[donors.same] == test.labels).all()


def test_where_the_own_class_has_too_few_donors_both_kinds_come_from_any_class():
    test = make_split()
    rare = (test.labels == 0) & (test.attributes == 1)
    test = test.take(~rare | (np.cumsum(rare) <= 3))
    donors = draw_donors(test, seed=0)
    dark_on_red = (test.labels == 0) & (test.attributes == 0)
    assert set(test.labels[donors.other[dark_on_red]]) == {0, 1}
    assert set(test.labels[donors.same[dark_on_red]]) == {0, 1}
    assert (test.attributes[donors.other] != test.attributes).all()


def test_images_with_empty_or_full_masks_neither_give_nor_take():
    test = make_split(40)
    masks = test.masks.copy()
    masks[0], masks[1] = 0, 255
    donors = draw_donors(dataclasses.replace(test, masks=masks), seed=0)
    np.testing.assert_array_equal(donors.rows, np.arange(2, 40))
    assert not np.isin([0, 1], np.concatenate([donors.other, donors.same])).any()


def test_a_swap_keeps_every_foreground_pixel_and_takes_the_donors_background():
    test = make_split()
    rows, others = np.array([0, 1]), np.array([2, 3])
    swapped = swap_backgrounds(test, rows, others)
    inside = test.masks[rows] > 0
    np.testing.assert_array_equal(swapped[inside], test.images[rows][inside])
    rim = np.zeros((SIDE, SIDE), bool)
    rim[3:13, 3:13] = True  # the object, one pixel of rim for it, one for rounding
    np.testing.assert_array_equal(swapped[:, ~rim], test.images[others][:, ~rim])
    with pytest.raises(ValueError, match="masks"):
        swap_backgrounds(make_split(masks=False), rows, others)


def test_filling_leaves_no_trace_of_the_object():
    test = make_split()
    filled = fill_foreground(test.images[1], test.masks[1])  # a bright square on red
    assert cv2.absdiff(filled[OBJECT, OBJECT].mean(axis=(0, 1)), np.array([200.0, 40, 40])).max() < 15
