"""How often the verdict gives an all-clear that is false, or an alarm that is.

Predictions are simulated, so nothing is trained: constants (balanced, imbalanced; 2, 10, 100 classes),
models barely better, groups that are bad and small, groups without validation images, and nulls in which all
groups are equally good. They go through what `evaluate`, `report` and `gate` use. Columns: share
of simulations whose headline says that no group is worse or pays, whose gate (`--forbid used,harmful
--max-gap .2`) passes, whose headline names a group that is truly worse, whose headline calls a group clearly
worse, and whose questions are withheld.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.artifacts.results import Results
from pipeline.core.types import Int64Array
from pipeline.records.base import Estimate, Provenance
from pipeline.records.color import ColorResult
from pipeline.records.data import AttributeInfo, DatasetInfo, GroupInfo, SourceInfo
from pipeline.records.evaluation import (
    Carried,
    CueAssociation,
    CueExchange,
    CueUse,
    EvaluationResult,
    SplitMetrics,
)
from pipeline.records.report import Report
from pipeline.records.verdict import Rung, Thresholds, Verdict
from pipeline.report.gate.judge import judge_report
from pipeline.settings.gate import GateSettings
from pipeline.statistics.accuracy.class_skill import measure_class_skill, measure_following
from pipeline.statistics.accuracy.groups import split_metrics
from pipeline.verdict.cue.used import judge_used
from pipeline.verdict.harm.harmful import judge_harmful
from pipeline.verdict.judge import judge_method
from pipeline.verdict.ladder import Case, withhold, write_headline

LIMITS = Thresholds(
    min_effect=0.05, min_test=100, min_val=30, min_kappa=0.05, min_cramers_v=0.1, alpha=0.05, min_seeds=3
)
SEEDS = [0, 1, 2]
GATE = GateSettings(max_gap=0.2, forbid=["used", "harmful"])
ALL_CLEAR = ("no group is clearly worse", "no group clearly pays")


class Simulated(NamedTuple):
    """Test images by class and attribute value, the models' predictions, and the groups truly worse."""

    n_test: Int64Array  # classes x values
    n_train: Int64Array
    n_val: Int64Array
    predicted_SN: Int64Array
    bad: set[str]


def describe(found: Simulated) -> DatasetInfo:
    n_classes, n_values = found.n_test.shape
    groups = [
        GroupInfo(
            name=f"c{k} / v{v}", label=f"c{k}", attribute=f"v{v}", n_train=int(found.n_train[k, v]),
            n_val=int(found.n_val[k, v]), n_test=int(found.n_test[k, v]),
        )
        for k in range(n_classes)
        for v in range(n_values)
    ]  # fmt: skip
    classes = [f"c{k}" for k in range(n_classes)]
    values = [f"v{v}" for v in range(n_values)]
    place = AttributeInfo(name="place", values=values, origin="annotated", description="")
    return DatasetInfo(
        provenance=Provenance(), name="simulated", title="Simulated", classes=classes, group_labels=classes,
        class_to_group_label=list(range(n_classes)), attributes=[place], groups=groups,
        n={"train": int(found.n_train.sum()), "val": int(found.n_val.sum()), "test": int(found.n_test.sum())},
        image_size=32, has_masks=True, n_label_flips=None, channel_mean=[0.5] * 3, channel_std=[0.2] * 3,
        source_info=SourceInfo(source="simulated", licence="none"),
    )  # fmt: skip


def evaluate(found: Simulated, info: DatasetInfo) -> EvaluationResult:
    groups_N = np.repeat(np.arange(found.n_test.size), found.n_test.ravel())
    labels_N = groups_N // found.n_test.shape[1]
    test = measure(found.predicted_SN == labels_N, groups_N, info)
    return EvaluationResult(
        provenance=Provenance(), method="erm", labels_used=[], seeds=SEEDS, selection="average", val=test,
        test=test, interventions=[], cue_use=_harmless_swap(len(labels_N)), foreground_sensitivity=None,
        color_agreement=None,
        class_skill=measure_class_skill(
            found.predicted_SN, labels_N, info.classes,
            follows=measure_following(found.predicted_SN, groups_N, info),
        ),
    )  # fmt: skip


def measure(correct_SN: np.ndarray, groups_N: Int64Array, info: DatasetInfo) -> SplitMetrics:
    return split_metrics(
        correct_SN, groups_N, group_names=[g.name for g in info.groups],
        n_train=[g.n_train for g in info.groups], seeds=SEEDS, min_images=LIMITS.min_test,
    )  # fmt: skip


def _harmless_swap(n: int) -> CueUse:
    """Whether the cue is used is not what is simulated: exchanging it shifts nothing."""

    def around(value: float) -> Estimate:
        return Estimate(value=value, low=value - 0.01, high=value + 0.01, n=n)

    exchange = CueExchange(
        name="background_swap", n_images=n, flip_rate=around(0.02), flip_rate_control=around(0.02),
        up=around(0.0), down=around(0.0), size=around(0.0), is_balanced=True,
    )  # fmt: skip
    return CueUse(
        cue="place", is_attribute=True, values=["v0", "v1"],
        association=CueAssociation(cramers_v=0.9, p_value=1e-9, n=n), natural=around(0.0),
        carried=[Carried(name="background_swap", share=around(0.97))], exchanges=[exchange],
    )  # fmt: skip


