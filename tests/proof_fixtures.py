"""What proof of attribution, label ranking and removal look like where all of it was measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest

from pipeline.core.results import (
    Agreement,
    AttributionResult,
    Estimate,
    GroupChange,
    GroupCheck,
    GroupEstimate,
    GroupInfo,
    GroupShare,
    GroupSuspects,
    Influence,
    LabelErrors,
    LabelRanking,
    Lds,
    Projection,
    Removal,
    RemovalComparison,
    RemovalPoint,
    Suspect,
    SuspectList,
)


def share_of(n: int, of: int) -> Estimate:
    """A share with its Wilson interval."""
    interval = binomtest(n, of).proportion_ci(method="wilson")
    return Estimate(value=n / of, low=interval.low, high=interval.high, n=of)


def around(value: float, half: float, n: int) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half, n=n)


def lds(
    value: float = 0.27,
    half: float = 0.02,
    *,
    same_class: float = 0.13,
    group_rule: float = 0.165,
    lead: bool = True,
) -> Lds:
    baselines = {"random": 0.003, "same_class": same_class, "grad_cosine": 0.152, "group_rule": group_rule}
    return Lds(
        value=value,
        low=value - half,
        high=value + half,
        n_subsets=64,
        n_targets=160,
        repeats=2,
        share=0.5,
        ceiling=0.58,
        ceiling_low=0.34,
        ceiling_high=0.69,
        **baselines,
        lead={name: around(value - other, half, 160) for name, other in baselines.items()} if lead else {},
    )


def group_check(groups: Sequence[GroupInfo], *, sign: int = 1, beyond: float = 0.6) -> GroupCheck:
    """Every group thinned to nothing and to half; effects as predicted but larger."""
    rng = np.random.default_rng(5)
    changes = []
    for i, train in enumerate(groups):
        for kept in (0.0, 0.5):
            for j, test in enumerate(groups):
                helps = 0.9 if i == j else -0.7 if train.attribute == test.attribute else 0.1
                predicted = -helps * (1 - kept)
                actual = sign * (1.4 * predicted + float(rng.normal(0, 0.08)))
                changes.append(
                    GroupChange(
                        train_group=train.name,
                        test_group=test.name,
                        kept=kept,
                        n_removed=round(train.n_train * (1 - kept)),
                        predicted=predicted,
                        actual=actual,
                        low=actual - 0.2,
                        high=actual + 0.2,
                    )
                )
    return GroupCheck(
        changes=changes,
        correlation=0.93 * sign,
        low=0.84,
        high=0.97,
        n_trainings=27,
        rule=Estimate(value=0.98 * sign, low=0.94, high=0.99, n=16),
        beyond=Estimate(value=beyond, low=beyond - 0.4, high=min(1.0, beyond + 0.4), n=16),
    )


def label_errors(groups: Sequence[GroupInfo], *, known: bool = True) -> LabelErrors:
    """144 wrong labels; small groups are suspected by margins more often than they deserve."""
    return LabelErrors(
        lists=[
            suspect_list("aum", groups, [80, 41, 22, 19], known=known),
            suspect_list("attribution", groups, [190, 160, 22, 11], known=known, first=30),
        ],
        agreement=Agreement(n_ranked=4795, n_top=162, n_shared=71, expected=5.5, chance_high=10),
        n_known_wrong=144 if known else None,
        rankings=[
            LabelRanking(
                name=name,
                average_precision=ap if known else None,
                low=ap - 0.04 if known else None,
                high=min(ap + 0.04, 1.0) if known else None,
                precision_at_known=ap - 0.06 if known else None,
            )
            for name, ap in (("aum", 0.95), ("self_influence", 0.71), ("attribution", 0.64))
        ],
    )


def suspect_list(
    ranking: str, groups: Sequence[GroupInfo], n_suspects: list[int], *, known: bool, first: int = 0
) -> SuspectList:
    """Twenty suspects, the first of them image `first`."""
    n_wrong = [90, 31, 3, 20]
    return SuspectList(
        ranking=ranking,
        n_suspects=sum(n_suspects),
        precision=share_of(131, sum(n_suspects)) if known else None,
        suspects=[
            Suspect(
                id=first + 3 * i,
                label=i % 2,
                group=i % len(groups),
                suggested=(i + 1) % 2 if i != 4 else None,
                score=4.2 - 0.1 * i,
                known_wrong=i % 5 != 3 if known else None,
                in_both=(first + 3 * i) in range(30, 60, 3),
            )
            for i in range(20)
        ],
        groups=[
            GroupSuspects(
                group=g.name,
                n_train=g.n_train,
                n_suspects=n,
                share=share_of(n, g.n_train),
                n_known_wrong=w if known else None,
            )
            for g, n, w in zip(groups, n_suspects, n_wrong, strict=True)
        ],
    )


def prove(result: AttributionResult, groups: Sequence[GroupInfo]) -> AttributionResult:
    """`result` with everything measured that retraining and label ranking can measure."""
    n_train = {g.name: g.n_train for g in groups}
    total = sum(n_train.values())
    harmful = [70, 10, 0, 20]
    helpful = [6, 9, 54, 31]
    return result.model_copy(
        update={
            "n_checkpoints": 2,
            "projection": Projection(
                kind="block_sketch", dim=4096, n_parameters=412_345, precision="fp32", gradients="hooks"
            ),
            "groups": [
                c.model_copy(update={"n_train": n_train[c.train_group], "n_test": 25}) for c in result.groups
            ],
            "most_helpful_to_worst": [
                Influence(id=5 * i + 2, group=2, score=0.3 / (i + 1)) for i in range(14)
            ],
            "shares": [
                GroupShare(
                    group=g.name,
                    n_train=g.n_train,
                    expected=g.n_train / total,
                    harmful=share_of(harmful[i], 100),
                    helpful=share_of(helpful[i], 100),
                )
                for i, g in enumerate(groups)
            ],
            "lds": lds(),
            "group_check": group_check(groups),
            "label_errors": label_errors(groups),
        }
    )


def removal(groups: Sequence[GroupInfo], worst: str) -> Removal:
    """Leaving out the most harmful 900 images lifts the worst group, others do not."""
    rng = np.random.default_rng(7)
    ends = {"repair": 0.24, "random": 0.0, "balanced": 0.12}
    sizes = [240, 480, 900, 1900]
    points = [
        RemovalPoint(
            kind="repair",
            n_removed=0,
            seed=seed,
            val_worst=0.6 + 0.02 * seed,
            val_average=0.92,
        )
        for seed in range(2)
    ]
    points += [
        RemovalPoint(
            kind=kind,  # type: ignore[arg-type]
            n_removed=size,
            seed=seed,
            val_worst=0.6
            + end * min(size / 900, 1) * (1 if size <= 900 else 0.7)
            + float(rng.normal(0, 0.02)),
            val_average=0.92 - size / 60_000,
        )
        for kind, end in ends.items()
        for size in sizes
        for seed in range(2)
    ]
    return Removal(
        groups="given",
        worst_group=worst,
        n_train=sum(g.n_train for g in groups),
        n_harmful=2144,
        tried=[0, *sizes],
        chosen=900,
        points=points,
        removed_by_group=dict(zip([g.name for g in groups], [770, 25, 0, 105], strict=True)),
    )


def removal_controls(worst: str, n_test: int) -> list[RemovalComparison]:
    return [
        RemovalComparison(
            control=control,  # type: ignore[arg-type]
            n_removed=900,
            n_seeds=3,
            control_worst=GroupEstimate(**share_of(round(value * n_test), n_test).model_dump(), name=worst),
            gain=around(gain, 0.035, n_test),
            worst_group_gain=around(gain - 0.01, 0.04, n_test),
            p_value=p,
        )
        for control, value, gain, p in (("random", 0.61, 0.17, 0.0002), ("balanced", 0.71, 0.03, 0.11))
    ]
