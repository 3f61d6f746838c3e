"""GradCAM from images to the record: a planted patch must be found, and nothing where it is no cue."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.core.errors import InputError
from pipeline.core.results import AttributeInfo, DatasetInfo, GradcamResult, GroupInfo, Provenance, SourceInfo
from pipeline.core.settings import GradcamSettings
from pipeline.core.types import Split, UInt8Array
from pipeline.explain.gradcam_run import choose_rows, run_gradcam
from pipeline.explain.overlays import draw_overlay, resize_image
from pipeline.models.networks import Classifier, build_model
from pipeline.models.predict import predict_logits, to_pixels

SIDE, PATCH = 32, 4
COLORS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]])
SETTINGS = GradcamSettings(
    layer="auto",
    min_cells=8,
    images_per_group=20,
    overlays=3,
    thumbnail=64,
    max_models=None,
    batch_size=64,
    seed=0,
)


def make_split(n: int, seed: int, rho: float, shift: float = 0) -> Split:
    """Noise with a colored 4 x 4 patch somewhere; its color follows the label with probability rho.

    Four colors: of two, a network may read one and call all else the other. The label also moves
    the whole image's lightness by steps of `shift`: something else to learn.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    attributes = np.where(rng.random(n) < rho, labels, rng.integers(0, 4, n))
    images = rng.normal(128, 30, (n, SIDE, SIDE, 3)) + shift * labels[:, None, None, None]
    masks = np.zeros((n, SIDE, SIDE), np.uint8)
    for i, (y, x) in enumerate(rng.integers(0, SIDE - PATCH + 1, (n, 2))):
        images[i, y : y + PATCH, x : x + PATCH] = COLORS[attributes[i]]
        masks[i, y : y + PATCH, x : x + PATCH] = 255
    return Split(
        name="test",
        images=np.clip(images, 0, 255).astype(np.uint8),
        labels=labels,
        attributes=attributes,
        groups=4 * labels + attributes,
        ids=np.arange(500, 500 + n),
        files=np.array([f"{i}.png" for i in range(n)]),
        masks=masks,
    )


def make_info() -> DatasetInfo:
    names = ["red", "green", "blue", "white"]
    return DatasetInfo(
        provenance=Provenance(),
        name="patches",
        title="Patches",
        classes=names,
        group_labels=names,
        class_to_group_label=[0, 1, 2, 3],
        attributes=[AttributeInfo(name="patch", values=names, origin="annotated")],
        groups=[
            GroupInfo(name=f"{y} with {a}", label=y, attribute=a, n_train=1, n_val=1, n_test=1)
            for y in names
            for a in names
        ],
        n={"train": 1, "val": 1, "test": 1},
        image_size=SIDE,
        has_masks=True,
        channel_mean=[0.5] * 3,
        channel_std=[0.25] * 3,
        source_info=SourceInfo(source="made here", licence="none"),
    )


