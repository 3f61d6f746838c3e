"""Are inferred groups named by what they are: `python -m benchmarks.group_traits`.

Two groups in each of three classes, by a property that was planted or by chance; what the verdict says of the
second group of one class, and how often it describes a group that nothing describes.
"""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

import numpy as np

from benchmarks.drawn_mistakes import Images, Risk, planted_traits
from pipeline.core.types import Float64Array
from pipeline.records.slices import GroupTrait

PLANTED = 3  # index of the group: the second of the second class


class Case(NamedTuple):
    belongs: Risk
    named: tuple[str, ...]  # columns of the right words; none: nothing describes it
    sizes: dict[str, Any]


def _dark_dogs(images: Images) -> Float64Array:
    return np.where((images.labels == 1) & (images.property("lightness") < 0.2), 0.85, 0.05)


def _camera_of_a_ward(images: Images) -> Float64Array:
    return np.where((images.camera == 1) & (images.ward == 1), 0.85, 0.05)


def _any(images: Images) -> Float64Array:
    return np.full(len(images.labels), 0.25)


CASES = {
    "dark images of one class, 85 % of them and 5 % of others": Case(_dark_dogs, ("lightness",), {}),
    "one camera in one ward": Case(_camera_of_a_ward, ("camera", "ward"), {}),
    "dark images, 600 and 400 images": Case(_dark_dogs, ("lightness",), {"n_train": 600, "n_test": 400}),
    "dark images, scenes of ten": Case(
        _dark_dogs, ("lightness",), {"n_train": 6000, "n_test": 4000, "scene_size": 10}
    ),
    "dark images, 60 training images": Case(_dark_dogs, ("lightness",), {"n_train": 60}),
    "by chance": Case(_any, (), {}),
    "by chance, 600 and 400 images": Case(_any, (), {"n_train": 600, "n_test": 400}),
    "by chance, scenes of ten": Case(_any, (), {"scene_size": 10}),
}


def _planted(case: Case, seed: int) -> GroupTrait | None:
    """What is said of the planted group; None where it, or the rest of its class, has no training image."""
    found = planted_traits(case.belongs, seed=seed, **case.sizes)
    return next((trait for trait in found if trait.group == PLANTED), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    repeats = parser.parse_args().repeats
    print(f"{'groups':58} {'described':>9} {'right':>6} {'nothing':>8} {'too few':>8}")
    for words, case in CASES.items():
        drawn = [_planted(case, seed) for seed in range(repeats)]
        described = [trait for trait in drawn if trait is not None and trait.status == "described"]
        right = sum({*one.columns} == {*case.named} for one in described)
        nothing = sum(trait is not None and trait.status == "none" for trait in drawn)
        of = [len(described), nothing, repeats - len(described) - nothing]
        shares = [f"{100 * n / repeats:.1f}" for n in (of[0], right, *of[1:])]
        print(f"{words:58} {shares[0]:>9} {shares[1]:>6} {shares[2]:>8} {shares[3]:>8}")


if __name__ == "__main__":
    main()