def judge(found: Simulated) -> tuple[bool, bool, bool, bool, bool]:
    """All-clear, gate passed, a truly worse group named, called clearly worse, withheld."""
    info = describe(found)
    erm = evaluate(found, info)
    nothing = Rung(rung="available", question="", status="no", evidence="")
    rungs = [
        nothing,
        withhold(judge_used(erm, None, LIMITS), erm, LIMITS),
        withhold(judge_harmful(info, erm, limits=LIMITS), erm, LIMITS),
        nothing.model_copy(update={"rung": "caused_by", "status": "insufficient"}),
        nothing.model_copy(update={"rung": "fixed_by", "status": "insufficient"}),
    ]
    case = Case.model_construct(
        info=info, color=None, baseline=erm, others=[], attribution=None, comparisons=[], hygiene=None,
        limits=LIMITS,
    )  # fmt: skip
    headline = write_headline(case, rungs)
    found_one = Results(
        info=info, color=ColorResult.model_construct(color_only=None), evaluations={"erm": erm}
    )
    verdict = Verdict.model_construct(
        baseline="erm", rungs=rungs, thresholds=LIMITS, not_trained={}, leaking_sources=None,
        methods={"erm": judge_method("erm", found_one, case, rungs)},
    )  # fmt: skip
    report = Report.model_construct(
        verdict=verdict, provenance=Provenance(), methods={"erm": erm},
        dataset=DatasetInfo.model_construct(groups=info.groups, attributes=info.attributes),
    )  # fmt: skip
    passed = not judge_report(report, GATE, ["erm"], {}).n_failed
    return (
        any(words in headline for words in ALL_CLEAR),
        passed,
        any(f"“{name}”" in headline for name in found.bad),
        "clearly worse" in headline.replace("no group is clearly worse", ""),
        "cannot be asked yet" in headline,
    )


# --- what is simulated -------------------------------------------------------------------------


def _sizes(n_classes: int, n_values: int, n: int) -> Int64Array:
    return np.full((n_classes, n_values), n)


