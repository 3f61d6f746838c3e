"""What must not change the answer: the order of images, a mirror, more images, a relabeling."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.types import UInt8Array
from pipeline.data_audit.hygiene.duplicates import find_duplicates, join_splits
from pipeline.pixels.duplicates import find_near_duplicates
from tests.fixtures.hygiene import CHANGES, SETTINGS, crops, dataset

BASE = crops(30)
CHANGED = np.stack([CHANGES[name](BASE[i]) for i, name in enumerate(sorted(CHANGES))])
IMAGES = np.concatenate([BASE, CHANGED, np.repeat(BASE[20:22], 2, axis=0)])


def sets_of(images: UInt8Array) -> set[frozenset[int]]:
    """Rows of every exact and near set."""
    packed, splits, _ = dataset(images, np.zeros(len(images), np.int64), (len(images), 0, 0))
    everything = SETTINGS.model_copy(update={"examples": 100})
    found = find_duplicates(join_splits(packed, splits), everything)
    return {frozenset(example.ids) for summary in found for example in summary.sets}


EXPECTED = sets_of(IMAGES)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_images_does_not_change_the_sets(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(IMAGES))
    assert {frozenset(int(order[i]) for i in members) for members in sets_of(IMAGES[order])} == EXPECTED


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 1000))
def test_images_of_noise_do_not_change_the_sets(seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (40, 32, 32, 3)).astype(np.uint8)
    assert sets_of(np.concatenate([IMAGES, noise])) == EXPECTED


def test_mirroring_all_images_does_not_change_the_sets() -> None:
    assert sets_of(np.ascontiguousarray(IMAGES[:, :, ::-1])) == EXPECTED


def test_a_stricter_threshold_never_adds_a_link() -> None:
    rows = np.arange(len(IMAGES))
    loose, strict = (find_near_duplicates(IMAGES, rows, min_similarity=limit) for limit in (0.6, 0.9))
    assert len(strict.first) <= len(loose.first)
    assert (strict.similarity >= 0.9).all()
    assert (strict.first < strict.second).all()
