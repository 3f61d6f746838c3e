"""Slow twins and the libraries that define a number, against the code for edits and agreement."""

from __future__ import annotations

import colorsys

import numpy as np
import torch
from torchvision.transforms.v2 import functional as tv

from pipeline.explain.reliance.edits import blur_background, halve_saturation, rotate_hue
from pipeline.statistics.cues.reliance import color_agreement, foreground_sensitivity

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)


def test_halved_saturation_is_torchvisions() -> None:
    pixels = torch.from_numpy(IMAGES).permute(0, 3, 1, 2).double() / 255
    theirs = 255 * tv.adjust_saturation(pixels, 0.5).permute(0, 2, 3, 1).numpy()
    # their luma weights have four digits, ours three
    assert np.abs(halve_saturation(IMAGES) - theirs).max() < 0.55


def test_the_turned_hue_is_the_opposite_one() -> None:
    """HSV hue differs by a half turn wherever a pixel is colorful enough for its hue to be known."""
    turned = rotate_hue(IMAGES).reshape(-1, 3)
    n_checked = 0
    for before, after in zip(IMAGES.reshape(-1, 3), turned, strict=True):
        if min(np.ptp(before), np.ptp(after)) < 30:
            continue
        hues = [colorsys.rgb_to_hsv(*(color / 255.0))[0] for color in (before, after)]
        distance = abs((hues[1] - hues[0] + 0.5) % 1)
        assert min(distance, 1 - distance) < 0.02
        n_checked += 1
    assert n_checked > 500


def test_the_background_blur_is_a_loop_over_background_pixels() -> None:
    """Gaussian weights over the background away from the object's rim, pixel by pixel."""
    side = 16
    mask = np.zeros((side, side), np.uint8)
    mask[4:9, 6:12] = 255
    averaged = np.ones((side, side), bool)
    averaged[3:10, 5:13] = False  # the rim of one pixel is left out
    rows, columns = np.mgrid[:side, :side]
    sigma = side / 8
    expected = IMAGES[0].astype(float)
    for i, j in zip(*np.nonzero(mask == 0), strict=True):
        weights = averaged * np.exp(-((rows - i) ** 2 + (columns - j) ** 2) / (2 * sigma**2))
        expected[i, j] = np.tensordot(weights, IMAGES[0].astype(float), 2) / weights.sum()
    blurred = blur_background(IMAGES[:1], mask[None])[0]
    assert np.abs(blurred - expected).max() < 1.0  # OpenCV cuts the Gaussian off at four sigma


def test_expected_agreement_is_the_mean_over_permutations() -> None:
    labels = RNG.integers(0, 4, 60)
    color, model = RNG.integers(0, 4, 60), RNG.integers(0, 4, (3, 60))
    found = color_agreement(model, labels, color, seed=0)
    assert found is not None
    shares = []
    for _ in range(3000):
        permuted = color.copy()
        for label in range(4):
            members = np.flatnonzero(labels == label)
            permuted[members] = RNG.permutation(color[members])
        wrong = model != labels
        shares.append((wrong & (model == permuted)).sum() / wrong.sum())
    wrong = model != labels
    assert found.share.value == (wrong & (model == color)).sum() / wrong.sum()
    assert abs(found.expected - np.mean(shares)) < 4 * np.std(shares) / np.sqrt(3000)
    assert abs(found.p_value - np.mean(np.array(shares) >= found.share.value - 1e-12)) < 0.04


def test_the_excess_has_the_interval_of_a_bootstrap_that_counts_anew() -> None:
    """Images redrawn, and the expected share computed again in every draw."""
    n = 1500
    labels = RNG.integers(0, 2, n)
    color = np.where(RNG.random(n) < 0.6, labels, 1 - labels)
    copied, own = RNG.random((2, n)) < np.array([[0.3], [0.2]])
    model = np.where(copied, color, np.where(own, 1 - labels, labels))[None]
    found = color_agreement(model, labels, color, seed=0)
    assert found is not None
    draws = []
    for _ in range(800):
        rows = RNG.integers(n, size=n)
        y, c, m = labels[rows], color[rows], model[0, rows]
        wrong = m != y
        rates = np.array([(c[y == k] != k).mean() for k in (0, 1)])
        draws.append((wrong & (m == c)).sum() / wrong.sum() - rates[y[wrong]].mean())
    low, high = np.quantile(draws, [0.025, 0.975])
    assert high - low < 0.12
    assert abs(found.excess.low - low) < 0.012
    assert abs(found.excess.high - high) < 0.012


def test_foreground_sensitivity_is_the_formula() -> None:
    labels = RNG.integers(0, 3, 300)
    by_object, by_background = RNG.random((2, 300)) < 0.7, RNG.random((2, 300)) < 0.4
    found = foreground_sensitivity(by_object, by_background, labels, seed=0)
    a_F, a_B = (
        np.mean([part[:, labels == k].mean() for k in range(3)]) for part in (by_object, by_background)
    )
    mean = (a_F + a_B) / 2
    assert found is not None
    assert abs(found.value - (a_F - a_B) / (2 * min(mean, 1 - mean))) < 1e-12
