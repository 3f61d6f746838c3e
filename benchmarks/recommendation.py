"""How often the right method is recommended: simulated trainings, validation and test images drawn apart.

Two classes with two places, 150 validation and 300 test images a group, three and five seeds; the baseline is
right on 97, 62, 60 and 96 %. Correctness is drawn, nothing is trained. Prints for each case how often each
method is recommended in 40 audits, how many are tied, and how far the gain of the chosen method on test
images lies from the truth, beside that of the method that gains most on test images, which was recommended
before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from unittest import mock

import numpy as np
from scipy import stats

from benchmarks.verdict_rates import LIMITS, SHARED, evaluation, make_groups
from pipeline.core.types import BoolArray, Float64Array, Int64Array, Split
from pipeline.statistics.accuracy import groups as group_metrics
from pipeline.statistics.accuracy.worst_group import worst_of
from pipeline.statistics.comparison import paired
from pipeline.statistics.comparison.compare import Contender, Target, compare_all
from pipeline.verdict.fix.choosing import choose_method
from pipeline.verdict.fix.fixed_by import judge_fixed_by
from pipeline.verdict.fix.repairs import judge_repairs
from pipeline.verdict.fix.validating import validate_methods

REPEATS, N_VAL, N_TEST, SCATTER = 40, 150, 300, 0.02
ERM = (0.97, 0.62, 0.60, 0.96)
BEST, SOME = (0.94, 0.92, 0.92, 0.94), (0.96, 0.74, 0.74, 0.95)
METHODS = ("group_dro", "subg", "jtt", "rwy")
CASES: dict[str, dict[str, Sequence[float]]] = {
    "one is best by 18 points": {"group_dro": BEST, "subg": SOME, "jtt": SOME, "rwy": ERM},
    "two are as good": {"group_dro": BEST, "subg": SOME, "jtt": BEST, "rwy": ERM},
    "four are as good": dict.fromkeys(METHODS, BEST),
    "none helps": dict.fromkeys(METHODS, ERM),
    "one moves the harm": {"group_dro": (0.30, 0.97, 0.97, 0.30), "jtt": SOME},
}


def audit(
    tables: Mapping[str, Sequence[float]], n_seeds: int, rng: np.random.Generator
) -> tuple[str | None, list[str], str, float, float]:
    """Recommended method, who is tied with it, rung 5, and how far two gains on test lie from the truth."""
    info = make_groups(np.array([[950, 50], [50, 950]]))
    counts = {"val": N_VAL, "test": N_TEST}
    groups = {name: np.repeat(np.arange(4), n) for name, n in counts.items()}
    everyone = {"erm": ERM, **tables}
    # seeds differ by group, the same on validation and test: one model is scored twice
    shifts = {m: rng.normal(0, SCATTER, (n_seeds, 4)) for m in everyone}
    correct = {}
    for name, n in counts.items():
        easy_N = rng.normal(size=4 * n)  # hard images are hard for all
        correct[name] = {m: draw(np.array(t) + shifts[m], easy_N, rng) for m, t in everyone.items()}
    found = []
    for method in everyone:
        on_test = evaluation(info, correct["test"][method], groups["test"])
        on_val = evaluation(info, correct["val"][method], groups["val"])
        labels = ["class labels (train)"] + (
            ["group labels (train)"] if method in ("group_dro", "subg") else []
        )
        found.append(on_test.model_copy(update={"method": method, "val": on_val.test, "labels_used": labels}))
    baseline, *others = found
    val = images_of(groups["val"])
    choice = choose_method(validate_methods(correct["val"], val, info, found, LIMITS), LIMITS)
    harmed = int(np.argmin([group.value for group in baseline.test.groups]))
    compared = compare_all(
        Contender("erm", correct["test"]["erm"], worst_of(baseline.test)),
        [Contender(e.method, correct["test"][e.method], worst_of(e.test)) for e in others],
        groups["test"],
        [group.name for group in info.groups],
        target=Target(harmed, 2),
        seed=0,
    )
    gains = {c.method: c for c in compared}
    repairs = judge_repairs(info, baseline, others, compared, LIMITS)
    chosen = gains.get(choice.chosen or "")
    rung = judge_fixed_by(
        info, compared, baseline="erm", harmful="yes", limits=LIMITS, repairs=repairs, best=chosen
    )
    is_used = choice.is_worth_it and rung.status in ("yes", "partly")
    most = max(compared, key=lambda c: c.gain.value)
    true = {m: float(np.clip(table[harmed], 0, 1) - ERM[harmed]) for m, table in tables.items()}
    off_chosen = chosen.gain.value - true[chosen.method] if chosen else 0.0
    return (
        choice.chosen if is_used else None, choice.tied, rung.status if choice.is_worth_it else "keep",
        off_chosen, most.gain.value - true[most.method],
    )  # fmt: skip


def draw(accuracy_SG: Float64Array, easy_N: Float64Array, rng: np.random.Generator) -> BoolArray:
    """S x N, right or wrong, as `verdict_rates.draw_correct`, on images that are as easy for every method."""
    cut_SN = np.repeat(stats.norm.ppf(np.clip(accuracy_SG, 0.002, 0.998)), len(easy_N) // 4, axis=1)
    luck_SN = rng.normal(size=cut_SN.shape)
    return np.asarray(np.sqrt(SHARED) * easy_N + np.sqrt(1 - SHARED) * luck_SN < cut_SN)


def images_of(groups_N: Int64Array) -> Split:
    n = len(groups_N)
    return Split(
        name="val",
        images=np.zeros((n, 1, 1, 3), np.uint8),
        labels=groups_N // 2,
        ids=np.arange(n),
        files=np.array([str(i) for i in range(n)]),
        attributes=groups_N % 2,
        groups=groups_N,
    )


def main() -> None:
    # two fits that no rung reads, and most of the bootstrap, would take most of the time
    with (
        mock.patch.object(paired, "N_BOOTSTRAP", 400),
        mock.patch.object(group_metrics, "shrink_groups", lambda groups, _: list(groups)),
    ):
        for title, tables in CASES.items():
            for n_seeds in (3, 5):
                rng = np.random.default_rng(0)
                audits = [audit(tables, n_seeds, rng) for _ in range(REPEATS)]
                used = Counter(method or "nobody" for method, *_ in audits)
                tied = np.mean([len(names) for _, names, *_ in audits])
                off = [100 * float(np.mean([a[i] for a in audits])) for i in (3, 4)]
                shown = ", ".join(f"{m} {n}" for m, n in used.most_common())
                print(
                    f"{title}, {n_seeds} seeds: {shown}; {tied:.1f} tied; gain minus truth of the chosen "
                    f"{off[0]:+.1f} points, of the largest on test {off[1]:+.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
