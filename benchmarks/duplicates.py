"""Time the duplicate search against the plain ways: `python -m benchmarks.duplicates [FOLDER]`.

FOLDER is a packed dataset; without it, images are made in which a known share are changed copies. The
plain ways are timed on a few images and scaled: one perceptual hash per image compared with all others
(a DCT hash of 64 bits, Hamming distance of at most 8), and every pair by the same `similarity`.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import cv2
import numpy as np

from pipeline.artifacts.datasets import map_array
from pipeline.core.types import BoolArray, UInt8Array
from pipeline.data_audit.hygiene.duplicates import digests
from pipeline.pixels.duplicates import Pairs, find_near_duplicates
from pipeline.pixels.similarity import similarity, to_pictures, to_thumbnails

HASH_BITS, MAX_DISTANCE = 64, 8


def planted_images(n: int, side: int, n_copies: int, seed: int = 0) -> UInt8Array:
    """Random fields with the spectrum of photographs; the last ones are JPEG copies of the first."""
    rng = np.random.default_rng(seed)
    images: UInt8Array = np.empty((n, side, side, 3), np.uint8)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    amplitude = (1 / np.maximum(frequency, 1 / side))[None, ..., None]
    for start in range(0, n - n_copies, 4096):
        size = min(4096, n - n_copies - start)
        luma = rng.normal(size=(size, side, side, 1))
        white = luma + 0.4 * rng.normal(size=(size, side, side, 3))
        field = np.fft.irfft2(np.fft.rfft2(white, axes=(1, 2)) * amplitude, s=(side, side), axes=(1, 2))
        field *= 50 / field.std(axis=(1, 2, 3), keepdims=True)
        images[start : start + size] = np.clip(field + rng.uniform(90, 160, (size, 1, 1, 3)), 0, 255)
    for k in range(n_copies):
        coded = cv2.imencode(".jpg", images[k], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
        images[n - n_copies + k] = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return images


def perceptual_hash(image: UInt8Array) -> BoolArray:
    """Signs of 64 low DCT frequencies of luma against their median, as usual."""
    luma = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    low = cv2.dct(luma.astype(np.float32))[:8, :8].ravel()
    return np.asarray(low > np.median(low), np.bool_)


def hash_pairs(images: UInt8Array) -> set[tuple[int, int]]:
    """Pairs by hash, one image after the other against all later ones."""
    hashes = np.stack([perceptual_hash(image) for image in images])
    found = set()
    for i, bits in enumerate(hashes):
        near = np.flatnonzero((hashes[i + 1 :] != bits).sum(axis=1) <= MAX_DISTANCE)
        found |= {(i, i + 1 + int(j)) for j in near}
    return found


def seconds_per_comparison(images: UInt8Array, min_similarity: float, n: int = 60) -> float:
    pictures = to_pictures(to_thumbnails(images[:n]))
    started = time.perf_counter()
    for i in range(n):
        for j in range(i):
            similarity(pictures[i], pictures[j], min_similarity=min_similarity)
    return (time.perf_counter() - started) / (n * (n - 1) / 2)


def report_planted(name: str, found: set[tuple[int, int]], n: int, n_copies: int) -> None:
    planted = {(k, n - n_copies + k) for k in range(n_copies)}
    print(
        f"    {name}: {len(found & planted)} of {n_copies} planted copies, {len(found - planted)} other pairs"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="a packed dataset; default: synthetic images")
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--side", type=int, default=32, help="pixels")
    parser.add_argument("--plain-images", type=int, default=6000, help="images for the perceptual hash")
    parser.add_argument("--min-similarity", type=float, default=0.87)
    options = parser.parse_args()
    n_copies = 0 if options.folder else options.images // 100
    images = (
        map_array(options.folder / "images.npy")
        if options.folder
        else planted_images(options.images, options.side, n_copies)
    )
    n = len(images)
    started = time.perf_counter()
    _, first = np.unique(digests(images), return_index=True)
    exact = time.perf_counter() - started
    started, processor = time.perf_counter(), time.process_time()
    rows = np.sort(first)
    pairs: Pairs = find_near_duplicates(images, rows, min_similarity=options.min_similarity)
    near, processor = time.perf_counter() - started, time.process_time() - processor
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    half = min(options.plain_images, n) // 2
    few = np.concatenate([images[:half], images[n - half :]])  # planted copies are the last ones
    started = time.perf_counter()
    hashed = hash_pairs(few)
    plain = (time.perf_counter() - started) * (n / len(few)) ** 2
    every_pair = seconds_per_comparison(images, options.min_similarity) * n * (n - 1)  # and mirrored
    print(f"{n:,} images of {images.shape[1]} x {images.shape[2]} pixels, {n - len(rows):,} exact copies")
    print(f"  exact                  {exact:10.1f} s")
    print(
        f"  near                   {near:10.1f} s ({processor:.1f} s of processor), {n / near:,.0f} images/s"
    )
    print(f"  peak memory            {memory:10.0f} MB, images included where they are not mapped")
    print(f"  perceptual hash        {plain:10.1f} s (from {len(few):,} images)")
    print(f"  every pair             {every_pair:10.0f} s (from 60 images), ratio {every_pair / near:,.0f}")
    print(f"  links                  {len(pairs.first):10,}; hash: {len(hashed):,} in {len(few):,} images")
    if n_copies:
        linked = set(zip(rows[pairs.first].tolist(), rows[pairs.second].tolist(), strict=True))
        report_planted("near", linked, n, n_copies)
        report_planted("hash", hashed, len(few), n_copies)


if __name__ == "__main__":
    main()
