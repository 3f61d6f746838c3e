"""Accuracies on frames of scenes: do 95 % intervals hold them? `python -m benchmarks.scene_intervals`.

A test split of scenes with 30 frames each, in two groups. A model gets whole scenes right or wrong
(`together` = 1), or each scene has an accuracy of its own (`together` = correlation of two frames). The
truth is the accuracy over all scenes there could be. Gains pair a baseline with a method that gets another
tenth of the scenes right. Printed is how often intervals hold the truth when frames are taken
for independent images, and when their scene is known.
"""

from __future__ import annotations

import argparse

import numpy as np

from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.statistics.accuracy.class_skill import measure_class_skill
from pipeline.statistics.accuracy.groups import split_metrics
from pipeline.statistics.accuracy.worst_group import worst_of
from pipeline.statistics.comparison.compare import Contender, Target, compare_methods

N_FRAMES, N_SEEDS = 30, 3
NAMES = ("average", "group", "group mean", "balanced", "gain")


def scene_accuracies(rng: np.random.Generator, accuracy: float, together: float, n: int) -> Float64Array:
    """n scenes' own accuracies, whose mean is `accuracy` and whose frames correlate by `together`."""
    if together == 1:
        return (rng.random(n) < accuracy).astype(np.float64)
    precision = 1 / together - 1
    return rng.beta(accuracy * precision, (1 - accuracy) * precision, n)


def score(rng: np.random.Generator, accuracy_S: Float64Array, sources_N: Int64Array) -> BoolArray:
    """Whether each of the seeds is right on each frame."""
    right: BoolArray = rng.random((N_SEEDS, len(sources_N))) < accuracy_S[sources_N]
    return right


def covers(
    rng: np.random.Generator, accuracy: float, together: float, n_scenes: int, *, known: bool, gains: bool
) -> list[bool]:
    """Whether the intervals of `NAMES` hold the truth on one test split."""
    sources_N = np.repeat(np.arange(n_scenes), N_FRAMES)
    groups_N, given = sources_N % 2, sources_N if known else None
    accuracy_S = scene_accuracies(rng, accuracy, together, n_scenes)
    right_SN = score(rng, accuracy_S, sources_N)
    found = split_metrics(
        right_SN, groups_N, group_names=["a", "b"], n_train=[3, 1], seeds=range(N_SEEDS), min_images=10,
        sources_N=given,
    )  # fmt: skip
    skill = measure_class_skill(np.where(right_SN, groups_N, 1 - groups_N), groups_N, ["a", "b"], given)
    assert skill is not None
    estimates = [found.average, found.groups[0], found.group_mean, skill.balanced_accuracy]
    inside = [e.low <= accuracy <= e.high for e in estimates]
    if not gains:
        return inside
    better_S = np.where(rng.random(n_scenes) < 0.1, 1.0, accuracy_S)
    worst = worst_of(found)  # decides nothing of a gain in a group that was named beforehand
    gain = compare_methods(
        Contender("", right_SN, worst), Contender("", score(rng, better_S, sources_N), worst),
        groups_N, ["a", "b"], target=Target(0), seed=0, sources_N=given,
    ).gain  # fmt: skip
    return [*inside, gain.low <= 0.1 * (1 - accuracy) <= gain.high]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=300)
    options = parser.parse_args()
    print(f"{'':34}" + "".join(f"{name:>22}" for name in NAMES))
    for together in (1.0, 0.3):
        for accuracy in (0.6, 0.8, 0.95):
            for n_scenes in (10, 20, 60):
                rates = [
                    np.mean(
                        [
                            covers(
                                np.random.default_rng(i),
                                accuracy,
                                together,
                                n_scenes,
                                known=known,
                                gains=True,
                            )
                            for i in range(options.draws)
                        ],
                        axis=0,
                    )
                    for known in (False, True)
                ]
                cells = "".join(
                    f"{before:>14.0%} -> {after:4.0%}" for before, after in zip(*rates, strict=True)
                )
                print(f"{n_scenes:3} scenes, {accuracy:.0%}, together {together:3}: {cells}", flush=True)


if __name__ == "__main__":
    main()
