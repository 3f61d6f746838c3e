"""The fast search against a loop over all pairs, and its parts against library functions."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pipeline.core.types import UInt8Array
from pipeline.pixels.duplicates import MAX_COLOR_GAP, MIN_CONTRAST, MIN_COSINE, describe, find_near_duplicates
from pipeline.pixels.similarity import MIDDLE, similarity, to_pictures
from tests.fixtures.hygiene import CHANGES, crops

MIN_SIMILARITY = 0.87


@pytest.fixture(scope="module")
def images() -> UInt8Array:
    """Crops that overlap, some of them changed: many pairs near both thresholds."""
    base = crops(130, size=80, seed=1)
    rng = np.random.default_rng(0)
    names = sorted(CHANGES)
    changed = [
        CHANGES[names[int(k)]](base[int(i)])
        for i, k in zip(rng.integers(0, 130, 70), rng.integers(0, len(names), 70), strict=True)
    ]
    return np.concatenate([base, np.stack(changed)])


def lab_spectrum(image: UInt8Array) -> np.ndarray:
    """The descriptor of the middle rows by OpenCV's own DCT, before its length is made 1."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2Lab).astype(np.float32)[MIDDLE]
    stretch = image.shape[0] / lab.shape[0]
    found = []
    for channel, (n_rows, n_columns), weight in ((0, (5, 6), 1.0), (1, (3, 4), 2.0), (2, (3, 4), 2.0)):
        spectrum = cv2.dct(lab[..., channel])
        found += [
            weight * np.sqrt(np.hypot(u * stretch, v)) * spectrum[u, v]
            for u in range(n_rows)
            for v in range(n_columns)
            if u or v
        ]
    return np.array(found)


def slow_sets(images: UInt8Array) -> set[frozenset[int]]:
    """Connected images of all pairs, one pair after the other."""
    n, pictures = len(images), to_pictures(images)
    spectra = [lab_spectrum(image) for image in images]
    mirrored = [lab_spectrum(np.ascontiguousarray(image[:, ::-1])) for image in images]
    labs = [cv2.cvtColor(image, cv2.COLOR_RGB2Lab).astype(float)[MIDDLE] for image in images]
    means = [lab.mean(axis=(0, 1)) * (100 / 255, 1, 1) for lab in labs]
    key = [float((np.arange(1, len(s) + 1) * s / np.linalg.norm(s)).sum()) for s in spectra]
    alike = np.zeros((n, n), bool)
    for i in range(n):
        for j in range(i + 1, n):
            if min(labs[i][..., 0].std(), labs[j][..., 0].std()) < MIN_CONTRAST:
                continue
            if np.linalg.norm(means[i] - means[j]) > MAX_COLOR_GAP:
                continue
            moved, still = (i, j) if key[i] <= key[j] else (j, i)
            for first, picture in ((spectra, pictures[moved]), (mirrored, pictures[moved].mirrored())):
                a, b = first[i], spectra[j]
                cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
                if cosine >= MIN_COSINE:
                    alike[i, j] |= similarity(picture, pictures[still], min_similarity=MIN_SIMILARITY) > 0
    pairs = np.argwhere(alike)
    return components(pairs[:, 0], pairs[:, 1], n)


def components(first: np.ndarray, second: np.ndarray, n: int) -> set[frozenset[int]]:
    _, label = connected_components(
        coo_matrix((np.ones(len(first)), (first, second)), (n, n)), directed=False
    )
    sets = (frozenset(np.flatnonzero(label == k).tolist()) for k in range(label.max() + 1))
    return {members for members in sets if len(members) > 1}


def test_the_fast_search_finds_the_sets_of_all_pairs(images: UInt8Array) -> None:
    found = find_near_duplicates(images, np.arange(len(images)), min_similarity=MIN_SIMILARITY)
    fast = components(found.first, found.second, len(images))
    assert fast == slow_sets(images)
    assert len(fast) > 30


def test_descriptors_are_weighted_cosine_transforms(images: UInt8Array) -> None:
    found = describe(images[:20])
    for row in range(20):
        expected = lab_spectrum(images[row])
        np.testing.assert_allclose(found.vectors_ND[row], expected / np.linalg.norm(expected), atol=1e-5)
    mirrored = describe(np.ascontiguousarray(images[:20, :, ::-1]))
    np.testing.assert_allclose(mirrored.vectors_ND, found.vectors_ND * found.mirror_D, atol=1e-5)
    assert set(np.unique(found.mirror_D).tolist()) == {-1.0, 1.0}


def test_similarity_of_a_picture_with_itself_is_one_and_falls_with_noise(images: UInt8Array) -> None:
    rng = np.random.default_rng(0)
    for image in images[:10]:
        values = []
        for sd in (0, 4, 8, 16, 60):
            noisy = np.clip(image + rng.normal(0, sd, image.shape), 0, 255).astype(np.uint8)
            first, second = to_pictures(np.stack([image, noisy]))
            values.append(similarity(first, second, min_similarity=0.5))
        assert values[0] == pytest.approx(1, abs=1e-5)
        assert values == sorted(values, reverse=True)
        assert values[-1] == 0
