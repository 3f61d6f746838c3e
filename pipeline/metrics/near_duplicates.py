"""Pairs of images that show the same picture: re-encoded, brightened, shifted, cropped or mirrored.

Two steps. *Candidates* have nearly the same low frequencies, which small shifts and re-encoding hardly
change: one blocked matrix product compares everything with everything without holding the matrix.
*Verification* aligns each candidate pair and asks for agreement in the fine structure, which different
pictures with the same layout (two meadows under a sky, two digits on one photograph) do not have.

Shape legend: N images, n images of a chunk, S side after resizing, D descriptor length, P pairs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.types import Float32Array, Int64Array, UInt8Array

SIDE = 32  # pixels; images are compared at this size
LUMA_FREQUENCIES, CHROMA_FREQUENCIES = 5, 4  # per axis
CHROMA_WEIGHT = 2.0  # CIELAB a* and b* vary less than L*
MIN_COSINE = 0.9  # of candidates; JPEG, 10 % of brightness and 1 px of shift stay above
MIN_LAYOUT = 0.9  # correlation at the best alignment; below it layouts differ
MAX_COLOR_GAP = 14.0  # CIELAB units between mean colors; 10 % of brightness moves L* by up to 10
ROUGH_MARGIN = 0.5  # fine structure at half size and whole cells may agree this much less
MIN_CONTRAST = 4.0  # standard deviation of luma, of 255: flatter images have nothing to compare
_CROPS = ((2, 28), (1, 30), (3, 26))  # margin and side of the part of one image sought in the other
_WINDOW = 28
_TILES = 4  # per axis
_HOPELESS = 0.7  # layouts this far apart without scaling do not reach MIN_LAYOUT with it
_BLOCK, _COLUMNS = 1024, 8192  # of the matrix product
_PAIR_CHUNK = 4096
_CHUNKS_AHEAD = 8  # candidates in memory


class Pairs(NamedTuple):
    """Pairs of rows, first < second, with the similarity of their fine structure in [0, 1]."""

    first: Int64Array
    second: Int64Array
    similarity: Float32Array


class Descriptors(NamedTuple):
    vectors_ND: Float32Array  # unit length; zero where an image has too little contrast
    means_N3: Float32Array  # mean CIELAB color
    mirror_D: Float32Array  # signs that turn a descriptor into that of the mirrored image


def to_thumbnails(images_nHW3: UInt8Array) -> UInt8Array:
    """n x SIDE x SIDE x 3; area averages where images shrink."""
    height, width = images_nHW3.shape[1:3]
    if (height, width) == (SIDE, SIDE):
        return np.asarray(images_nHW3)
    method = cv2.INTER_AREA if min(height, width) > SIDE else cv2.INTER_LINEAR
    resized = [cv2.resize(np.ascontiguousarray(i), (SIDE, SIDE), interpolation=method) for i in images_nHW3]
    return np.stack(resized).astype(np.uint8) if resized else np.zeros((0, SIDE, SIDE, 3), np.uint8)


def describe(thumbnails_nSS3: UInt8Array) -> Descriptors:
    """Low frequencies (DCT) of CIELAB as unit vectors without the mean color, and that mean."""
    n = len(thumbnails_nSS3)
    strip = np.ascontiguousarray(thumbnails_nSS3).reshape(-1, SIDE, 3)
    lab = np.zeros((0, SIDE, 3), np.uint8) if not n else cv2.cvtColor(strip, cv2.COLOR_RGB2Lab)
    lab_nSS3 = lab.reshape(n, SIDE, SIDE, 3).astype(np.float32)
    parts, signs = [], []
    for channel, frequencies in ((0, LUMA_FREQUENCIES), (1, CHROMA_FREQUENCIES), (2, CHROMA_FREQUENCIES)):
        basis = _cosines(frequencies)
        spectrum = np.einsum("iy,nyx,jx->nij", basis, lab_nSS3[..., channel], basis, optimize=True)
        rows, columns = np.mgrid[:frequencies, :frequencies]
        # higher frequencies are weaker in photographs; the root evens them out
        weight = np.sqrt(np.hypot(rows, columns)) * (CHROMA_WEIGHT if channel else 1.0)
        kept = weight > 0
        parts.append((spectrum * weight)[:, kept])
        signs.append(((-1.0) ** columns)[kept])
    vectors_nD = np.concatenate(parts, axis=1)
    length_n = np.linalg.norm(vectors_nD, axis=1)
    has_contrast_n = lab_nSS3[..., 0].std(axis=(1, 2)) >= MIN_CONTRAST
    scale_n = np.where(has_contrast_n & (length_n > 0), 1 / np.maximum(length_n, 1e-6), 0)
    means_n3 = lab_nSS3.mean(axis=(1, 2)) * np.array([100 / 255, 1, 1], np.float32)
    return Descriptors(
        (vectors_nD * scale_n[:, None]).astype(np.float32), means_n3, np.concatenate(signs).astype(np.float32)
    )


def find_candidates(descriptors: Descriptors) -> Iterator[tuple[Int64Array, Int64Array, bool]]:
    """Rows with a cosine of at least `MIN_COSINE`, first < second, as they are and mirrored.

    Yields small batches: neither the N x N matrix nor all candidates are ever held.
    """
    vectors_ND, n = descriptors.vectors_ND, len(descriptors.vectors_ND)
    for is_mirrored in (False, True):
        for i in range(0, n, _BLOCK):
            block = vectors_ND[i : i + _BLOCK]
            if is_mirrored:
                block = block * descriptors.mirror_D
            for j in range(i, n, _COLUMNS):
                cosines = block @ vectors_ND[j : j + _COLUMNS].T
                first, second = np.nonzero(cosines >= MIN_COSINE)
                first, second = first + i, second + j
                gap = np.linalg.norm(descriptors.means_N3[first] - descriptors.means_N3[second], axis=1)
                kept = (first < second) & (gap <= MAX_COLOR_GAP)
                if kept.any():
                    yield first[kept].astype(np.int64), second[kept].astype(np.int64), is_mirrored


def verify(thumbnails_PSS3: tuple[UInt8Array, UInt8Array], *, min_similarity: float) -> Float32Array:
    """Similarity of each aligned pair's fine structure; 0 where layout or structure differ."""
    first_PSS3, second_PSS3 = thumbnails_PSS3
    similarity_P = np.zeros(len(first_PSS3), np.float32)
    rough_P = _rough_agreement(first_PSS3, second_PSS3)
    for row in np.flatnonzero(rough_P >= min_similarity - ROUGH_MARGIN):
        layout, structure = _align(first_PSS3[row], second_PSS3[row])
        if layout >= MIN_LAYOUT and structure >= min_similarity:
            similarity_P[row] = structure
    return similarity_P