def _predict(rng: np.random.Generator, n_test: Int64Array, accuracy: np.ndarray) -> Int64Array:
    """Right with the group's accuracy; images differ in difficulty, which the seeds share."""
    p_N = np.repeat(np.broadcast_to(accuracy, n_test.shape).ravel(), n_test.ravel())
    labels_N = np.repeat(np.arange(n_test.size) // n_test.shape[1], n_test.ravel())
    spread = np.clip(p_N, 1e-3, 1 - 1e-3)
    p_N = np.where((p_N > 0) & (p_N < 1), rng.beta(2 * spread, 2 * (1 - spread)), p_N)
    right_SN = rng.random((len(SEEDS), len(p_N))) < p_N
    other_SN = (labels_N + rng.integers(1, n_test.shape[0], right_SN.shape)) % n_test.shape[0]
    return np.where(right_SN, labels_N, other_SN)


def constant(n_classes: int, *, imbalanced: bool = False, stray: float = 0.0) -> Callable[..., Simulated]:
    """One answer for all images, but for a share `stray` of random ones."""

    def simulate(rng: np.random.Generator) -> Simulated:
        n_test = _sizes(n_classes, 2, max(100, 1000 // n_classes))
        if imbalanced:
            n_test[0] *= 9 * (n_classes - 1)
        said = rng.integers(0, 1 if imbalanced else n_classes)
        predicted_SN = np.full((len(SEEDS), n_test.sum()), said)
        is_stray = rng.random(predicted_SN.shape) < stray
        predicted_SN[is_stray] = rng.integers(0, n_classes, is_stray.sum())
        return Simulated(n_test, 4 * n_test, _sizes(n_classes, 2, 50), predicted_SN, set())

    return simulate


def cue_alone(n_classes: int, n_values: int, follows: float) -> Callable[..., Simulated]:
    """The cue decides: one of the classes that go with the value, but for a share of random answers."""

    def simulate(rng: np.random.Generator) -> Simulated:
        n_test = _sizes(n_classes, n_values, 120)
        goes = np.arange(n_classes)[:, None] % n_values == np.arange(n_values)
        values_N = np.repeat(np.tile(np.arange(n_values), n_classes), 120)
        per_value = n_classes // n_values
        shape = (len(SEEDS), n_test.sum())
        predicted_SN = values_N + n_values * rng.integers(0, per_value, shape)
        predicted_SN = np.where(rng.random(shape) < follows, predicted_SN, rng.integers(0, n_classes, shape))
        misled = np.nonzero(~goes & (follows > 0))
        bad = {f"c{k} / v{v}" for k, v in zip(*misled, strict=True)}
        n_train = np.where(goes, 950, 50)
        return Simulated(n_test, n_train, _sizes(n_classes, n_values, 50), predicted_SN, bad)

    return simulate


def knows(kappa: float, n_classes: int) -> Callable[..., Simulated]:
    """All classes recognized alike, a little beyond chance; nobody is worse."""

    def simulate(rng: np.random.Generator) -> Simulated:
        n_test = _sizes(n_classes, 2, max(100, 1000 // n_classes))
        accuracy = np.array(1 / n_classes + kappa * (1 - 1 / n_classes))
        predicted_SN = _predict(rng, n_test, accuracy)
        return Simulated(n_test, 4 * n_test, _sizes(n_classes, 2, 50), predicted_SN, set())

    return simulate


def bad_groups(n_bad: int, accuracy: float, n_val: int) -> Callable[..., Simulated]:
    """Two classes of which one is rare and badly served in both its groups, whatever the cue."""

    def simulate(rng: np.random.Generator) -> Simulated:
        n_test, n_values = np.array([[1200, 1100], [n_bad, n_bad + 13]]), np.array([[90, 90], [n_val, n_val]])
        accuracy_KV = np.array([[0.99, 0.99], [accuracy, accuracy]])
        predicted_SN = _predict(rng, n_test, accuracy_KV)
        return Simulated(n_test, 4 * n_test, n_values, predicted_SN, {"c1 / v0", "c1 / v1"})

    return simulate


def no_validation(rng: np.random.Generator) -> Simulated:
    """28 groups of 100 test images; the only one with validation images is the best served."""
    n_test, n_val = _sizes(14, 2, 100), _sizes(14, 2, 12)
    n_val[0, 0] = 40
    accuracy_KV = np.full((14, 2), 0.5)
    accuracy_KV[0, 0], accuracy_KV[5, 1] = 0.91, 0.03
    return Simulated(n_test, _sizes(14, 2, 56), n_val, _predict(rng, n_test, accuracy_KV), {"c5 / v1"})


def equal(accuracy: float, n_small: int) -> Callable[..., Simulated]:
    """All of 28 groups equally good, half of them with few test images."""

    def simulate(rng: np.random.Generator) -> Simulated:
        n_test = np.stack([np.full(14, 300), np.full(14, n_small)], axis=1)
        n_test[:, 1] = np.maximum(1, rng.poisson(n_small, 14))
        predicted_SN = _predict(rng, n_test, np.array(accuracy))
        return Simulated(n_test, _sizes(14, 2, 200), _sizes(14, 2, 40), predicted_SN, set())

    return simulate


SCENARIOS: dict[str, Callable[..., Simulated]] = {
    **{f"constant, {k} classes": constant(k) for k in (2, 10, 100)},
    **{f"constant, {k} classes, one with 90 %": constant(k, imbalanced=True) for k in (2, 10, 100)},
    "constant but for 2 % random answers, 10 classes": constant(10, stray=0.02),
    "random answers, 10 classes": constant(10, stray=1.0),
    "kappa .02, 10 classes": knows(0.02, 10),
    "kappa .15, 2 classes (can be asked)": knows(0.15, 2),
    "kappa .15, 10 classes (can be asked)": knows(0.15, 10),
    "kappa .15, 100 classes (can be asked)": knows(0.15, 100),
    "follows the cue alone, 2 classes (can be asked)": cue_alone(2, 2, 1.0),
    "follows the cue alone, 10 classes (can be asked)": cue_alone(10, 10, 1.0),
    "10 classes, 2 values (can be asked)": cue_alone(10, 2, 1.0),
    "follows it for half, 2 classes (can be asked)": cue_alone(2, 2, 0.5),
    "random answers beside a cue, 2 classes": cue_alone(2, 2, 0.0),
    "0 % in groups of 125 and 138, few validated": bad_groups(125, 0.0, 17),
    "0 % in groups of 30 and 43": bad_groups(30, 0.0, 90),
    "50 % in groups of 30 and 43": bad_groups(30, 0.5, 90),
    "28 groups, 27 without validation images": no_validation,
    "null: 28 equal groups at 90 %, half of about 3": equal(0.9, 3),
    "null: 28 equal groups at 90 %, half of about 40": equal(0.9, 40),
    "null: 28 equal groups at 60 %, half of about 20": equal(0.6, 20),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    repeats = parser.parse_args().repeats
    print(f"{'':52}{'all-clear':>10}{'gate':>8}{'named':>8}{'alarm':>8}{'withheld':>10}   of {repeats}")
    for name, simulate in SCENARIOS.items():
        few = repeats if "100 classes" not in name else max(10, repeats // 5)
        rows = np.array([judge(simulate(np.random.default_rng([seed, 7]))) for seed in range(few)])
        shares = "".join(
            f"{100 * x:>{w}.0f}%" for x, w in zip(rows.mean(axis=0), (9, 7, 7, 7, 9), strict=True)
        )
        print(f"{name:52}{shares}", flush=True)


if __name__ == "__main__":
    main()
