"""Batch orders, augmentation and schedules."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.train.batches import augment_batch, group_balanced_order, shuffled_order, step_seed
from pipeline.train.schedule import learning_rate
from tests.train_fixtures import make_settings


def test_shuffled_order_is_a_permutation_that_depends_on_seed_and_epoch_alone() -> None:
    first = shuffled_order(100, seed=3, epoch=1)
    assert sorted(first) == list(range(100))
    assert np.array_equal(first, shuffled_order(100, seed=3, epoch=1))
    assert not np.array_equal(first, shuffled_order(100, seed=3, epoch=2))
    assert not np.array_equal(first, shuffled_order(100, seed=4, epoch=1))


def test_group_balanced_order_draws_every_group_equally_and_members_uniformly() -> None:
    groups = np.repeat([0, 1, 3], [9000, 900, 100])
    order = group_balanced_order(groups, seed=0, epoch=0)
    assert len(order) == 10_000
    counts = np.bincount(groups[order], minlength=4)
    assert counts[2] == 0
    # 3 groups, n = 10,000: sd 47; five of them
    np.testing.assert_allclose(counts[[0, 1, 3]], 10_000 / 3, atol=240)
    rare = np.bincount(order[groups[order] == 3] - 9900, minlength=100)
    assert rare.min() > 5, "every member of a rare group is drawn"


def test_step_seeds_differ() -> None:
    seeds = {step_seed(seed=s, epoch=e, step=t) for s in range(3) for e in range(3) for t in range(50)}
    assert len(seeds) == 450


@pytest.mark.parametrize("kind", ["flip", "crop", "flip_crop", "none"])
def test_augmentation_is_seeded_and_keeps_shape_and_range(kind: str) -> None:
    pixels = torch.rand(64, 3, 16, 16)
    out = [augment_batch(pixels, kind, torch.Generator().manual_seed(7)) for _ in range(2)]
    assert torch.equal(out[0], out[1])
    assert out[0].shape == pixels.shape
    assert out[0].min() >= 0
    assert out[0].max() <= 1
    assert torch.equal(out[0], pixels) == (kind == "none")


def test_flip_mirrors_about_half_of_the_images_and_changes_no_other() -> None:
    pixels = torch.rand(400, 3, 8, 8)
    out = augment_batch(pixels, "flip", torch.Generator().manual_seed(0))
    kept = (out == pixels).flatten(1).all(1)
    mirrored = (out == pixels.flip(3)).flatten(1).all(1)
    assert bool((kept ^ mirrored).all())
    assert 140 < int(mirrored.sum()) < 260


def test_crop_shifts_by_at_most_an_eighth() -> None:
    pixels = torch.zeros(200, 1, 16, 16)
    pixels[:, :, 8, 8] = 1
    where = augment_batch(pixels, "crop", torch.Generator().manual_seed(0)).flatten(1).argmax(1)
    ys, xs = where // 16, where % 16
    assert set(ys.tolist()) == set(xs.tolist()) == {6, 7, 8, 9, 10}


def test_learning_rates() -> None:
    constant, cosine, one_cycle = (
        make_settings(lr=0.4, schedule=kind) for kind in ("constant", "cosine", "one_cycle")
    )
    assert learning_rate(constant, 7, 100) == 0.4
    assert learning_rate(cosine, 50, 100) == pytest.approx(0.2)
    assert learning_rate(one_cycle, 25, 100) == pytest.approx(0.4)
    rates = [learning_rate(one_cycle, step, 100) for step in range(100)]
    assert max(rates) == pytest.approx(0.4)
    assert 0 < rates[-1] < 0.01