def find_near_duplicates(
    images_NHW3: UInt8Array, rows_N: Int64Array, *, min_similarity: float, chunk: int = 4096
) -> Pairs:
    """Pairs of `rows_N` (rows of `images_NHW3`, which may be a memory map) that show the same picture.

    Args:
        min_similarity: least correlation of the fine structure after alignment, up to 2 px at 32 px.

    Returns:
        pairs of positions in `rows_N`, sorted.
    """
    parts = [
        describe(to_thumbnails(images_NHW3[rows_N[i : i + chunk]])) for i in range(0, len(rows_N), chunk)
    ]
    if not parts:
        empty = np.zeros(0, np.int64)
        return Pairs(empty, empty, np.zeros(0, np.float32))
    descriptors = Descriptors(
        np.concatenate([p.vectors_ND for p in parts]),
        np.concatenate([p.means_N3 for p in parts]),
        parts[0].mirror_D,
    )
    best: dict[tuple[int, int], float] = {}

    def check(batch: tuple[Int64Array, Int64Array, bool]) -> list[tuple[int, int, float]]:
        first, second, is_mirrored = batch
        left, right = (_thumbnails_of(images_NHW3, rows_N[rows]) for rows in (first, second))
        left = left[:, :, ::-1] if is_mirrored else left
        similarity_P = verify((left, right), min_similarity=min_similarity)
        return [(int(first[p]), int(second[p]), float(similarity_P[p])) for p in np.flatnonzero(similarity_P)]

    chunks = _in_chunks(find_candidates(descriptors))
    with ThreadPoolExecutor(max(1, cv2.getNumThreads())) as pool:
        while batch := list(itertools.islice(chunks, _CHUNKS_AHEAD)):
            for i, j, similarity in itertools.chain.from_iterable(pool.map(check, batch)):
                best[i, j] = max(best.get((i, j), 0.0), similarity)
    ordered = sorted(best)
    return Pairs(
        np.array([pair[0] for pair in ordered], np.int64),
        np.array([pair[1] for pair in ordered], np.int64),
        np.array([best[pair] for pair in ordered], np.float32),
    )


def _in_chunks(
    batches: Iterator[tuple[Int64Array, Int64Array, bool]],
) -> Iterator[tuple[Int64Array, Int64Array, bool]]:
    for first, second, is_mirrored in batches:
        for k in range(0, len(first), _PAIR_CHUNK):
            yield first[k : k + _PAIR_CHUNK], second[k : k + _PAIR_CHUNK], is_mirrored


def _thumbnails_of(images_NHW3: UInt8Array, rows_P: Int64Array) -> UInt8Array:
    """Thumbnails of rows that repeat: each is read and shrunk once."""
    unique, inverse_P = np.unique(rows_P, return_inverse=True)
    return to_thumbnails(images_NHW3[unique])[inverse_P]


def _cosines(frequencies: int) -> Float32Array:
    position = np.arange(SIDE) + 0.5
    basis = np.cos(np.pi * position[None] * np.arange(frequencies)[:, None] / SIDE)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis * np.sqrt(2 / SIDE), np.float32)


