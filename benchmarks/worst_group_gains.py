"""Gain of the worst group of each method: how often its interval holds the planted truth.

Groups too small to count beside groups that do: before, the paired gain took the lowest of all that have
images, while the tiles took the lowest of those with enough.

Run: python -m benchmarks.worst_group_gains
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from unittest import mock

import numpy as np
from scipy import stats

from pipeline.core.types import BoolArray, Int64Array
from pipeline.records.base import Estimate
from pipeline.statistics.accuracy import groups as group_metrics
from pipeline.statistics.accuracy.worst_group import WorstGroup, choose_worst, lowest_of
from pipeline.statistics.comparison.compare import Contender, Target, compare_methods

N_SEEDS, MIN_TEST, SHARED = 5, 100, 0.5  # SHARED: part of an image's difficulty that all models share
THIN = (400, 400, 200, 12)
# title: images, accuracies before and after, gain of the worst group of each
CASES: dict[str, tuple[Sequence[int], Sequence[float], Sequence[float], float]] = {
    "equal, 12 images at 20 %": (THIN, (0.95, 0.95, 0.60, 0.20), (0.95, 0.95, 0.60, 0.20), 0.0),
    "equal, 12 images as good as others": (THIN, (0.85,) * 4, (0.85,) * 4, 0.0),
    "60 -> 85 %, 12 images at 20 %": (THIN, (0.95, 0.95, 0.60, 0.20), (0.93, 0.93, 0.85, 0.20), 0.25),
    "equal, 12 images 20 -> 90 %": (THIN, (0.95, 0.95, 0.60, 0.20), (0.95, 0.95, 0.60, 0.90), 0.0),
    "60 images alone low, 30 -> 60 %": ((400, 400, 60, 1), (0.93, 0.93, 0.3, 0), (0.93, 0.93, 0.6, 0), 0.3),
}


def draw(
    n_G: Sequence[int], accuracies: Sequence[Sequence[float]], scatter: float, rng: np.random.Generator
) -> list[BoolArray]:
    """Per method S x N, right or wrong, on the same images; seeds scatter in every group by themselves."""
    easy_N = rng.normal(size=sum(n_G))
    drawn = []
    for accuracy_G in accuracies:
        shifted_SG = np.array(accuracy_G) + scatter * rng.normal(size=(N_SEEDS, len(n_G)))
        cut_SN = np.repeat(stats.norm.ppf(np.clip(shifted_SG, 0.002, 0.998)), n_G, axis=1)
        luck_SN = rng.normal(size=cut_SN.shape)
        drawn.append(np.sqrt(SHARED) * easy_N + np.sqrt(1 - SHARED) * luck_SN < cut_SN)
    return drawn


def gains(sides: Sequence[BoolArray], groups_N: Int64Array) -> tuple[Estimate, Estimate]:
    """By the lowest of all groups, as it was, and by the choice of the tiles."""
    names = [str(g) for g in range(int(groups_N.max()) + 1)]
    of_all: list[WorstGroup] = []
    of_tiles: list[WorstGroup] = []
    for correct_SN in sides:
        found = group_metrics.split_metrics(
            correct_SN, groups_N, group_names=names, n_train=[1] * len(names), seeds=range(N_SEEDS),
            min_images=MIN_TEST,
        )  # fmt: skip
        of_tiles.append(choose_worst(found.groups, found.average.value))
        of_all.append(lowest_of(np.array([group.value for group in found.groups]), range(len(names))))
    before, after = (
        compare_methods(
            *(Contender(str(i), side, worst[i]) for i, side in enumerate(sides)),
            groups_N,
            names,
            target=Target(0),
            seed=0,
        ).worst_group_gain
        for worst in (of_all, of_tiles)
    )
    return before, after


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=200)
    options = parser.parse_args()
    # a fit that nothing here reads would take most of the time
    with mock.patch.object(group_metrics, "shrink_groups", lambda groups, _: list(groups)):
        for title, (n_G, *accuracies, truth) in CASES.items():
            groups_N = np.repeat(np.arange(len(n_G)), n_G)
            for scatter in (0.0, 0.03):
                rng = np.random.default_rng(0)
                found = [gains(draw(n_G, accuracies, scatter, rng), groups_N) for _ in range(options.draws)]
                cells = []
                for estimates in zip(*found, strict=True):
                    held = np.mean([e.low <= truth <= e.high for e in estimates])
                    value, low = (np.median([getattr(e, end) for e in estimates]) for end in ("value", "low"))
                    clear = np.mean([e.low > 0 for e in estimates])
                    cells.append(f"{value:+.3f} (low {low:+.3f}), holds {held:4.0%}, clear {clear:4.0%}")
                print(f"{title:36} seeds {scatter:4}: {' -> '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
