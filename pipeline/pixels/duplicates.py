"""Pairs of images that show the same picture: re-encoded, brightened, shifted, cropped or mirrored.

Two steps. *Candidates* have nearly the same low frequencies, which small shifts and re-encoding hardly
change: one blocked matrix product compares everything with everything without holding the matrix.
`picture_similarity` then looks at each candidate pair's detail.

Shape legend: N images, n images of a chunk, S side after resizing, D descriptor length, P pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.progress import Progress
from pipeline.core.types import BoolArray, Float32Array, Int64Array, UInt8Array
from pipeline.pixels.similarity import MIDDLE, SIDE, similarity, to_pictures, to_thumbnails

LUMA_FREQUENCIES, CHROMA_FREQUENCIES = (5, 6), (3, 4)  # of columns and rows
CHROMA_WEIGHT = 2.0  # CIELAB a* and b* vary less than L*
MIN_COSINE = 0.85  # of candidates; re-encoding, crops to 95 %, 3 degrees and captions stay above
MAX_COLOR_GAP = 22.0  # CIELAB units between mean colors; 25 % of brightness moves L* by up to 19
MIN_CONTRAST = 4.0  # standard deviation of L*, of 255: flatter images have nothing to compare
MAX_CANDIDATES = 50  # per image and orientation, the most alike: bounds the time where all images are alike
_BLOCK, _COLUMNS = 1024, 8192  # of the matrix product
_PAIR_CHUNK = 4096


class Pairs(NamedTuple):
    """Pairs of rows, first < second, with their similarity in [0, 1]."""

    first: Int64Array
    second: Int64Array
    similarity: Float32Array


class Descriptors(NamedTuple):
    vectors_ND: Float32Array  # unit length; zero where an image has too little contrast
    means_N3: Float32Array  # mean CIELAB color
    mirror_D: Float32Array  # signs that turn a descriptor into that of the mirrored image


class Candidates(NamedTuple):
    """Pairs of one block of rows, the most alike first."""

    first: Int64Array  # P
    second: Int64Array  # P, each > first
    cosine: Float32Array
    is_mirrored: bool


def find_near_duplicates(
    images_NHW3: UInt8Array, rows_N: Int64Array, *, min_similarity: float, chunk: int = 4096
) -> Pairs:
    """Links between those of `rows_N` (rows of `images_NHW3`, may be a memory map) that show one picture.

    Images that are already linked through others are not compared again, so the time does not explode
    where hundreds of images are alike; the connected sets are the same as with all pairs.

    Args:
        min_similarity: of `picture_similarity.similarity`.

    Returns:
        pairs of positions in `rows_N`, sorted.
    """
    descriptors = _describe_all(images_NHW3, rows_N, chunk)
    keys_N = descriptors.vectors_ND @ np.arange(1, descriptors.vectors_ND.shape[1] + 1, dtype=np.float32)
    parent = list(range(len(rows_N)))
    found: list[tuple[int, int, float]] = []
    for candidates in find_candidates(descriptors):
        for first, second in _open_pairs(candidates, parent):
            rows, inverse_P = np.unique(np.concatenate([first, second]), return_inverse=True)
            pictures = to_pictures(to_thumbnails(images_NHW3[rows_N[rows]]))
            for a, b, i, j in zip(
                inverse_P[: len(first)], inverse_P[len(first) :], first.tolist(), second.tolist(), strict=True
            ):
                roots = _root(parent, i), _root(parent, j)
                if roots[0] == roots[1]:
                    continue
                # Which image is moved must not depend on the order of the images.
                moved, still = (a, b) if keys_N[i] <= keys_N[j] else (b, a)
                picture = pictures[moved].mirrored() if candidates.is_mirrored else pictures[moved]
                alike = similarity(picture, pictures[still], min_similarity=min_similarity)
                if alike:
                    found.append((i, j, alike))
                    parent[max(roots)] = min(roots)
    found.sort()
    return Pairs(
        np.array([pair[0] for pair in found], np.int64),
        np.array([pair[1] for pair in found], np.int64),
        np.array([pair[2] for pair in found], np.float32),
    )


def find_candidates(descriptors: Descriptors) -> Iterator[Candidates]:
    """Rows with a cosine of at least `MIN_COSINE` and nearly one mean color, as they are and mirrored.

    One block of rows at a time: neither the N x N matrix nor all candidates are ever held.
    """
    n = len(descriptors.vectors_ND)
    with Progress("near duplicates", total=n, unit="images") as progress:
        for i in range(0, n, _BLOCK):
            for is_mirrored in (False, True):
                yield _block_candidates(descriptors, i, is_mirrored)
            progress.update(min(_BLOCK, n - i))


def describe(thumbnails_nSS3: UInt8Array) -> Descriptors:
    """Low frequencies (DCT) of CIELAB in the middle rows as unit vectors without the mean, and that mean."""
    n = len(thumbnails_nSS3)
    strip = np.ascontiguousarray(thumbnails_nSS3).reshape(-1, SIDE, 3)
    lab = np.zeros((0, SIDE, 3), np.uint8) if not n else cv2.cvtColor(strip, cv2.COLOR_RGB2Lab)
    lab_nYS3 = lab.reshape(n, SIDE, SIDE, 3)[:, MIDDLE].astype(np.float32)
    height = lab_nYS3.shape[1]
    parts, signs = [], []
    for channel, frequencies in ((0, LUMA_FREQUENCIES), (1, CHROMA_FREQUENCIES), (2, CHROMA_FREQUENCIES)):
        bases = _cosines(frequencies[0], height), _cosines(frequencies[1], SIDE)
        spectrum = np.einsum("iy,nyx,jx->nij", bases[0], lab_nYS3[..., channel], bases[1], optimize=True)
        rows, columns = np.mgrid[: frequencies[0], : frequencies[1]]
        # higher frequencies are weaker in photographs; the root evens them out
        weight = np.sqrt(np.hypot(rows * SIDE / height, columns)) * (CHROMA_WEIGHT if channel else 1.0)
        kept = weight > 0
        parts.append((spectrum * weight)[:, kept])
        signs.append(((-1.0) ** columns)[kept])
    vectors_nD = np.concatenate(parts, axis=1)
    length_n = np.linalg.norm(vectors_nD, axis=1)
    has_contrast_n = lab_nYS3[..., 0].std(axis=(1, 2)) >= MIN_CONTRAST
    scale_n = np.where(has_contrast_n & (length_n > 0), 1 / np.maximum(length_n, 1e-6), 0)
    means_n3 = lab_nYS3.mean(axis=(1, 2)) * np.array([100 / 255, 1, 1], np.float32)
    return Descriptors(
        (vectors_nD * scale_n[:, None]).astype(np.float32), means_n3, np.concatenate(signs).astype(np.float32)
    )


def _describe_all(images_NHW3: UInt8Array, rows_N: Int64Array, chunk: int) -> Descriptors:
    parts = [
        describe(to_thumbnails(images_NHW3[rows_N[i : i + chunk]]))
        for i in range(0, max(len(rows_N), 1), chunk)
    ]
    return Descriptors(
        np.concatenate([p.vectors_ND for p in parts]),
        np.concatenate([p.means_N3 for p in parts]),
        parts[0].mirror_D,
    )


def _block_candidates(descriptors: Descriptors, start: int, is_mirrored: bool) -> Candidates:
    """Candidates of one block of rows among all later rows, at most `MAX_CANDIDATES` for each."""
    vectors_ND = descriptors.vectors_ND
    block = vectors_ND[start : start + _BLOCK] * (descriptors.mirror_D if is_mirrored else np.float32(1))
    empty = np.zeros(0, np.int64)
    kept = Candidates(empty, empty, np.zeros(0, np.float32), is_mirrored)
    for j in range(start, len(vectors_ND), _COLUMNS):
        cosine_BC = block @ vectors_ND[j : j + _COLUMNS].T
        place = np.flatnonzero(cosine_BC >= MIN_COSINE)
        if not len(place):
            continue
        first, second = np.divmod(place, cosine_BC.shape[1])
        cosine, first, second = cosine_BC.ravel()[place], first + start, second + j
        gap = np.linalg.norm(descriptors.means_N3[first] - descriptors.means_N3[second], axis=1)
        possible = (first < second) & (gap <= MAX_COLOR_GAP)
        kept = _most_alike(
            np.concatenate([kept.first, first[possible]]),
            np.concatenate([kept.second, second[possible]]),
            np.concatenate([kept.cosine, cosine[possible]]),
            is_mirrored,
        )
    order = np.argsort(-kept.cosine, kind="stable")
    return Candidates(kept.first[order], kept.second[order], kept.cosine[order], is_mirrored)


def _most_alike(first: Int64Array, second: Int64Array, cosine: Float32Array, is_mirrored: bool) -> Candidates:
    """The `MAX_CANDIDATES` highest cosines of each first row."""
    order = np.lexsort((-cosine, first))
    sorted_first = first[order]
    rank = np.arange(len(order)) - np.searchsorted(sorted_first, sorted_first)
    order = order[rank < MAX_CANDIDATES]
    return Candidates(first[order], second[order], cosine[order], is_mirrored)


def _open_pairs(candidates: Candidates, parent: list[int]) -> Iterator[tuple[Int64Array, Int64Array]]:
    """Pairs that are not linked yet, in chunks; later chunks know the links that earlier ones brought."""
    for k in range(0, len(candidates.first), _PAIR_CHUNK):
        first, second = candidates.first[k : k + _PAIR_CHUNK], candidates.second[k : k + _PAIR_CHUNK]
        is_open: BoolArray = np.array(
            [
                _root(parent, i) != _root(parent, j)
                for i, j in zip(first.tolist(), second.tolist(), strict=True)
            ]
        )
        if is_open.any():
            yield first[is_open], second[is_open]


def _root(parent: list[int], i: int) -> int:
    """The image that stands for all that `i` is linked with (union-find with path halving)."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


def _cosines(frequencies: int, side: int) -> Float32Array:
    position = np.arange(side) + 0.5
    basis = np.cos(np.pi * position[None] * np.arange(frequencies)[:, None] / side)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis * np.sqrt(2 / side), np.float32)
