"""Insertion and deletion: the ranking that knows where the evidence is wins, a random one does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.explain.cam.faithfulness import (
    Scores,
    blur_images,
    estimate_gain,
    score_rankings,
    summarize_scores,
)
from pipeline.models.interface import Classifier, StagedClassifier

SIDE, CELLS = 16, 4


class RedInCell(nn.Module):
    """Class 1 if there is red in the cell (0, 3), blind to all else."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        red_N = x_NCHW[:, 0, :4, 12:].mean(dim=(1, 2))
        return torch.stack([-red_N, red_N], dim=1)[:, :, None, None]


def reader() -> Classifier:
    model = StagedClassifier(nn.Sequential(RedInCell()), 2, 2, [0.5] * 3, [0.1] * 3)
    with torch.no_grad():
        model.head.weight.copy_(torch.eye(2))
        model.head.bias.zero_()
    return model.eval()


def images(n: int) -> np.ndarray:
    pictures = np.random.default_rng(0).integers(0, 140, (n, SIDE, SIDE, 3), dtype=np.uint8)
    pictures[:, :4, 12:] = [255, 0, 0]
    return pictures


def score(maps_Nhw: np.ndarray, seed: int = 0, n_steps: int = 9) -> Scores:
    n = len(maps_Nhw)
    return score_rankings(
        [reader()],
        images(n),
        np.ones((1, n), np.int64),
        maps_Nhw[None].astype(np.float32),
        n_steps=n_steps,
        batch_size=32,
        seed=seed,
    )


def test_the_map_that_knows_the_cell_wins_and_its_opposite_loses() -> None:
    knows = np.zeros((12, CELLS, CELLS))
    knows[:, 0, 3] = 1
    good, bad = score(knows), score(1 - knows)
    found = summarize_scores(good, 9)
    assert found is not None
    assert found.over_random.low > 0.1
    assert found.over_center.low > 0.2
    assert found.score.low > 0.2
    assert (bad.map_SN < 0).all()
    worse = summarize_scores(bad, 9)
    assert worse is not None
    assert worse.over_random.high < 0
    assert found.n_steps == 9
    assert found.over_random.value == pytest.approx(found.score.value - found.random.value)


def test_a_random_map_does_not_beat_a_random_ranking() -> None:
    covered = 0
    for seed in range(12):
        maps = np.random.default_rng(100 + seed).random((40, CELLS, CELLS))
        gain = estimate_gain(score(maps, seed))
        assert gain is not None
        covered += gain.low <= 0 <= gain.high
    assert covered >= 10


def test_blank_maps_are_left_out_and_nothing_else_is() -> None:
    maps = np.random.default_rng(0).random((5, CELLS, CELLS))
    maps[2] = 0
    scores = score(maps)
    for values in scores:
        np.testing.assert_array_equal(np.isnan(values), [[False, False, True, False, False]])
    assert summarize_scores(score(0 * maps), 9) is None
    assert estimate_gain(scores, min_images=5) is None
    assert estimate_gain(scores, min_images=4) is not None


def test_a_map_of_equal_cells_is_a_random_ranking() -> None:
    scores = score(np.ones((6, CELLS, CELLS)))
    np.testing.assert_array_equal(scores.map_SN, scores.random_SN)


def test_the_same_seed_gives_the_same_scores_in_any_batch() -> None:
    maps = np.random.default_rng(1).random((7, CELLS, CELLS)).astype(np.float32)
    first = score(maps)
    predicted = np.ones((1, 7), np.int64)
    again = score_rankings([reader()], images(7), predicted, maps[None], n_steps=9, batch_size=500, seed=0)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_blurring_leaves_the_color_and_nothing_of_the_shape() -> None:
    blurred = blur_images(images(3))
    assert blurred.shape == (3, SIDE, SIDE, 3)
    assert blurred.std(axis=(1, 2)).max() < 0.5 * images(3).std(axis=(1, 2)).max()
    flat = np.full((1, SIDE, SIDE, 3), 77, np.uint8)
    np.testing.assert_array_equal(blur_images(flat), flat)