def train(split: Split, seed: int, epochs: int = 4) -> Classifier:
    model = build_model(
        "small_resnet", n_classes=4, width=4, pretrained=False, mean=[0.5] * 3, std=[0.25] * 3, seed=seed
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=1e-2)
    rng = np.random.default_rng(seed)
    labels = torch.from_numpy(split.labels)
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(split)), len(split) // 64):
            loss = nn.functional.cross_entropy(model(to_pixels(split.images[rows])), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


def gradcam(
    models: list[Classifier], test: Split, settings: GradcamSettings = SETTINGS, worst: int = 1, best: int = 5
) -> tuple[GradcamResult, dict[str, UInt8Array]]:
    rows = choose_rows(test, settings.images_per_group, settings.seed)
    predicted = np.stack([predict_logits(m, test.images[rows]).argmax(axis=1) for m in models])
    return run_gradcam(
        method="erm",
        models=models,
        test=test,
        rows=rows,
        predicted_SN=predicted,
        worst_group=worst,
        best_group=best,
        info=make_info(),
        settings=settings,
        provenance=Provenance(),
    )


@pytest.fixture(scope="module")
def patch_readers() -> list[Classifier]:
    split = make_split(1024, 1, rho=1.0)
    return [train(split, seed) for seed in (0, 1)]


@pytest.fixture(scope="module")
def test_split() -> Split:
    return make_split(300, 2, rho=0.0)


@pytest.fixture(scope="module")
def found(patch_readers, test_split) -> tuple[GradcamResult, dict[str, UInt8Array]]:
    return gradcam(patch_readers, test_split)


def test_a_planted_patch_is_where_the_energy_is(found):
    result, _ = found
    assert result.mask_area == pytest.approx(PATCH**2 / SIDE**2)
    assert result.lift is not None
    assert result.lift.value >= 4
    assert result.lift.low < result.lift.value < result.lift.high
    assert result.energy_in_mask is not None
    assert result.energy_in_mask.value > 4 * result.mask_area
    assert [group.name for group in result.groups] == [group.name for group in make_info().groups]
    # A class can be known by the absence of the others' colors, so not every group must be high.
    assert np.median([group.value for group in result.groups]) > 4 * result.mask_area
    assert (result.layer, result.cells, result.n_models) == ("stages.2", [8, 8], 2)
    assert result.n_images == len(choose_rows(make_split(300, 2, rho=0.0), 20, 0))


def test_every_model_shows_it_clearly(patch_readers, test_split):
    """One by one: two models leave the interval of their mean wide (one degree of freedom)."""
    for model in patch_readers:
        result, _ = gradcam([model], test_split)
        assert result.lift is not None
        assert result.lift.low > 4


def test_a_patch_that_is_no_cue_is_not_found():
    model = train(make_split(1024, 3, rho=0.0, shift=10), seed=0)
    result, _ = gradcam([model], make_split(300, 2, rho=0.0, shift=10))
    assert result.lift is not None
    assert result.lift.value < 1.5


def test_untrained_models_show_no_lift_worth_the_name(test_split):
    models = [train(make_split(64, 4, rho=0.0), seed, epochs=0) for seed in range(3)]
    result, _ = gradcam(models, test_split)
    assert result.lift is not None
    assert result.lift.value < 2


def test_pictures_are_failures_of_the_worst_and_successes_of_the_best_group(found, test_split):
    result, pictures = found
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
    again, pictures = gradcam(patch_readers, test_split)
    assert again.model_copy(update={"seconds": 0.0}) == found[0].model_copy(update={"seconds": 0.0})
    assert all(np.array_equal(pictures[name], found[1][name]) for name in found[1])


def test_without_masks_nothing_is_said_of_the_foreground(patch_readers, test_split):
    result, pictures = gradcam(patch_readers, dataclasses.replace(test_split, masks=None))
    assert (result.energy_in_mask, result.mask_area, result.lift, result.groups) == (None, None, None, [])
    assert all(overlay.energy_in_mask is None for overlay in result.overlays)
    assert len(pictures) == 6


def test_only_the_allowed_number_of_models_is_used(patch_readers, test_split):
    result, _ = gradcam(patch_readers, test_split, SETTINGS.model_copy(update={"max_models": 1}))
    assert result.n_models == 1


def test_blank_maps_are_counted_and_left_out(test_split):
    """A network of ReLU features whose head counts them against class 1 has no evidence for it."""
    model = train(make_split(64, 4, rho=0.0), 0, epochs=0)
    model.stages[3] = nn.Identity()
    model.head = nn.Linear(16, 4)
    with torch.no_grad():
        model.head.weight[:] = -0.1
        model.head.bias.copy_(torch.tensor([0.0, 100.0, 0.0, 0.0]))  # so class 1 is predicted for all
    result, pictures = gradcam([model], test_split, worst=0, best=5)
    assert result.blank_rate == 1.0
    assert (result.energy_in_mask, result.lift) == (None, None)
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
    rows = choose_rows(split, 10, seed=3)
    assert (np.diff(rows) > 0).all()
    expected = np.minimum(10, np.bincount(split.groups, minlength=16))
    np.testing.assert_array_equal(np.bincount(split.groups[rows], minlength=16), expected)
    np.testing.assert_array_equal(rows, choose_rows(split, 10, seed=3))
    assert not np.array_equal(rows, choose_rows(split, 10, seed=4))
    np.testing.assert_array_equal(choose_rows(split, 10**6, seed=0), np.arange(200))


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
