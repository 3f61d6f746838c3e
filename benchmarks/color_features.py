"""Time the color features side by side with slower ways: `python -m benchmarks.color_features`.

Three parts, each on images made on the fly:
- all images against a plain loop that calls the same library functions image by image, as one would
  write it first (both must agree);
- against a k-means with 5 centers per image in six regions (whole, center, four quadrants), as older
  tools find an image's colors: scikit-learn's with the ten starts that were its default for years, and
  OpenCV's, which is faster, with as many starts and with a single one;
- growing data sets, read from a memory-mapped file: time should grow linearly, working memory not.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipeline.artifacts.files import require_space
from pipeline.core.types import BoolArray, Float32Array, Float64Array, UInt8Array
from pipeline.pixels.color_features import color_features, ring_mask
from pipeline.pixels.detail_features import detail_features
from pipeline.pixels.maps import EDGE_THRESHOLD

N_CENTERS = 5
STOP = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 100, 0.1)
BASE_IMAGES = 12_500  # made once; the large file repeats them, shifted


def loop_details(images: UInt8Array) -> Float64Array:
    """Details of whole, ring and center, one image and one region at a time."""
    ring = ring_mask(*images.shape[1:3])
    regions = (np.ones_like(ring), ring, ~ring)
    return np.array([np.concatenate([one_region(image, region) for region in regions]) for image in images])


def one_region(image: UInt8Array, region: BoolArray) -> list[float]:
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2Lab)[region].astype(float)
    red, green, blue = image[region].astype(float).T
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    colorfulness = np.hypot(red_green.std(), yellow_blue.std())
    colorfulness += 0.3 * np.hypot(red_green.mean(), yellow_blue.mean())
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    dx = cv2.Sobel(gray, cv2.CV_32F, 1, 0, borderType=cv2.BORDER_REPLICATE)
    dy = cv2.Sobel(gray, cv2.CV_32F, 0, 1, borderType=cv2.BORDER_REPLICATE)
    edges = (np.abs(dx) + np.abs(dy) >= EDGE_THRESHOLD)[region]
    spread = lab.std(axis=0) * (100 / 255, 1, 1)
    return [*spread.tolist(), float(colorfulness), edges.mean()]


def opencv_kmeans(pixels_P3: Float32Array, starts: int) -> None:
    labels_P1 = np.zeros((len(pixels_P3), 1), np.int32)
    cv2.kmeans(pixels_P3, N_CENTERS, labels_P1, STOP, starts, cv2.KMEANS_PP_CENTERS)


def scikit_learn_kmeans(pixels_P3: Float32Array) -> None:
    with threadpool_limits(limits=1):  # a thousand pixels: more threads would only slow it down
        KMeans(N_CENTERS, n_init=10, random_state=0).fit(pixels_P3)


def kmeans_colors(images: UInt8Array, cluster: Callable[[Float32Array], None]) -> None:
    """Five Lab centers in each of six regions of every image."""
    cv2.setRNGSeed(0)
    for image in images:
        lab = cv2.cvtColor(image, cv2.COLOR_RGB2Lab)
        side = len(lab)
        half, quarter = side // 2, side // 4
        regions = [lab, lab[quarter : side - quarter, quarter : side - quarter]]
        regions += [lab[y : y + half, x : x + half] for y in (0, half) for x in (0, half)]
        for region in regions:
            cluster(np.ascontiguousarray(region.reshape(-1, 3), np.float32))


def random_images(n: int, side: int, seed: int = 0) -> UInt8Array:
    """Smooth random color fields with some noise: as varied in color as photographs."""
    rng = np.random.default_rng(seed)
    images = np.empty((n, side, side, 3), np.uint8)
    for start in range(0, n, 1000):
        coarse = rng.integers(0, 256, (min(1000, n - start), 4, 4, 3)).astype(np.uint8)
        smooth = np.stack([cv2.resize(c, (side, side), interpolation=cv2.INTER_CUBIC) for c in coarse])
        noise = rng.normal(0, 8, smooth.shape).astype(np.float32)
        images[start : start + len(coarse)] = np.clip(smooth + noise, 0, 255)
    return images


class PeakMemory:
    """Highest anonymous memory of this process (`RssAnon`: no mapped files) while a block runs."""

    def __enter__(self) -> PeakMemory:
        self.start = self.peak = anonymous_megabytes()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def added(self) -> float:
        return self.peak - self.start

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, anonymous_megabytes())


def anonymous_megabytes() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare(options: argparse.Namespace) -> None:
    """Our features of all images against the loop and against k-means, both timed on a sample."""
    n = options.images
    images = random_images(n, options.side)
    features = seconds_of(lambda: color_features(images))
    details = seconds_of(lambda: detail_features(images))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sample = images[: options.loop_images]
    slow: dict[str, tuple[float, int]] = {}
    slow["details, plain loop"] = seconds_of(lambda: loop_details(sample)), len(sample)
    for name, cluster, count in (
        ("k-means, scikit-learn, ten starts", scikit_learn_kmeans, options.kmeans_images // 10),
        ("k-means, OpenCV, ten starts", partial(opencv_kmeans, starts=10), options.kmeans_images),
        ("k-means, OpenCV, one start", partial(opencv_kmeans, starts=1), options.kmeans_images),
    ):
        slow[name] = seconds_of(partial(kmeans_colors, images[:count], cluster)), count
    print(f"{n:,} images of {options.side} x {options.side} pixels")
    print(f"  {'colors':36} {features:9.2f} s")
    print(f"  {'details':36} {details:9.2f} s")
    for name, (seconds, count) in slow.items():
        per_image = seconds / count
        print(
            f"  {name:36} {per_image * n:9.2f} s (from {count:,} images): {per_image * n / details:,.0f} x "
            f"the details, {per_image * n / (features + details):,.0f} x colors and details"
        )
    difference = np.abs(loop_details(sample) - detail_features(sample)[0]).max()
    print(f"  largest difference between loop and details {difference:.4f}")
    print(f"  peak memory {peak:,.0f} MB, of which images {images.nbytes / 2**20:,.0f} MB")


@contextmanager
def stored_images(n: int, side: int, folder: Path | None) -> Iterator[UInt8Array]:
    """`n` images in a file that is deleted at the end, memory-mapped."""
    base = random_images(min(n, BASE_IMAGES), side)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        path = Path(temporary) / "images.bin"
        require_space(path.parent, n * base[0].nbytes, "the large data set", "Choose smaller --sizes.")
        with path.open("wb") as file:
            for block, start in enumerate(range(0, n, len(base))):
                np.roll(base[: n - start], block, axis=2).tofile(file)
        yield np.memmap(path, np.uint8, "r", shape=(n, side, side, 3))


def scale(options: argparse.Namespace) -> None:
    """Time and memory for growing numbers of images; the results have to be held, the rest not."""
    print("growing data, read from a memory-mapped file (colors and details)")
    print("       images   seconds   images/s   peak MB   results MB   working MB")
    with stored_images(max(options.sizes), options.side, options.folder) as images:
        for n in options.sizes:
            started = time.perf_counter()
            with PeakMemory() as memory:
                features, _ = color_features(images[:n])
                details, _ = detail_features(images[:n])
            seconds = time.perf_counter() - started
            results = (features.nbytes + details.nbytes) / 2**20
            print(
                f"  {n:11,} {seconds:9.2f} {n / seconds:10,.0f} {memory.added:9.0f} {results:12.0f}"
                f" {max(0.0, memory.added - results):12.0f}",
                flush=True,
            )
            del features, details


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--side", type=int, default=32, help="pixels")
    parser.add_argument("--loop-images", type=int, default=2000, help="images for the loop")
    parser.add_argument("--kmeans-images", type=int, default=200, help="images for OpenCV's k-means")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[62_500, 250_000, 1_000_000], help="numbers of images"
    )
    parser.add_argument("--folder", type=Path, help="where the large file goes; default: the system's")
    options = parser.parse_args()
    compare(options)
    if options.sizes:
        scale(options)


if __name__ == "__main__":
    main()
