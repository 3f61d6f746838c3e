"""Color features do not depend on chunks, order, neighbors or where the pixels are stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.pixels.color_features import color_features
from pipeline.pixels.detail_features import detail_features

IMAGES = np.random.default_rng(0).integers(0, 256, (23, 9, 9, 3), dtype=np.uint8)
MASKS = np.where(np.random.default_rng(1).random((23, 9, 9)) < 0.05, 255, 0).astype(np.uint8)


@settings(max_examples=15, deadline=None)
@given(chunk=st.integers(1, 30), seed=st.integers(0, 1000))
def test_chunks_and_order_do_not_matter(chunk: int, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(IMAGES))
    np.testing.assert_allclose(
        color_features(IMAGES[order], chunk=chunk)[0], color_features(IMAGES)[0][order], atol=2e-3
    )
    np.testing.assert_allclose(
        detail_features(IMAGES[order], chunk=chunk)[0], detail_features(IMAGES)[0][order], atol=2e-4
    )
    np.testing.assert_allclose(
        color_features(IMAGES[order], MASKS[order], chunk=chunk)[0],
        color_features(IMAGES, MASKS)[0][order],
        atol=2e-3,
    )


@settings(max_examples=10, deadline=None)
@given(row=st.integers(0, len(IMAGES) - 1))
def test_flips_change_nothing(row: int) -> None:
    image = IMAGES[row : row + 1]
    for turned in (image[:, ::-1], image[:, :, ::-1], image.transpose(0, 2, 1, 3)):
        np.testing.assert_allclose(color_features(turned)[0], color_features(image)[0], atol=2e-3)
        np.testing.assert_allclose(detail_features(turned)[0], detail_features(image)[0], atol=2e-4)


def test_memory_maps_are_read_like_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    np.testing.assert_array_equal(color_features(mapped, chunk=5)[0], color_features(IMAGES, chunk=5)[0])