def _rough_agreement(first_PSS3: UInt8Array, second_PSS3: UInt8Array) -> Float32Array:
    """Correlation of fine structure at half size, for the best shift of up to 2 px: a cheap sieve."""
    first, second = (_fine_half(images) for images in (first_PSS3, second_PSS3))
    size = first.shape[1]
    inner = _standardize(first[:, 1:-1, 1:-1])
    best_P: Float32Array = np.full(len(first), -1.0, np.float32)
    for dy in range(3):
        for dx in range(3):
            window = _standardize(second[:, dy : dy + size - 2, dx : dx + size - 2])
            np.maximum(best_P, np.einsum("pyx,pyx->p", inner, window), out=best_P)
    return best_P


def _fine_half(images_PSS3: UInt8Array) -> Float32Array:
    """Luma at half size without its low frequencies."""
    luma = images_PSS3.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    half: Float32Array = luma.reshape(len(luma), SIDE // 2, 2, SIDE // 2, 2).mean(axis=(2, 4))
    rows = half.transpose(1, 0, 2).reshape(SIDE // 2, -1)  # blur down the columns of all images at once
    smooth = cv2.GaussianBlur(rows, (1, 7), 0, sigmaY=1.5, borderType=cv2.BORDER_REFLECT)
    smooth = smooth.reshape(SIDE // 2, len(luma), SIDE // 2).transpose(1, 2, 0).reshape(-1, SIDE // 2)
    across = np.ascontiguousarray(smooth.reshape(len(luma), SIDE // 2, SIDE // 2).transpose(1, 0, 2))
    across = cv2.GaussianBlur(
        across.reshape(SIDE // 2, -1), (1, 7), 0, sigmaY=1.5, borderType=cv2.BORDER_REFLECT
    )
    blurred = across.reshape(SIDE // 2, len(luma), SIDE // 2).transpose(1, 2, 0)
    fine: Float32Array = (half - blurred).astype(np.float32)
    return fine


def _standardize(values_PYX: Float32Array) -> Float32Array:
    centered = values_PYX - values_PYX.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt(np.einsum("pyx,pyx->p", centered, centered))
    scaled: Float32Array = centered / np.maximum(length, 1e-6)[:, None, None]
    return scaled


def _align(first_SS3: UInt8Array, second_SS3: UInt8Array) -> tuple[float, float]:
    """Best correlation of layouts over crops and shifts, and how alike the pair is there.

    Alike is the lower of two numbers: the correlation of fine structure, and one minus the worst
    disagreement among 4 x 4 tiles (a copy has no part of its own, two cans on one table do).
    """
    target = second_SS3.astype(np.float32)
    best, found = -1.0, None
    for margin, side in _CROPS:
        part = np.asarray(first_SS3[margin : margin + side, margin : margin + side], np.float32)
        if side != _WINDOW:
            method = cv2.INTER_AREA if side > _WINDOW else cv2.INTER_LINEAR
            part = np.asarray(cv2.resize(part, (_WINDOW, _WINDOW), interpolation=method), np.float32)
        scores = cv2.matchTemplate(target, np.ascontiguousarray(part), cv2.TM_CCOEFF_NORMED)
        place = int(scores.argmax())
        layout = float(scores.flat[place])
        if np.isfinite(layout) and layout > best:
            dy, dx = divmod(place, scores.shape[1])
            best, found = layout, (part, target[dy : dy + _WINDOW, dx : dx + _WINDOW])
        if best < _HOPELESS:
            break  # another crop moves pixels by 2 at most
    if found is None:
        return best, 0.0
    part, window = found
    # of luma alone: re-encoding throws fine color away
    structure = _agreement(_fine(_luma(part)), _fine(_luma(window)))[0]
    return best, min(structure, _agreement(part, window)[1])


def _luma(image_YX3: Float32Array) -> Float32Array:
    return np.asarray(cv2.cvtColor(image_YX3, cv2.COLOR_RGB2GRAY), np.float32)[:, :, None]


def _fine(image_YX3: Float32Array) -> Float32Array:
    blurred = cv2.GaussianBlur(image_YX3, (0, 0), 1.5, borderType=cv2.BORDER_REFLECT)
    return np.asarray(image_YX3 - blurred.reshape(image_YX3.shape), np.float32)


def _agreement(first_YX3: Float32Array, second_YX3: Float32Array) -> tuple[float, float]:
    """Correlation of two windows, and the same with the worst of 4 x 4 tiles standing for all."""
    a: Float32Array = first_YX3 - first_YX3.mean((0, 1))
    b: Float32Array = second_YX3 - second_YX3.mean((0, 1))
    length_a, length_b = float(np.sqrt((a * a).sum())), float(np.sqrt((b * b).sum()))
    if min(length_a, length_b) < 1e-6:
        return 0.0, 0.0
    squares = (
        ((a / length_a - b / length_b) ** 2)
        .sum(axis=2)
        .reshape(_TILES, _WINDOW // _TILES, _TILES, _WINDOW // _TILES)
    )
    worst = float(squares.sum(axis=(1, 3)).max()) * _TILES**2
    return float((a * b).sum()) / (length_a * length_b), 1 - worst / 2
