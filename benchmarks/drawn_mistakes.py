"""Mistakes planted image by image, and what stage `verdict` makes of them: no image, no network.

Shape legend: S seeds, N images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.core.types import BoolArray, Float32Array, Float64Array, Int64Array
from pipeline.records.data import GroupInfo
from pipeline.records.slices import GroupTrait, MethodSlices
from pipeline.records.verdict import Thresholds
from pipeline.verdict.evidence.rules import choose_thresholds
from pipeline.verdict.harm.conditions import Described, make_conditions
from pipeline.verdict.harm.naming import Grouped, name_groups
from pipeline.verdict.harm.slices import Scored, find_slices

LIMITS = choose_thresholds(min_effect=0.05, min_test=100, min_val=30, min_kappa=0.05)
PROPERTIES = ("lightness", "contrast", "chroma", "sharpness", "noise", "edges")
CLASSES = ("cat", "dog", "owl")
AGREE = 0.6  # of the seeds' mistakes: by how hard an image is


class Images(NamedTuple):
    """What is known of some images: nothing in it goes with anything else."""

    labels: Int64Array
    ward: Int64Array
    camera: Int64Array  # 0 unknown, 1 A, 2 B
    width: Int64Array
    numbers: Float32Array  # N x (len(PROPERTIES) + 1), uniform: the last one makes the bytes

    def property(self, name: str) -> Float32Array:
        found: Float32Array = self.numbers[:, PROPERTIES.index(name)]
        return found

    def described(self) -> Described:
        n = len(self.labels)
        facts = pd.DataFrame(
            {
                "width": self.width,
                "bytes": (1_000 * (5 + 40 * self.numbers[:, -1])).astype(int) + np.arange(n) % 7,
                "exif_make": np.array([None, "Acme", "Bolt"], object)[self.camera],
                "exif_model": np.array([None, "Acme One", "Two"], object)[self.camera],
                "has_exif": self.camera > 0,
                "name_tokens": [["left"] if i % 3 else ["right", "crop"] for i in range(n)],
            }
        )
        return Described(
            labels=np.array(CLASSES, object)[self.labels],
            columns={"ward": np.array(["east", "west"], object)[self.ward]},
            facts=facts,
            properties={name: self.property(name) for name in PROPERTIES},
        )


Risk = Callable[[Images], Float64Array]  # N, how likely each image is wrong


def draw(n: int, rng: np.random.Generator) -> Images:
    return Images(
        labels=rng.integers(0, 3, n),
        ward=rng.integers(0, 2, n),
        camera=rng.integers(0, 3, n),
        width=rng.choice([64, 320, 640], n),
        numbers=rng.random((n, len(PROPERTIES) + 1), np.float32),
    )


def err(risk_N: Float64Array, n_seeds: int, rng: np.random.Generator) -> BoolArray:
    """S x N mistakes; seeds agree on many images."""
    own_SN, hard_N = rng.random((n_seeds, len(risk_N))), rng.random(len(risk_N))
    return np.where(rng.random(own_SN.shape) < AGREE, hard_N, own_SN) < risk_N


def scene_risk(risk_N: Float64Array, scenes_N: Int64Array, rng: np.random.Generator) -> Float64Array:
    """The risk, where images of a scene succeed or fail together."""
    shift_C = rng.normal(0, 0.25, int(scenes_N.max()) + 1)
    return np.clip(risk_N + shift_C[scenes_N], 0, 1)


class Found(NamedTuple):
    slices: MethodSlices
    val: Described
    test: Images
    risk_N: Float64Array  # of the test images

    def truth(self) -> float:
        """How likely the images of the first part are wrong, by what its words say of them."""
        inside_N = np.ones(len(self.risk_N), bool)
        rows: dict[str, BoolArray] = {}
        for condition in make_conditions(self.val, self.test.described(), 1):
            rows.setdefault(condition.denied, ~condition.test_N)
            if len(condition.words) == 1:
                rows[condition.words[0]] = condition.test_N
        for words in self.slices.slices[0].conditions:
            inside_N &= rows[words]
        return float(self.risk_N[inside_N].mean())


def planted_slices(
    risk: Risk,
    *,
    seed: int = 0,
    n_val: int = 1000,
    n_test: int = 2000,
    n_seeds: int = 3,
    scene_size: int = 1,
    limits: Thresholds = LIMITS,
) -> Found:
    """What the verdict says of models that err with this risk.

    Args:
        scene_size: images of a scene; 1: each by itself.
    """
    rng = np.random.default_rng(seed)
    scored, images, risks = [], [], []
    for number, n in enumerate((n_val, n_test)):
        drawn = draw(n, rng)
        risk_N, scenes_N = risk(drawn), None
        if scene_size > 1:
            scenes_N = np.arange(n) // scene_size
            risk_N = scene_risk(risk_N, scenes_N, rng)
            # what a scene's images look like goes with the scene
            drawn = drawn._replace(numbers=drawn.numbers[(scenes_N * scene_size) % n])
            scenes_N = scenes_N + number * n_val
        scored.append(Scored(drawn.described(), err(risk_N, n_seeds, rng), scenes_N))
        images.append(drawn)
        risks.append(risk_N)
    found = find_slices("erm", scored[0], scored[1], limits)
    return Found(found, scored[0].described, images[1], risks[1])


def planted_traits(
    belongs: Risk,
    *,
    seed: int = 0,
    n_train: int = 3000,
    n_test: int = 2000,
    scene_size: int = 1,
) -> list[GroupTrait]:
    """What the verdict says of groups that nobody named: two in each class, these and the rest.

    Args:
        belongs: how likely an image is of its class's second group.
        scene_size: images of a scene, which are all of one group or another; 1: each by itself.
    """
    rng = np.random.default_rng(seed)
    known = []
    for number, n in enumerate((n_train, n_test)):
        drawn = draw(n, rng)
        scenes_N = None if scene_size == 1 else np.arange(n) // scene_size
        if scenes_N is not None:
            drawn = drawn._replace(labels=drawn.labels[scenes_N], numbers=drawn.numbers[scenes_N])
        chance_N = rng.random(n) if scenes_N is None else rng.random(n)[scenes_N]
        groups_N = 2 * drawn.labels + (chance_N < belongs(drawn))
        sources_N = None if scenes_N is None else scenes_N + number * n_train
        known.append(Grouped(drawn.described(), groups_N, sources_N))
    groups = [
        GroupInfo(name=f"{label} / {cluster}", label=label, attribute=cluster, n_train=0, n_val=0, n_test=0)
        for label in CLASSES
        for cluster in ("cluster 1", "cluster 2")
    ]
    return name_groups(groups, known[0], known[1])
