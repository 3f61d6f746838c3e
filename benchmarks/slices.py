"""How often parts of the images are named in which models err more, and how often rightly.

Images of three classes with an attribute, cameras, widths, bytes, words of names and six properties, none of
which goes with another; mistakes of three seeds that agree on three in five. Drawn, nothing is trained. For
every case 200 draws: a part is named; the first one by just what was planted; its interval holds the truth of
what it names.
"""

from __future__ import annotations

import argparse
import time
from typing import NamedTuple

import numpy as np

from benchmarks.drawn_mistakes import Images, Risk, planted_slices
from pipeline.core.types import Float64Array
from pipeline.records.slices import MethodSlices

BASE = 0.15


class Case(NamedTuple):
    """What is planted, and what the name of the part has to hold."""

    risk: Risk
    named: tuple[str, ...]  # columns that the part is about
    n_val: int = 1000
    n_test: int = 2000
    scene_size: int = 1
    n_seeds: int = 3


def _camera(images: Images) -> Float64Array:
    return np.where(images.camera == 1, 0.35, BASE)


def _camera_in_the_dark(images: Images) -> Float64Array:
    return np.where((images.camera == 1) & (images.property("lightness") < 1 / 3), 0.6, BASE)


def _small_files(images: Images) -> Float64Array:
    return np.where(images.numbers[:, -1] < 0.2, 0.4, BASE)


def _blurred_cats(images: Images) -> Float64Array:
    return np.where((images.labels == 0) & (images.property("sharpness") < 0.5), 0.5, BASE)


def _crossed(images: Images) -> Float64Array:
    """As a shortcut fails: class and attribute that do not go together, in two classes crosswise."""
    is_off = ((images.labels == 0) & (images.ward == 0)) | ((images.labels == 1) & (images.ward == 1))
    return np.where(is_off, 0.5, BASE)


def _nowhere(images: Images) -> Float64Array:
    return np.full(len(images.labels), 0.25)


CASES = {
    "one camera 35 %, else 15 %": Case(_camera, ("camera",)),
    "dark images of one camera 60 %": Case(_camera_in_the_dark, ("camera", "lightness")),
    "the smallest fifth of files 40 %": Case(_small_files, ("bytes",)),
    "blurred images of one class 50 %": Case(_blurred_cats, ("class", "sharpness")),
    "two classes, each with another value 50 %": Case(_crossed, ("class", "ward")),
    "dark images of one camera, 400 and 600 images": Case(
        _camera_in_the_dark, ("camera", "lightness"), n_val=400, n_test=600
    ),
    "dark images of one camera, scenes of ten": Case(
        _camera_in_the_dark, ("camera", "lightness"), n_val=2000, n_test=4000, scene_size=10
    ),
    "nowhere": Case(_nowhere, ()),
    "nowhere, one seed": Case(_nowhere, (), n_seeds=1),
    "nowhere, 300 and 500 images": Case(_nowhere, (), n_val=300, n_test=500),
    "nowhere, scenes of ten": Case(_nowhere, (), scene_size=10),
    "nowhere, scenes of forty": Case(_nowhere, (), scene_size=40),
    "dark images of one camera, 20 validation images": Case(
        _camera_in_the_dark, ("camera", "lightness"), n_val=20
    ),
}


def _is_right(found: MethodSlices, case: Case) -> bool:
    return {*found.slices[0].columns} == {*case.named}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--only", default="", help="cases whose words hold this")
    arguments = parser.parse_args()
    repeats = arguments.repeats
    print(f"{'mistakes':52} {'named':>6} {'right':>6} {'holds':>6} {'insufficient':>13} {'s each':>7}")
    for words, case in CASES.items():
        if arguments.only not in words:
            continue
        started = time.perf_counter()
        drawn = [
            planted_slices(
                case.risk,
                seed=seed,
                n_val=case.n_val,
                n_test=case.n_test,
                n_seeds=case.n_seeds,
                scene_size=case.scene_size,
            )
            for seed in range(repeats)
        ]
        named = [one for one in drawn if one.slices.status == "found"]
        right = [one for one in named if _is_right(one.slices, case)]
        holds = [
            one.slices.slices[0].error.low <= one.truth() <= one.slices.slices[0].error.high for one in named
        ]
        unsure = sum(one.slices.status == "insufficient" for one in drawn)
        shares = [
            f"{100 * len(named) / repeats:.1f}",
            f"{100 * len(right) / max(len(named), 1):.1f}" if named else "–",
            f"{100 * float(np.mean(holds)):.1f}" if named else "–",
            f"{100 * unsure / repeats:.1f}",
        ]
        seconds = (time.perf_counter() - started) / repeats
        print(f"{words:52} {shares[0]:>6} {shares[1]:>6} {shares[2]:>6} {shares[3]:>13} {seconds:>7.2f}")


if __name__ == "__main__":
    main()
