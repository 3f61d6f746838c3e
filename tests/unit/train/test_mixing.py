"""Mixup and CutMix: shares, labels and groups of mixed images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pipeline.parallel.rank import World
from pipeline.train.feed import Feed
from pipeline.train.options.mixing import Mixed, mix
from tests.fixtures.train import make_settings, make_split


def one_colored(n: int) -> torch.Tensor:
    """Image i has the value i everywhere."""
    return torch.arange(float(n)).view(-1, 1, 1, 1).expand(-1, 3, 8, 8)


@pytest.mark.parametrize("seed", range(5))
def test_mixup_is_the_weighted_mean_of_each_image_and_the_one_before(seed: int) -> None:
    mixed = mix(one_colored(6), make_settings(mixup=1.0), seed)
    assert mixed.pixels_BCHW.shape == (5, 3, 8, 8)
    share = float(mixed.shares_BB[0, 1])
    assert 0 < share < 1
    expected = torch.tensor([share * i + (1 - share) * (i - 1) for i in range(1, 6)])
    torch.testing.assert_close(mixed.pixels_BCHW, expected.view(-1, 1, 1, 1).expand(-1, 3, 8, 8))
    torch.testing.assert_close(mixed.shares_BB.sum(1), torch.ones(5))


@pytest.mark.parametrize("seed", range(5))
def test_cutmix_shares_are_the_areas(seed: int) -> None:
    mixed = mix(one_colored(6), make_settings(cutmix=1.0), seed)
    for i, image in enumerate(mixed.pixels_BCHW, start=1):
        own = float((image[0] == i).float().mean())
        assert own + float((image[0] == i - 1).float().mean()) == 1
        assert float(mixed.shares_BB[i - 1, i]) == pytest.approx(own)


def test_with_both_switched_on_each_batch_gets_one_of_them() -> None:
    settings = make_settings(mixup=1.0, cutmix=1.0)
    pasted = [bool((mix(one_colored(4), settings, s).pixels_BCHW % 1 == 0).all()) for s in range(200)]
    assert 70 < sum(pasted) < 130


def test_alpha_says_how_much_is_mixed() -> None:
    little, much = (
        np.mean([float(mix(one_colored(3), make_settings(mixup=a), s).shares_BB.max()) for s in range(200)])
        for a in (0.1, 10.0)
    )
    # E max(p, 1 - p) of Beta(a, a): 0.93 and 0.59
    assert little == pytest.approx(0.93, abs=0.03)
    assert much == pytest.approx(0.59, abs=0.02)


def test_soft_targets_give_the_weighted_losses_and_groups_follow_the_larger_part() -> None:
    shares = torch.tensor([[0.3, 0.7, 0.0], [0.0, 0.6, 0.4]])
    mixed = Mixed(torch.zeros(2, 3, 4, 4), shares)
    labels = torch.tensor([2, 0, 1])
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    losses = F.cross_entropy(logits, mixed.targets(labels, 3), reduction="none")
    hard = [F.cross_entropy(logits, torch.full((2,), k), reduction="none") for k in range(3)]
    assert float(losses[0]) == pytest.approx(float(0.3 * hard[2][0] + 0.7 * hard[0][0]), rel=1e-5)
    assert float(losses[1]) == pytest.approx(float(0.6 * hard[0][1] + 0.4 * hard[1][1]), rel=1e-5)
    assert mixed.main(torch.tensor([5, 6, 7])).tolist() == [6, 6]


@pytest.mark.parametrize("n_processes", [2, 3])
def test_parts_of_a_mixed_batch_add_up_to_the_whole(n_processes: int) -> None:
    split = make_split(20)
    settings = make_settings(mixup=0.5, cutmix=1.0, augment="flip_crop")
    feed = Feed(split, split.groups, settings, 2, torch.device("cpu"))
    rows = np.random.default_rng(0).permutation(20)[:11]
    whole = feed.batch(rows, 4, World())
    parts = [feed.batch(rows, 4, World(rank, n_processes)) for rank in range(n_processes)]
    for name in ("pixels_BCHW", "targets", "labels_B", "groups_B", "plan_groups_B"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name)), name


def test_without_mixing_a_batch_is_its_rows() -> None:
    split = make_split(20)
    feed = Feed(split, 3 - split.groups, make_settings(), 2, torch.device("cpu"))
    rows = np.array([4, 4, 19])
    batch = feed.batch(rows, 0, World())
    assert torch.equal(
        batch.pixels_BCHW.permute(0, 2, 3, 1) * 255, torch.from_numpy(split.images[rows]).float()
    )
    assert batch.pixels_BCHW.is_contiguous(memory_format=torch.channels_last)
    assert batch.targets.tolist() == batch.labels_B.tolist() == split.labels[rows].tolist()
    assert batch.plan_groups_B.tolist() == (3 - split.groups[rows]).tolist()


def test_plain_batches_never_end_with_a_single_image() -> None:
    split = make_split(65)
    feed = Feed(split, split.groups, make_settings(), 2, torch.device("cpu"))
    for n, sizes in ((64, [32, 32]), (65, [32, 32]), (66, [32, 32, 2]), (33, [32])):
        assert [len(pixels) for pixels in feed.plain(np.arange(n) % 65, 32)] == sizes
