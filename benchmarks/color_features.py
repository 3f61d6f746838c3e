"""Time the color features against a plain loop over images: `python -m benchmarks.color_features`.

The loop calls the same library functions image by image, as one would write it first; both must agree.
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np

from pipeline.core.types import BoolArray, Float64Array, UInt8Array
from pipeline.metrics.color_features import EDGE_THRESHOLD, color_features, lab_histogram, ring_mask


def loop_features(images: UInt8Array) -> Float64Array:
    """Whole, ring and center features, one image and one region at a time."""
    ring = ring_mask(*images.shape[1:3])
    regions = (np.ones_like(ring), ring, ~ring)
    return np.array([np.concatenate([one_region(image, region) for region in regions]) for image in images])


def one_region(image: UInt8Array, region: BoolArray) -> list[float]:
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2Lab)[region].astype(float)
    lightness, a, b = lab[:, 0] * 100 / 255, lab[:, 1] - 128, lab[:, 2] - 128
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)[region].astype(float)
    hue, saturation = hsv[:, 0] * 2 * np.pi / 256, hsv[:, 1] / 255
    weight = saturation.sum() or 1.0
    red, green, blue = image[region].astype(float).T
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    colorfulness = np.hypot(red_green.std(), yellow_blue.std())
    colorfulness += 0.3 * np.hypot(red_green.mean(), yellow_blue.mean())
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    dx = cv2.Sobel(gray, cv2.CV_32F, 1, 0, borderType=cv2.BORDER_REPLICATE)
    dy = cv2.Sobel(gray, cv2.CV_32F, 0, 1, borderType=cv2.BORDER_REPLICATE)
    edges = (np.abs(dx) + np.abs(dy) >= EDGE_THRESHOLD)[region]
    return [
        lightness.mean(),
        lightness.std(),
        a.mean(),
        a.std(),
        b.mean(),
        b.std(),
        (np.cos(hue) * saturation).sum() / weight,
        (np.sin(hue) * saturation).sum() / weight,
        saturation.mean(),
        float(colorfulness),
        edges.mean(),
    ]


def random_images(n: int, side: int, seed: int = 0) -> UInt8Array:
    """Smooth random color fields with some noise: as varied in color as photographs."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, 4, 4, 3)).astype(np.uint8)
    smooth = np.stack([cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC) for image in coarse])
    noisy = smooth + rng.normal(0, 8, smooth.shape).astype(np.float32)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--side", type=int, default=32, help="pixels")
    parser.add_argument("--loop-images", type=int, default=2000, help="images for the loop")
    options = parser.parse_args()
    images = random_images(options.images, options.side)
    seconds = {}
    for name, function in {"features": color_features, "histogram": lab_histogram}.items():
        started = time.perf_counter()
        function(images)
        seconds[name] = time.perf_counter() - started
    started = time.perf_counter()
    slow = loop_features(images[: options.loop_images])
    loop = (time.perf_counter() - started) * options.images / options.loop_images
    fast, _ = color_features(images[: options.loop_images])
    print(f"{options.images:,} images of {options.side} x {options.side} pixels")
    print(f"  features, vectorized   {seconds['features']:8.2f} s")
    print(f"  histogram, vectorized  {seconds['histogram']:8.2f} s")
    print(f"  features, loop         {loop:8.2f} s (from {options.loop_images:,} images)")
    print(f"  ratio {loop / seconds['features']:.0f}, largest difference {np.abs(slow - fast).max():.4f}")


if __name__ == "__main__":
    main()
