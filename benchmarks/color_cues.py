"""What the audit calls color: `python -m benchmarks.color_cues`.

Crops of scikit-learn's two photographs, each with a tint and brightness of its own, get random labels.
Then one class is changed. Nulls leave the colors where they are: blurring, upscaling, JPEG, noise,
sharpening; color alone should be called available in at most 5 % of the seeds. Contrast about an image's
own mean is shown as well: it moves no average color, but brings the parts of an image nearer together.
Planted colors (tint, hue, brightness, the border, a small object, gray) should be found in at least 95 %.
`detail` is the share of seeds in which the reading that is named detail says yes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import cv2
import numpy as np
from joblib import Parallel, delayed
from sklearn.datasets import load_sample_images

from pipeline.core.types import PackedSplit, UInt8Array
from pipeline.data_audit.color.classifier import Data, cross_fitted
from pipeline.data_audit.color.inputs import view_colors
from pipeline.plan.params_file import read_params
from pipeline.records.color import Predictability
from pipeline.settings.audit import ColorSettings
from pipeline.settings.parsing import parse

Change = Callable[[UInt8Array], UInt8Array]  # of one image
SIDE = 48


def photographs(n: int, seed: int) -> UInt8Array:
    """Crops of random place and size, mirrored at random, with a cast of their own."""
    rng = np.random.default_rng(seed)
    photos = load_sample_images().images
    images = np.empty((n, SIDE, SIDE, 3), np.uint8)
    for i in range(n):
        photo = photos[rng.integers(2)]
        size = int(rng.integers(SIDE, 200))
        y, x = (rng.integers(0, limit - size + 1) for limit in photo.shape[:2])
        crop = cv2.resize(photo[y : y + size, x : x + size], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        cast = rng.normal(0, 12, 3) + rng.normal(0, 18)
        images[i] = np.clip(crop[:, :: rng.choice([-1, 1])] + cast, 0, 255)
    return images


def blur(sigma: float) -> Change:
    return lambda image: cv2.GaussianBlur(image, (0, 0), sigma)


def upscale(factor: int) -> Change:
    def change(image: UInt8Array) -> UInt8Array:
        small = cv2.resize(image, (SIDE // factor, SIDE // factor), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)

    return change


def jpeg(quality: int) -> Change:
    def change(image: UInt8Array) -> UInt8Array:
        _, code = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        return cv2.imdecode(code, cv2.IMREAD_COLOR)[..., ::-1]

    return change


def noise(sd: float) -> Change:
    rng = np.random.default_rng(0)
    return lambda image: np.clip(image + rng.normal(0, sd, image.shape), 0, 255).round().astype(np.uint8)


def sharpen(amount: float) -> Change:
    return lambda image: cv2.addWeighted(image, 1 + amount, cv2.GaussianBlur(image, (0, 0), 1.0), -amount, 0)


def contrast(factor: float) -> Change:
    def change(image: UInt8Array) -> UInt8Array:
        mean = image.mean(axis=(0, 1))
        return np.clip(mean + (image - mean) * factor, 0, 255).round().astype(np.uint8)

    return change


def shift(*levels: int) -> Change:
    return lambda image: np.clip(image + np.array(levels), 0, 255).astype(np.uint8)


def turn_hue(degrees: int) -> Change:
    def change(image: UInt8Array) -> UInt8Array:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + degrees // 2) % 180
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)

    return change


def border(*levels: int) -> Change:
    def change(image: UInt8Array) -> UInt8Array:
        tinted, rim = shift(*levels)(image), SIDE // 8
        tinted[rim:-rim, rim:-rim] = image[rim:-rim, rim:-rim]
        return tinted

    return change


def patch(color: tuple[int, int, int], share: float) -> Change:
    """A textured square of one color at a random place, `share` of the side."""
    rng = np.random.default_rng(0)

    def change(image: UInt8Array) -> UInt8Array:
        changed, size = image.copy(), int(SIDE * share)
        y, x = rng.integers(0, SIDE - size + 1, 2)
        texture = 0.3 * (changed[y : y + size, x : x + size].astype(float) - 128)
        changed[y : y + size, x : x + size] = np.clip(np.array(color) + texture, 0, 255)
        return changed

    return change


def gray(image: UInt8Array) -> UInt8Array:
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


NULLS: dict[str, Change] = {
    "unchanged": lambda image: image,
    "blur, sd 1": blur(1),
    "blur, sd 2": blur(2),
    "upscaled 2 times": upscale(2),
    "upscaled 4 times": upscale(4),
    "JPEG 60": jpeg(60),
    "JPEG 30": jpeg(30),
    "noise, sd 10": noise(10),
    "sharpened": sharpen(1),
}
BETWEEN: dict[str, Change] = {
    "JPEG 10": jpeg(10),
    "noise, sd 25": noise(25),
    "contrast 0.7": contrast(0.7),
    "contrast 1.4": contrast(1.4),
}
PLANTED: dict[str, Change] = {
    "tint 20": shift(20, 0, -20),
    "brightness 20": shift(20, 20, 20),
    "hue 60 degrees": turn_hue(60),
    "border 25": border(25, 0, -25),
    "red patch, 9 % of the area": patch((220, 30, 30), 0.3),
    "red patch, 4 % of the area": patch((220, 30, 30), 0.2),
    "gray": gray,
}


def is_available(found: Predictability, settings: ColorSettings) -> bool:
    """As the report's first rung judges it."""
    return found.kappa >= settings.min_kappa and found.low > 0 and found.p_value < settings.alpha


def run(change: Change, seed: int, n: int, settings: ColorSettings) -> tuple[Predictability, Predictability]:
    """What color and what detail say about which images were changed."""
    images, labels = photographs(n, seed), np.arange(n) % 2
    for i in np.flatnonzero(labels):
        images[i] = change(images[i])
    split = PackedSplit("train", images, labels, np.arange(n), np.full(n, ""))
    view, _, _ = view_colors(split, split)
    color, detail = (
        cross_fitted(Data(inputs, labels), "label", 2, settings)
        for inputs in (view.inputs_ND, view.detail_inputs_ND)
    )
    return color, detail


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    settings = parse(ColorSettings, read_params().defaults["color"], "defaults.color").model_copy(
        update={"permutations": 199}
    )
    print(f"{options.images} images of {SIDE} pixels, {options.seeds} seeds")
    for kind, changes in (("null", NULLS), ("between", BETWEEN), ("planted", PLANTED)):
        for name, change in changes.items():
            found = Parallel(n_jobs=options.jobs)(
                delayed(run)(change, seed, options.images, settings) for seed in range(options.seeds)
            )
            color, detail = zip(*found, strict=True)
            share, beside = (np.mean([is_available(f, settings) for f in part]) for part in (color, detail))
            kappa = np.mean([f.kappa for f in color])
            print(
                f"{kind:8} {name:28} color {share:4.0%} (kappa {kappa:5.2f})  detail {beside:4.0%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
