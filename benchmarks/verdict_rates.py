"""How often the verdict says yes where nothing is there, and where something is: simulated trainings.

No network is trained. Tables of right and wrong are drawn for seeds and images of every group (images
differ in difficulty, seeds scatter by group), and go through the functions that the report uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from unittest import mock

import numpy as np
from scipy import stats

from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.methods.removal.sizes import choose_size, confirm_gain
from pipeline.records.base import Provenance
from pipeline.records.data import AttributeInfo, GroupInfo
from pipeline.records.evaluation import EvaluationResult, SplitMetrics
from pipeline.records.verdict import Status, Thresholds
from pipeline.statistics.accuracy import groups as group_metrics
from pipeline.statistics.accuracy.worst_group import lowest_of
from pipeline.statistics.comparison import paired
from pipeline.statistics.comparison.compare import Contender, Target, compare_all
from pipeline.verdict.fix.fixed_by import judge_fixed_by
from pipeline.verdict.harm.harmful import judge_harmful

LIMITS = Thresholds(
    min_effect=0.05, min_test=100, min_val=30, min_kappa=0.05, min_cramers_v=0.1, alpha=0.05, min_seeds=3
)
SHARED = 0.5  # of the variance of being right on an image, what all seeds share
N_TEST = 300  # of a group
REPEATS = 200


@dataclass(frozen=True)
class Groups:
    """What the rungs read of a dataset."""

    attributes: list[AttributeInfo]
    groups: list[GroupInfo]


def draw_correct(
    accuracy_G: Float64Array, n_G: Int64Array, n_seeds: int, scatter: float, rng: np.random.Generator
) -> BoolArray:
    """S x N, right or wrong; each seed and group has an accuracy of its own around `accuracy_G`."""
    shifted_SG = accuracy_G + scatter * rng.normal(size=(n_seeds, len(accuracy_G)))
    cut_SN = np.repeat(stats.norm.ppf(np.clip(shifted_SG, 0.002, 0.998)), n_G, axis=1)
    easy_N, luck_SN = rng.normal(size=n_G.sum()), rng.normal(size=cut_SN.shape)
    return np.sqrt(SHARED) * easy_N + np.sqrt(1 - SHARED) * luck_SN < cut_SN


def make_groups(train_KA: Int64Array, n_test: int = N_TEST) -> Groups:
    """Classes x attribute values with these training images."""
    k, a = train_KA.shape
    groups = [
        GroupInfo(
            name=f"{c}/{v}",
            label=str(c),
            attribute=str(v),
            n_train=int(train_KA[c, v]),
            n_val=100,
            n_test=n_test,
        )
        for c in range(k)
        for v in range(a)
    ]
    values = [str(v) for v in range(a)]
    return Groups([AttributeInfo(name="cue", values=values, origin="annotated", description="")], groups)


def evaluation(
    info: Groups, correct_SN: BoolArray, groups_N: Int64Array, *, is_brought: bool = False
) -> EvaluationResult:
    seeds = list(range(len(correct_SN)))
    test: SplitMetrics = group_metrics.split_metrics(
        correct_SN,
        groups_N,
        group_names=[g.name for g in info.groups],
        n_train=[g.n_train for g in info.groups],
        seeds=seeds,
        min_images=LIMITS.min_test,
    )
    return EvaluationResult(
        provenance=Provenance(),
        method="erm",
        labels_used=[],
        seeds=seeds,
        selection="last",
        val=test,
        test=test,
        interventions=[],
        foreground_sensitivity=None,
        color_agreement=None,
        is_brought=is_brought,
    )


# --- harmful -----------------------------------------------------------------------------------


def biased_table(n_classes: int, n_values: int, share: float) -> Int64Array:
    """Training images: class c has `share` of its 1,000 at the value c modulo the number of values."""
    table = np.full((n_classes, n_values), 1000 * (1 - share) / (n_values - 1))
    table[np.arange(n_classes), np.arange(n_classes) % n_values] = 1000 * share
    return np.rint(table).astype(np.int64)


def harder_value(shape: tuple[int, int], base: Sequence[float], cost: float, scale: str) -> Float64Array:
    """Accuracies K x A where the last value costs every class the same, in points or in log odds."""
    high_K = np.resize(base, shape[0])
    accuracy_KA = np.repeat(high_K[:, None], shape[1], axis=1)
    if scale == "points":
        accuracy_KA[:, -1] -= cost
        return accuracy_KA
    typical = float(np.mean(base))
    odds = np.log(typical / (1 - typical)) - np.log((typical - cost) / (1 - typical + cost))
    accuracy_KA[:, -1] = 1 / (1 + (1 / high_K - 1) * np.exp(odds))
    return accuracy_KA


def harmful_rate(
    train_KA: Int64Array,
    accuracy_KA: Float64Array,
    n_seeds: int,
    scatter: float,
    repeats: int = REPEATS,
    *,
    is_brought: bool = False,
) -> dict[Status, float]:
    """Shares of the answers of rung *harmful*, of a method or of models trained elsewhere."""
    rng = np.random.default_rng(0)
    info = make_groups(train_KA)
    n_G = np.full(len(info.groups), N_TEST)
    groups_N = np.repeat(np.arange(len(n_G)), n_G)
    answers: list[Status] = []
    for _ in range(repeats):
        correct_SN = draw_correct(accuracy_KA.ravel(), n_G, n_seeds, scatter, rng)
        found = evaluation(info, correct_SN, groups_N, is_brought=is_brought)
        answers.append(judge_harmful(info, found, limits=LIMITS).status)
    return {status: answers.count(status) / repeats for status in ("yes", "insufficient", "no")}


def pays(
    accuracy_KA: Float64Array, train_KA: Int64Array, loss: float, classes: Sequence[int]
) -> Float64Array:
    """The same accuracies where the rarest values of these classes lose `loss`."""
    hurt = accuracy_KA.copy()
    for c in classes:
        hurt[c, train_KA[c] == train_KA[c].min()] -= loss
    return hurt


def study_harmful() -> None:
    two, twenty = biased_table(2, 2, 0.95), biased_table(20, 3, 0.7)
    weak = biased_table(2, 2, 0.7)
    nulls = {
        "2x2, .92/.82": (two, harder_value((2, 2), [0.92], 0.10, "points")),
        "2x2, .92/.77": (two, harder_value((2, 2), [0.92], 0.15, "points")),
        "2x2, .92/.82, 70 % aligned": (weak, harder_value((2, 2), [0.92], 0.10, "points")),
        "2x2, odds, classes .85 and .97": (two, harder_value((2, 2), [0.85, 0.97], 0.15, "odds")),
        "2x2, a hard class": (two, harder_value((2, 2), [0.95, 0.75], 0.0, "points")),
        "20x3, .80/.70": (twenty, harder_value((20, 3), [0.8], 0.10, "points")),
        "20x3, classes .6 to .9": (
            twenty,
            harder_value((20, 3), np.linspace(0.6, 0.9, 20).tolist(), 0.10, "points"),
        ),
    }
    twins = {
        "2x2, both lose 15": (two, pays(np.full((2, 2), 0.92), two, 0.15, [0, 1])),
        "2x2, one loses 15": (two, pays(np.full((2, 2), 0.92), two, 0.15, [1])),
        "2x2, .92/.82 and both lose 15": (two, pays(nulls["2x2, .92/.82"][1], two, 0.15, [0, 1])),
        "20x3, all lose 15": (twenty, pays(np.full((20, 3), 0.8), twenty, 0.15, range(20))),
        "20x3, one loses 30": (twenty, pays(np.full((20, 3), 0.8), twenty, 0.30, [3])),
    }
    for title, cases in (("nulls", nulls), ("twins", twins)):
        print(f"\nharmful, {title}: yes in % (insufficient); one file, two files, then 1, 3, 5 seeds")
        for name, (train_KA, accuracy_KA) in cases.items():
            cells = []
            for n_seeds, is_brought in ((1, True), (2, True), (1, False), (3, False), (5, False)):
                for scatter in (0.0, 0.03, 0.05):
                    repeats = REPEATS if len(train_KA) == 2 else REPEATS // 4
                    rates = harmful_rate(
                        train_KA, accuracy_KA, n_seeds, scatter, repeats, is_brought=is_brought
                    )
                    cells.append(f"{100 * rates['yes']:3.0f} ({100 * rates['insufficient']:.0f})")
            print(f"{name:34s} " + "  ".join(cells), flush=True)


# --- fixed by ----------------------------------------------------------------------------------


class GainRates(NamedTuple):
    """Of the repeats, in which share ..."""

    fixed: float  # the rung says yes or partly
    some_p: float  # some method has p < .05
    consistent: float  # in all comparisons p < .05 where the interval excludes 0, and nowhere else


def gain_rates(
    n_groups: int, n_seeds: int, scatter: float, gain: float = 0.0, n_methods: int = 5, repeats: int = 100
) -> GainRates:
    """Methods that are the baseline trained again, the first of them with `gain` in every other group.

    The group that is judged is the baseline's lowest of every other group: those that the cue misleads.
    """
    rng = np.random.default_rng(0)
    info = make_groups(np.tile([[50, 950], [950, 50]], (n_groups // 4, 1)))
    n_G = np.full(n_groups, N_TEST)
    misled_G = np.array([group.n_train < 100 for group in info.groups])
    groups_N = np.repeat(np.arange(n_groups), n_G)
    base_G = np.where(misled_G, 0.7, 0.9)
    fixed, some_p, consistent = 0, 0, 0
    for _ in range(repeats):
        baseline = draw_correct(base_G, n_G, n_seeds, scatter, rng)
        lifted_G = base_G + gain * misled_G
        methods = [
            _contender(name, draw_correct(lifted_G if i == 0 else base_G, n_G, n_seeds, scatter, rng))
            for i, name in enumerate(["group_dro", "subg", "dfr", "jtt", "repair"][:n_methods])
        ]
        misled = np.flatnonzero(misled_G).tolist()
        found = compare_all(
            _contender("erm", baseline),
            methods,
            groups_N,
            [group.name for group in info.groups],
            target=Target(lowest_of(_accuracies(baseline), misled).group, len(misled)),
            seed=0,
        )
        rung = judge_fixed_by(info, found, baseline="erm", harmful="yes", limits=LIMITS)
        fixed += rung.status in ("yes", "partly")
        some_p += any(c.p_value is not None and c.p_value < LIMITS.alpha for c in found)
        consistent += all(
            c.p_value is None or (c.p_value < LIMITS.alpha) == (c.gain.low > 0 or c.gain.high < 0)
            for c in found
        )
    return GainRates(fixed / repeats, some_p / repeats, consistent / repeats)


def _contender(name: str, correct_SN: BoolArray) -> Contender:
    accuracy_G = _accuracies(correct_SN)
    return Contender(name, correct_SN, lowest_of(accuracy_G, range(len(accuracy_G))))


def _accuracies(correct_SN: BoolArray) -> Float64Array:
    """Of groups of N_TEST images each."""
    means_G: Float64Array = correct_SN.mean(axis=0).reshape(-1, N_TEST).mean(axis=1)
    return means_G


def study_gains() -> None:
    for title, gain in (("null", 0.0), ("one method gains 15 points", 0.15), ("one gains 25", 0.25)):
        print(f"\ngains, {title}: fixed by, some p < .05 (p agrees with its interval), in %")
        for n_groups in (4, 20):
            for n_seeds in (1, 3, 5):
                cells = []
                for scatter in (0.0, 0.03, 0.05):
                    rates = gain_rates(n_groups, n_seeds, scatter, gain, repeats=100 if n_groups == 4 else 50)
                    shares = [f"{100 * rate:3.0f}" for rate in rates]
                    cells.append(f"{shares[0]} {shares[1]} ({shares[2]})")
                print(f"{n_groups} groups, {n_seeds} seeds: " + "  ".join(cells), flush=True)


# --- repair ------------------------------------------------------------------------------------


def repair_rate(
    n_seeds: int, scatter: float, gains: Sequence[float], n_val: int = 100, repeats: int = REPEATS
) -> float:
    """How often repair leaves images out: a candidate of two seeds, confirmed by all."""
    rng = np.random.default_rng(0)
    n_G = np.array([400, n_val, n_val, 400])
    groups_N = np.repeat(np.arange(4), n_G)
    erm_G, sizes = np.array([0.95, 0.7, 0.7, 0.95]), list(range(len(gains) + 1))
    left_out = 0
    for _ in range(repeats):
        tables = [
            draw_correct(erm_G + gain * np.array([0, 1, 1, 0]), n_G, n_seeds, scatter, rng)
            for gain in (0.0, *gains)
        ]
        worst_R = [
            float(np.mean([[row[groups_N == g].mean() for g in range(4)] for row in table[:2]], axis=0).min())
            for table in tables
        ]
        candidate = choose_size(sizes, worst_R, n_val)
        if candidate:
            found = confirm_gain(tables[0], tables[candidate], groups_N, n_tried=len(gains))
            left_out += found.low > 0
    return left_out / repeats


def study_repair() -> None:
    cases = {
        "null, 3 sizes": [0.0] * 3,
        "null, 5 sizes": [0.0] * 5,
        "gains 5, 10, 15": [0.05, 0.1, 0.15],
        "gains 10, 20, 25": [0.1, 0.2, 0.25],
    }
    print("\nrepair leaves images out, in %, seeds differ by 0, 3, 5 points")
    for name, gains in cases.items():
        for n_seeds in (2, 3, 5):
            rates = [100 * repair_rate(n_seeds, scatter, gains) for scatter in (0.0, 0.03, 0.05)]
            print(f"{name}, {n_seeds} seeds: " + "  ".join(f"{rate:3.0f}" for rate in rates), flush=True)


def main() -> None:
    # two fits that no rung reads, and most of the bootstrap, would take most of the time
    with (
        mock.patch.object(paired, "N_BOOTSTRAP", 400),
        mock.patch.object(group_metrics, "shrink_groups", lambda groups, _: list(groups)),
        mock.patch.object(group_metrics, "correct_minimum", lambda accuracy_G, _: float(accuracy_G.min())),
    ):
        study_repair()
        study_gains()
        study_harmful()


if __name__ == "__main__":
    main()
