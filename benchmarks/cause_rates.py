"""How often wrong labels and the shortcut are named where it is known which of the two holds a group down.

Two classes with two places, 300 test images a group, five seeds. The harmed group is right on 40 % under the
baseline, and on as much as the case says without the suspected labels and without all that is left out.
Correctness is drawn, nothing is trained. Prints how often each cause is named in 100 audits of a case and how
often both intervals hold what was planted; then, for drawn retrainings, how often a slope's interval holds
the planted slope, how many held-out changes are covered, and how often sizes are spoken of.
"""

from __future__ import annotations

from collections import Counter
from unittest import mock

import numpy as np

from benchmarks.verdict_rates import LIMITS, draw_correct, evaluation, make_groups
from pipeline.core.types import Int64Array, Split
from pipeline.records.cause import ExplainedGain
from pipeline.records.training import Removal, SuspectedLabels
from pipeline.statistics.accuracy import groups as group_metrics
from pipeline.statistics.accuracy.worst_group import worst_of
from pipeline.statistics.comparison import paired
from pipeline.statistics.comparison.compare import Contender, Target, compare_methods
from pipeline.statistics.retrained.calibration import calibrate
from pipeline.verdict.cause.explained import explain_gain, why_not_explained

REPEATS = 100
N_SEEDS, SCATTER, HARMED = 5, 0.04, 2
Case = tuple[float, float, float]  # the harmed group: baseline, without suspected labels, without all
CASES: dict[str, Case] = {
    "labels": (0.4, 0.85, 0.86),
    "shortcut": (0.4, 0.4, 0.85),
    "both": (0.4, 0.65, 0.9),
    "none": (0.4, 0.4, 0.4),
}


def audit(case: Case, rng: np.random.Generator) -> tuple[str, ExplainedGain | None]:
    """The cause that is named in one drawn audit, and both parts."""
    info, n_G = make_groups(np.array([[950, 50], [50, 950]])), np.array([300] * 4)
    groups_N = np.repeat(np.arange(4), n_G)
    sides = [draw_correct(np.array([0.97, 0.9, harmed, 0.97]), n_G, N_SEEDS, SCATTER, rng) for harmed in case]
    before, after = (evaluation(info, side, groups_N) for side in (sides[0], sides[2]))
    names = [group.name for group in info.groups]
    target = Target(HARMED, n_picked=2)
    first = Contender("erm", sides[0], worst_of(before.test))
    last = Contender("repair", sides[2], worst_of(after.test))
    total = compare_methods(first, last, groups_N, names, target=target._replace(n_tests=5), seed=0)
    removal = _removal()
    if why_not_explained(removal, ["suspected"], total, LIMITS):
        return "nothing to explain", None
    correct = sides[0], sides[1], sides[2]
    found = explain_gain(
        correct, (before, after), _split(groups_N), removal, total=total, target=target, limits=LIMITS
    )
    return found.cause, found


def _split(groups_N: Int64Array) -> Split:
    """Test images of which only the groups count."""
    n = len(groups_N)
    return Split(
        name="test",
        images=np.zeros((n, 1, 1, 3), np.uint8),
        labels=groups_N // 2,
        attributes=groups_N % 2,
        groups=groups_N,
        ids=np.arange(n),
        files=np.full(n, ""),
    )


def _removal() -> Removal:
    suspected = SuspectedLabels(
        expected=1.0, by_group=[50, 0, 0, 50], known_wrong_by_group=None, found_by_group=None
    )
    return Removal(
        groups="given",
        worst_group="",
        n_train=2000,
        n_harmful=900,
        tried=[0, 400],
        chosen=400,
        points=[],
        removed_by_group=[200, 0, 0, 200],
        suspected=suspected,
    )


def measure_causes() -> None:
    for name, case in CASES.items():
        rng = np.random.default_rng(0)
        found = [audit(case, rng) for _ in range(REPEATS)]
        held = [
            all(
                estimate.low <= truth <= estimate.high
                for truth, estimate in ((case[1] - case[0], one.labels), (case[2] - case[1], one.rest))
            )
            for _, one in found
            if one is not None
        ]
        held_text = f"; both intervals hold in {np.mean(held):.0%}" if held else ""
        print(f"{name}: {dict(Counter(cause for cause, _ in found))}{held_text}", flush=True)


def measure_slopes(slope: float, n: int) -> None:
    rng, held, covered, spoken = np.random.default_rng(0), [], [], 0
    for _ in range(REPEATS):
        foretold = 0.1 * rng.normal(size=(n, 4))
        actual = slope * foretold + rng.normal(size=(n, 4)) + 0.5 * rng.normal(size=(n, 1))
        record = calibrate("subsets", foretold, actual, np.arange(n)).record
        spoken += record.status == "sizes"
        if record.slope is not None and record.coverage is not None:
            held.append(record.slope.low <= slope <= record.slope.high)
            covered.append(record.coverage.value)
    told = "no slope"
    if held:
        told = f"interval holds the slope in {np.mean(held):.0%}, {np.mean(covered):.1%} covered"
    print(f"slope {slope:g}, {n} retrainings: {told}, sizes spoken of in {spoken / REPEATS:.0%}", flush=True)


def main() -> None:
    # a fit that no part of this reads, and most of the bootstrap, would take most of the time
    with (
        mock.patch.object(paired, "N_BOOTSTRAP", 400),
        mock.patch.object(group_metrics, "shrink_groups", lambda groups, _: list(groups)),
    ):
        measure_causes()
    for slope, n in ((30, 24), (30, 8), (30, 4), (0, 24), (0, 8), (30, 3)):
        measure_slopes(slope, n)


if __name__ == "__main__":
    main()
