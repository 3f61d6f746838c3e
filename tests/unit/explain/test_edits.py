"""Every edit on pixels worked by hand: what it must change, and what it must leave bit for bit."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.exchanges.backgrounds import fill_foreground, paste_foreground, remove_foreground
from pipeline.data.sources.photo_digits import PhotoDigits
from pipeline.explain.reliance.edits import (
    blur_background,
    draw_permutations,
    fill_background,
    halve_saturation,
    is_nearly_grey,
    rotate_hue,
    shuffle_patches,
    to_grey,
)
from pipeline.pixels.maps import FOREGROUND, encode_opacity
from pipeline.settings.sources import PhotoDigitsSource
from tests.fixtures.explain import OBJECT, SIDE, make_split


def pixel(*rgb: int) -> np.ndarray:
    return np.array(rgb, np.uint8).reshape(1, 1, 1, 3)


def luma(images: np.ndarray) -> np.ndarray:
    weighted: np.ndarray = images @ np.array([0.299, 0.587, 0.114])
    return weighted


def red_square_on_blue(side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """One image and its mask: red (250, 0, 0) square of side / 2 on blue (0, 0, 250)."""
    image, mask = np.zeros((1, side, side, 3), np.uint8), np.zeros((1, side, side), np.uint8)
    image[..., 2] = 250
    part = slice(side // 4, 3 * side // 4)
    image[:, part, part] = (250, 0, 0)
    mask[:, part, part] = 255
    return image, mask


NOISE = np.random.default_rng(0).integers(0, 256, (6, 12, 12, 3), dtype=np.uint8)
GREY = np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1), 3, axis=3)


def test_grey_is_the_rec_601_luma_in_every_channel() -> None:
    images = make_split(4).images
    grey = to_grey(images)
    assert (grey == grey[..., :1]).all()
    assert np.abs(grey[..., 0] - luma(images)).max() <= 0.51
    np.testing.assert_array_equal(to_grey(grey), grey)


def test_the_hue_of_a_soft_color_turns_and_its_luma_stays() -> None:
    # luma 0.299 * 150 + 0.587 * 100 + 0.114 * 100 = 114.95; differences 35.05, -14.95, -14.95 change sign
    np.testing.assert_array_equal(rotate_hue(pixel(150, 100, 100)), pixel(80, 130, 130))
    np.testing.assert_array_equal(rotate_hue(pixel(80, 130, 130)), pixel(150, 100, 100))


def test_a_hue_whose_opposite_does_not_exist_keeps_its_luma_and_loses_strength() -> None:
    turned = rotate_hue(pixel(255, 0, 0))[0, 0, 0]  # luma 76.2: cyan at that luma is (0, 109, 109)
    np.testing.assert_array_equal(turned, [0, 109, 109])
    assert abs(luma(turned) - 76.2) < 1


def test_turning_the_hue_twice_gives_soft_colors_back() -> None:
    soft = (110 + NOISE // 12).astype(np.uint8)
    assert np.abs(rotate_hue(rotate_hue(soft)).astype(int) - soft).max() <= 1
    assert np.abs(rotate_hue(soft).astype(int) - soft).max() > 5


@pytest.mark.parametrize("edit", [rotate_hue, halve_saturation, to_grey])
def test_color_edits_keep_grey_bit_for_bit_and_the_luma_of_everything(
    edit: Callable[[UInt8Array], UInt8Array],
) -> None:
    np.testing.assert_array_equal(edit(GREY), GREY)
    assert np.abs(luma(edit(NOISE)) - luma(NOISE)).max() <= 0.6  # half a level of rounding, and its luma


def test_saturation_is_halved_towards_the_luma() -> None:
    np.testing.assert_array_equal(halve_saturation(pixel(150, 100, 100)), pixel(132, 107, 107))


def test_nearly_grey_is_by_the_mean_spread_of_channels() -> None:
    images = np.concatenate([pixel(100, 103, 100), pixel(100, 105, 100), pixel(0, 255, 0)])
    np.testing.assert_array_equal(is_nearly_grey(images, 4.0), [True, False, False])


def test_patches_move_as_the_order_says() -> None:
    image = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1).repeat(3, axis=3)  # one pixel per patch
    order = np.roll(np.arange(16), 1)[None]  # patch 0 of the result is patch 15 of the image
    shuffled = shuffle_patches(image, order)
    np.testing.assert_array_equal(shuffled[0, :, :, 0].ravel(), np.roll(np.arange(16), 1))
    larger = image.repeat(3, axis=1).repeat(3, axis=2)  # patches of 3 x 3 pixels move as wholes
    expected = shuffled.repeat(3, axis=1).repeat(3, axis=2)
    np.testing.assert_array_equal(shuffle_patches(larger, order), expected)


@pytest.mark.parametrize("shape", [(12, 12), (13, 15), (8, 11), (3, 3)])
def test_shuffling_keeps_the_pixels_whatever_the_sides(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (5, *shape, 3), dtype=np.uint8)
    before = images.copy()
    shuffled = shuffle_patches(images, draw_permutations(np.arange(5), seed=0))
    for old, new in zip(images, shuffled, strict=True):
        assert sorted(map(tuple, old.reshape(-1, 3))) == sorted(map(tuple, new.reshape(-1, 3)))
        assert np.array_equal(old, new) == (min(shape) < 4)  # nothing to cut
    np.testing.assert_array_equal(images, before)
    if shape == (13, 15):  # the margin of 1 and 3 pixels stays: none above, one left
        np.testing.assert_array_equal(shuffled[:, 12:], images[:, 12:])
        np.testing.assert_array_equal(shuffled[:, :, [0, 13, 14]], images[:, :, [0, 13, 14]])


def test_orders_are_drawn_per_image_and_never_the_identity() -> None:
    orders = draw_permutations(np.arange(500), seed=3)
    assert (np.sort(orders, axis=1) == np.arange(16)).all()
    assert (orders != np.arange(16)).any(axis=1).all()
    assert len(np.unique(orders, axis=0)) == 500
    np.testing.assert_array_equal(draw_permutations(np.array([7, 3]), seed=3), orders[[7, 3]])
    assert (draw_permutations(np.arange(500), seed=4) != orders).any()
    assert np.abs(orders.mean(axis=0) - 7.5).max() < 1  # every patch goes everywhere


def test_filling_leaves_the_foreground_bit_for_bit_and_sets_the_rest() -> None:
    test = make_split(4)
    assert test.masks is not None
    filled = fill_background(test.images, test.masks, np.array([1, 2, 3], np.uint8))
    inside = test.masks > 0
    np.testing.assert_array_equal(filled[inside], test.images[inside])
    assert (filled[~inside] == [1, 2, 3]).all()


def test_the_blurred_background_has_nothing_of_the_foreground() -> None:
    image, mask = red_square_on_blue()
    image[:, 7, 7:25] = (250, 0, 0)  # the object's rim, one pixel outside its mask
    blurred = blur_background(image, mask)
    inside = mask > 0
    np.testing.assert_array_equal(blurred[inside], image[inside])
    np.testing.assert_array_equal(blurred[~inside], np.broadcast_to([0, 0, 250], blurred[~inside].shape))


def test_blur_takes_a_pattern_away_and_keeps_its_mean() -> None:
    image, mask = red_square_on_blue(64)
    image[:, ::2, :, 1] = np.where(mask[:, ::2] > 0, image[:, ::2, :, 1], 200)  # stripes of green
    blurred = blur_background(image, mask)
    green = blurred[mask == 0][:, 1]
    assert np.abs(green.astype(float) - 100).max() < 8
    assert image[mask == 0][:, 1].std() == 100


def test_blur_without_foreground_or_without_background() -> None:
    images = NOISE[:1]
    empty, full = np.zeros((1, 12, 12), np.uint8), np.full((1, 12, 12), 255, np.uint8)
    assert blur_background(images, empty).std() < 0.5 * images.std()
    np.testing.assert_array_equal(blur_background(images, full), images)
    almost = full.copy()
    almost[0, 5, 5] = 0  # its only background is the object's rim: it stays what it is
    np.testing.assert_array_equal(blur_background(images, almost), images)


def test_removing_leaves_no_color_of_the_object() -> None:
    image, mask = red_square_on_blue()
    removed = remove_foreground(image, mask)
    assert removed[..., 0].max() == 0
    outside = cv2.dilate((mask[0] > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    np.testing.assert_array_equal(removed[0][outside], image[0][outside])
    test = make_split(2)
    assert test.masks is not None
    filled = fill_foreground(test.images[1], test.masks[1])  # a bright square on red, with noise
    assert cv2.absdiff(filled[OBJECT, OBJECT].mean(axis=(0, 1)), np.array([200.0, 40, 40])).max() < 15


def test_many_are_removed_as_one_is() -> None:
    test = make_split(5)
    assert test.masks is not None
    together = remove_foreground(test.images, test.masks)
    for i in range(5):
        np.testing.assert_array_equal(together[i], fill_foreground(test.images[i], test.masks[i]))


def test_a_composite_keeps_every_foreground_pixel_and_takes_the_given_background() -> None:
    test = make_split(4)
    assert test.masks is not None
    backgrounds = remove_foreground(test.images[2:], test.masks[2:])
    composites = paste_foreground(test.images[:2], test.masks[:2], backgrounds)
    inside = test.masks[:2] > 0
    np.testing.assert_array_equal(composites[inside], test.images[:2][inside])
    np.testing.assert_array_equal(composites[~inside], backgrounds[~inside])
    rim = np.zeros((SIDE, SIDE), bool)
    rim[3:13, 3:13] = True  # the donor's object, one pixel of rim for it, one for rounding
    np.testing.assert_array_equal(composites[:, ~rim], test.images[2:][:, ~rim])


def draw_glass(behind: UInt8Array, opacity: Float32Array) -> UInt8Array:
    """A white object of these opacities before backgrounds, N x H x W x 3."""
    seen = 1 - opacity[..., None]
    return np.rint(behind * seen + 255 * opacity[..., None]).astype(np.uint8)


def test_behind_a_see_through_object_lies_the_new_background() -> None:
    """The twin is the object drawn again; of plain backgrounds what is behind it is known."""
    opacity = np.zeros((2, SIDE, SIDE), np.float32)
    opacity[0, 4:12, 4:12], opacity[1, 5:14, 3:9] = 0.4, 0.7
    opacity[:, 7:9, 6:8] = 1.0  # opaque in part
    behind = np.array([[200, 40, 40], [30, 90, 160]], np.uint8)[:, None, None] * np.ones(
        (SIDE, SIDE, 1), np.uint8
    )
    images, masks = draw_glass(behind, opacity), np.stack([encode_opacity(each) for each in opacity])
    masks[0, 4:12, 4:12] |= 128  # all of it is foreground, although the most of it is opaque
    twin = draw_glass(behind[::-1], opacity)
    pasted = paste_foreground(images, masks, behind[::-1])
    assert np.abs(pasted.astype(int) - twin).max() <= 2, "rounding, and 127 steps of opacity"
    hard = paste_foreground(images, np.where(masks > FOREGROUND, 255, 0).astype(np.uint8), behind[::-1])
    assert np.abs(hard.astype(int) - twin).max() > 50, "what its own background left in it"
    filled = fill_background(images, masks, np.array([9, 9, 9], np.uint8))
    black = np.full_like(behind, 9)
    assert np.abs(filled.astype(int) - draw_glass(black, opacity)).max() <= 2


def test_digits_of_the_demo_on_other_photographs_are_as_drawn_there() -> None:
    source = PhotoDigitsSource(
        kind="photo_digits",
        strength=0.5,
        n_train=100,
        n_val=40,
        n_test=40,
        contrast=0.7,
        label_noise=0,
        seed=0,
    )
    rows = PhotoDigits(source).load().rows[:40]
    images, opacity = np.stack([row.image for row in rows]), np.stack([row.mask for row in rows])
    masks = np.stack([encode_opacity(each) for each in opacity])
    behind = ((images - 255.0 * opacity[..., None]) / (1 - opacity[..., None])).clip(0, 255)
    backgrounds, truth = remove_foreground(images, masks)[::-1], draw_glass(behind[::-1], opacity)
    plain = np.where(masks > FOREGROUND, 255, 0).astype(np.uint8)
    soft, hard = (
        np.abs(paste_foreground(images, each, backgrounds)[plain > 0].astype(int) - truth[plain > 0]).mean()
        for each in (masks, plain)
    )
    assert soft < hard / 2
