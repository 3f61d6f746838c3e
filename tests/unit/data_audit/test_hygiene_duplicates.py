"""Planted copies are found, pictures that only look alike are not."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.core.types import Int64Array, UInt8Array
from pipeline.data.sources.photo_digits import PhotoDigits
from pipeline.data_audit.hygiene.duplicates import digests, find_duplicates, join_splits
from pipeline.pixels.duplicates import Pairs, find_near_duplicates
from pipeline.records.hygiene import DuplicateSummary
from pipeline.settings.sources import PhotoDigitsSource
from tests.fixtures.hygiene import CHANGES, SETTINGS, crops, dataset, jpeg

ORIGINALS = crops(60)


def pairs_of(images: UInt8Array, *, chunk: int = 4096) -> set[tuple[int, int]]:
    found: Pairs = find_near_duplicates(images, np.arange(len(images)), min_similarity=0.87, chunk=chunk)
    return set(zip(found.first.tolist(), found.second.tolist(), strict=True))


def summaries(images: UInt8Array, labels: Int64Array, sizes: tuple[int, int, int]) -> list[DuplicateSummary]:
    packed, splits, _ = dataset(images, labels, sizes)
    return find_duplicates(join_splits(packed, splits), SETTINGS)


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(change: str) -> None:
    copies = np.stack([CHANGES[change](image) for image in ORIGINALS])
    found = pairs_of(np.concatenate([ORIGINALS, copies]))
    expected = {(i, i + 60) for i in range(60)}
    assert len(found & expected) >= 57
    assert found <= expected


def test_different_crops_are_not_duplicates() -> None:
    assert pairs_of(crops(150, size=64)) == set()


def test_noise_and_flat_images_are_not_duplicates() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (200, 32, 32, 3)).astype(np.uint8)
    flat = np.repeat(rng.integers(0, 256, (200, 1, 1, 3)).astype(np.uint8), 32, axis=1).repeat(32, axis=2)
    assert pairs_of(np.concatenate([noise, flat])) == set()


@pytest.mark.slow
def test_one_layout_with_other_details_is_not_a_duplicate() -> None:
    """Skies over meadows: half blue, half green, each with its own texture."""
    rng = np.random.default_rng(0)
    images = np.zeros((50, 32, 32, 3))
    images[:, :16] = (120, 160, 220)
    images[:, 16:] = (70, 120, 50)
    images += rng.normal(0, 12, images.shape)
    assert pairs_of(np.clip(images, 0, 255).astype(np.uint8)) == set()


@pytest.mark.parametrize("side", [11, 7])
def test_two_birds_on_one_background_are_not_duplicates(side: int) -> None:
    """What a benchmark of backgrounds is made of: a ninth of the image differs, or a label on a bottle."""
    images = np.concatenate([ORIGINALS[:20], ORIGINALS[:20]])
    images[:, 10 : 10 + side, 12 : 12 + side] = crops(40, size=64, side=side, seed=7)
    assert pairs_of(images) == set()


def test_a_picture_in_other_colors_in_one_part_is_not_a_duplicate() -> None:
    """Two cans whose shapes and letters agree, one red and one green."""
    changed = ORIGINALS[:20].copy()
    changed[:, 8:24, 12:20] = changed[:, 8:24, 12:20, ::-1] // 2 + (0, 100, 0)
    assert pairs_of(np.concatenate([ORIGINALS[:20], changed])) == set()


def test_the_demo_has_no_digit_in_two_splits() -> None:
    """Its splits share neither digits nor places in the photographs: every pair across them is false."""
    source = PhotoDigitsSource(kind="photo_digits", n_train=600, n_val=100, n_test=600)
    rows = PhotoDigits(source).load().rows
    splits = np.array([row.split for row in rows])
    pairs = pairs_of(np.stack([row.image for row in rows]))
    assert [pair for pair in pairs if splits[pair[0]] != splits[pair[1]]] == []


@pytest.mark.slow
def test_a_thousand_frames_of_one_scene_are_one_set() -> None:
    rng = np.random.default_rng(0)
    frames = np.clip(ORIGINALS[:1] + rng.normal(0, 3, (1000, 32, 32, 3)), 0, 255).astype(np.uint8)
    _, near = summaries(np.concatenate([frames, ORIGINALS[1:11]]), np.zeros(1010, np.int64), (900, 0, 110))
    assert (near.n_sets, near.n_images, near.n_leaking) == (1, 1000, 100)


def test_an_object_of_its_own_on_a_shared_background_is_not_a_duplicate() -> None:
    images = np.repeat(ORIGINALS[:1], 12, axis=0).copy()
    rng = np.random.default_rng(0)
    for i, image in enumerate(images):
        y, x = divmod(i, 4)
        image[2 + 9 * y : 11 + 9 * y, 7 * x : 7 * x + 9] = rng.integers(0, 256, 3)
    assert len(pairs_of(images)) <= 3


@pytest.mark.parametrize("side", [24, 48, 96])
def test_other_image_sizes(side: int) -> None:
    originals = crops(20, side=side)
    copies = np.stack([jpeg(image, 90) for image in originals])
    found = pairs_of(np.concatenate([originals, copies]))
    assert len(found & {(i, i + 20) for i in range(20)}) >= 16
    assert len(found) <= 24


def test_images_too_small_to_tell_have_no_near_duplicates() -> None:
    images = np.concatenate([crops(20, side=8), crops(2, side=8)])
    (exact,) = summaries(images, np.zeros(22, np.int64), (20, 0, 2))
    assert (exact.kind, exact.n_leaking) == ("exact", 2)


def test_the_order_of_images_and_the_chunk_do_not_matter() -> None:
    images = np.concatenate([ORIGINALS[:30], np.stack([jpeg(i) for i in ORIGINALS[:10]])])
    order = np.random.default_rng(1).permutation(len(images))
    shuffled = {tuple(sorted((int(order[i]), int(order[j])))) for i, j in pairs_of(images[order])}
    assert shuffled == pairs_of(images) == pairs_of(images, chunk=7)


def test_leaks_and_contradicting_labels_are_counted() -> None:
    images = np.concatenate([ORIGINALS[:40], ORIGINALS[:3], np.stack([jpeg(i) for i in ORIGINALS[10:14]])])
    labels = np.zeros(47, np.int64)
    labels[[40, 43]] = 1  # one exact copy and one near copy in test are labelled otherwise
    exact, near = summaries(images, labels, (38, 2, 7))
    assert (exact.n_sets, exact.n_images, exact.n_leaking, exact.n_conflicting) == (3, 6, 3, 1)
    assert exact.leaking.value == pytest.approx(3 / 7)
    assert exact.leaking.low < 3 / 7 < exact.leaking.high
    assert (near.n_sets, near.n_leaking, near.n_conflicting) == (4, 4, 1)
    assert exact.sets[0].ids == [0, 40]
    assert exact.sets[0].labels == [0, 1]
    assert exact.sets[0].splits == ["train", "test"]
    assert near.sets[0].ids == [10, 43]
    assert 0.88 <= near.sets[0].similarity < 1


def test_copies_within_train_do_not_leak() -> None:
    images = np.concatenate([ORIGINALS[:20], ORIGINALS[:5]])
    exact, near = summaries(images, np.zeros(25, np.int64), (25, 0, 0))
    assert (exact.n_sets, exact.n_leaking, exact.leaking.n) == (5, 0, 0)
    assert near.n_sets == 0


def test_all_images_identical_are_one_exact_set() -> None:
    images = np.repeat(ORIGINALS[:1], 30, axis=0)
    exact, near = summaries(images, np.zeros(30, np.int64), (20, 5, 5))
    assert (exact.n_sets, exact.n_images, exact.n_leaking) == (1, 30, 5)
    assert near.n_sets == 0


def test_a_copy_of_a_near_twin_belongs_to_the_set() -> None:
    images = np.stack([ORIGINALS[0], jpeg(ORIGINALS[0]), ORIGINALS[0], ORIGINALS[5]])
    exact, near = summaries(images, np.zeros(4, np.int64), (2, 0, 2))
    assert (exact.n_sets, exact.n_leaking) == (1, 1)
    assert near.sets[0].ids == [0, 1, 2]


def test_fingerprints_tell_pixels_apart() -> None:
    images = ORIGINALS[:3].copy()
    images[2] = images[0]
    images[1] = images[0]
    images[1, 31, 31, 2] ^= 1
    a, b, c = digests(images).tolist()
    assert a == c != b


def test_splits_that_do_not_cover_the_images_are_refused() -> None:
    packed, splits, _ = dataset(ORIGINALS[:10], np.zeros(10, np.int64), (6, 2, 2))
    with pytest.raises(InputError, match="dvc repro"):
        join_splits(packed, splits[:2])
