"""How often rung 5 calls a method a repair that helps the harmed group at others' expense, and real repairs.

Two classes with two places (and a third class with 60 test images a group where named), 300 test images a
group, three seeds; the baseline is right on 97, 62, 70 and 97 %. Correctness is drawn, nothing is trained.
Prints for each case in how many of 100 audits *fixed by* says yes, partly, insufficient and no.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from unittest import mock

import numpy as np

from benchmarks.verdict_rates import LIMITS, draw_correct, evaluation, make_groups
from pipeline.statistics.accuracy import groups as group_metrics
from pipeline.statistics.accuracy.worst_group import worst_of
from pipeline.statistics.comparison import paired
from pipeline.statistics.comparison.compare import Contender, Target, compare_all
from pipeline.verdict.fix.fixed_by import judge_fixed_by
from pipeline.verdict.fix.repairs import judge_repairs

REPEATS = 100
N_SEEDS = 3
SCATTER = 0.01  # accuracies of one group over seeds, beside the images' chance
BEFORE = (0.97, 0.62, 0.70, 0.97)
TRAIN = [[950, 50], [50, 950]]
CASES: dict[str, tuple[Sequence[float], Sequence[float]]] = {
    "repair": (BEFORE, (0.92, 0.90, 0.90, 0.92)),
    "repair, aligned groups lose 8 points": (BEFORE, (0.89, 0.87, 0.87, 0.89)),
    "repair of one class, the other was hard": ((0.97, 0.62, 0.60, 0.60), (0.95, 0.92, 0.60, 0.60)),
    "2 to 11 %": ((0.99, 0.02, 0.30, 0.99), (0.99, 0.11, 0.35, 0.99)),
    "the baseline with other seeds": (BEFORE, BEFORE),
    "gives up a class": (BEFORE, (1.0, 1.0, 0.10, 0.10)),
    "other misled group 70 to 22 %": (BEFORE, (0.97, 0.90, 0.22, 0.97)),
    "other misled group 70 to 45 %": (BEFORE, (0.99, 0.85, 0.45, 0.90)),
    "other misled group 70 to 55 %": (BEFORE, (0.99, 0.90, 0.55, 0.85)),
    "other misled group stays": (BEFORE, (0.97, 0.90, 0.70, 0.97)),
    "levelled down, reversed": (BEFORE, (0.70, 0.90, 0.90, 0.70)),
    "small class 90 to 0 %": ((*BEFORE, 0.90, 0.90), (0.93, 0.90, 0.90, 0.93, 0.0, 0.0)),
    "small class 90 to 70 %": ((*BEFORE, 0.90, 0.90), (0.93, 0.90, 0.90, 0.93, 0.70, 0.70)),
    "small class stays": ((*BEFORE, 0.90, 0.90), (0.93, 0.90, 0.90, 0.93, 0.90, 0.90)),
}


def fixed_by(before: Sequence[float], after: Sequence[float], rng: np.random.Generator) -> tuple[str, str]:
    """The rung's answer in one drawn audit: by the gain alone, and with what happens to other groups."""
    is_small = len(before) > 4
    info = make_groups(np.array([*TRAIN, [100, 100]] if is_small else TRAIN))
    n_G = np.array([300] * 4 + [60] * (len(before) - 4))
    groups_N = np.repeat(np.arange(len(n_G)), n_G)
    base_SN, method_SN = (draw_correct(np.array(a), n_G, N_SEEDS, SCATTER, rng) for a in (before, after))
    baseline = evaluation(info, base_SN, groups_N)
    method = evaluation(info, method_SN, groups_N).model_copy(update={"method": "group_dro"})
    found = compare_all(
        Contender("erm", base_SN, worst_of(baseline.test)),
        [Contender("group_dro", method_SN, worst_of(method.test))],
        groups_N,
        [group.name for group in info.groups],
        target=Target(1, 2),
        seed=0,
        sufficient=[bool(n >= LIMITS.min_test) for n in n_G],
    )
    repairs = judge_repairs(info, baseline, [method], found, LIMITS)
    answers = [
        judge_fixed_by(info, found, baseline="erm", harmful="yes", limits=LIMITS, repairs=known).status
        for known in ({}, repairs)
    ]
    return answers[0], answers[1]


def main() -> None:
    # two fits that no rung reads, and most of the bootstrap, would take most of the time
    with (
        mock.patch.object(paired, "N_BOOTSTRAP", 400),
        mock.patch.object(group_metrics, "shrink_groups", lambda groups, _: list(groups)),
    ):
        for title, (before, after) in CASES.items():
            rng = np.random.default_rng(0)
            answers = [fixed_by(before, after, rng) for _ in range(REPEATS)]
            raised = sum(gain == "yes" for gain, _ in answers)
            counts = Counter(status for _, status in answers)
            shown = ", ".join(f"{s} {counts[s]}" for s in ("yes", "partly", "insufficient", "no"))
            print(f"{title:42} clear gain {raised:3}; fixed by: {shown}", flush=True)


if __name__ == "__main__":
    main()
