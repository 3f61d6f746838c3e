"""Is the group that pays worse in other ways, and does the fix mend that: planted answers and nulls."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.artifacts.indicator_values import IndicatorValues
from pipeline.core.types import Float64Array
from pipeline.records.base import GroupEstimate
from pipeline.records.indicators import Indicator
from pipeline.records.verdict import Generalization
from pipeline.verdict.evidence.rules import choose_thresholds
from pipeline.verdict.generalization import Measured, judge_generalization

LIMITS = choose_thresholds(min_effect=0.05, min_test=30, min_val=10, min_kappa=0.1)
GROUP = GroupEstimate(value=0.4, low=0.3, high=0.5, n=60, index=1, name="birds on land")
N, N_SEEDS = 240, 3
INSIDE = np.arange(N) < 60


def indicator(name: str, better: str = "lower") -> Indicator:
    return Indicator.model_validate(
        {"name": name, "title": name, "sees": "", "unit": "number", "better": better, "source": ""}
    )


def values(rng: np.random.Generator, shift: float = 0.0) -> IndicatorValues:
    """Of images that differ, and of seeds that differ a little; those of the group lie `shift` higher."""
    images_N = rng.normal(1.0, 0.3, N) + shift * INSIDE
    drawn_SN: Float64Array = images_N + rng.normal(0, 0.02, (N_SEEDS, 1)) + rng.normal(0, 0.05, (N_SEEDS, N))
    return IndicatorValues(np.arange(N), drawn_SN[:, :, None])


def judge(*measured: Measured, method: str | None = None) -> Generalization:
    found = judge_generalization(GROUP, method, measured, LIMITS)
    assert found is not None
    return found


def test_what_is_worse_in_the_group_is_found_whichever_way_is_worse() -> None:
    rng = np.random.default_rng(0)
    found = judge(
        Measured(indicator("sensitivity"), values(rng, 0.3), None, INSIDE),
        Measured(indicator("robustness", "higher"), values(rng, -0.3), None, INSIDE),
        Measured(indicator("error", "lower"), values(rng, -0.3), None, INSIDE),
        Measured(indicator("same"), values(rng), None, INSIDE),
    )
    assert [c.status for c in found.contrasts] == ["worse", "worse", "better", "not shown"]
    assert all(c.difference.low <= c.difference.value <= c.difference.high for c in found.contrasts)
    assert found.finding == (
        "“birds on land” is worse beyond accuracy, too: by sensitivity and robustness; by error it is better."
    )


def test_a_fix_is_told_by_what_it_mends_leaves_and_harms() -> None:
    rng = np.random.default_rng(0)
    mended, left, same = values(rng, 0.3), values(rng, 0.3), values(rng)
    found = judge(
        Measured(
            indicator("sensitivity"), mended, mended._replace(values_SRC=mended.values_SRC - 0.3), INSIDE
        ),
        Measured(indicator("calibration"), left, left, INSIDE),
        Measured(
            indicator("norm"), same := values(rng), same._replace(values_SRC=same.values_SRC + 0.2), INSIDE
        ),
        method="jtt",
    )
    assert [c.change_status for c in found.contrasts] == ["better", "not shown", "worse"]
    assert found.fix_finding == (
        "JTT mends sensitivity there, is not shown to mend calibration and makes norm worse in "
        "“birds on land”."
    )


def test_with_too_few_images_on_a_side_nothing_is_asked() -> None:
    few = np.arange(N) < 9
    measured = Measured(indicator("sensitivity"), values(np.random.default_rng(0)), None, few)
    assert judge_generalization(GROUP, None, [measured], LIMITS) is None


def test_only_images_that_have_a_number_count() -> None:
    """Of wrong answers nothing survives: 60 images of the group may be three right answers."""
    right = values(np.random.default_rng(0), 5.0)
    right.values_SRC[:, 3:60] = np.nan
    measured = Measured(indicator("survival", "higher"), right, None, INSIDE)
    assert judge_generalization(GROUP, None, [measured], LIMITS) is None
    rng = np.random.default_rng(1)
    pairs = judge(Measured(indicator("survival"), values(rng), right, INSIDE), method="jtt").contrasts
    assert pairs[0].change is None, "three images under both"


def test_intervals_of_shares_end_where_shares_differ_most() -> None:
    rng = np.random.default_rng(0)
    few = IndicatorValues(np.arange(24), (rng.random((2, 24, 1)) < 0.5).astype(float))
    share = indicator("survival", "higher").model_copy(update={"unit": "share", "most": 1.0})
    found = judge(*[Measured(share, few, few, np.arange(24) < 11)] * 9, method="jtt").contrasts[0]
    assert found.difference.low >= -1
    assert found.difference.high <= 1
    assert found.change is not None


def test_what_has_no_better_end_is_no_contrast() -> None:
    measured = Measured(indicator("gap", "neither"), values(np.random.default_rng(0), 1.0), None, INSIDE)
    assert judge_generalization(GROUP, None, [measured], LIMITS) is None


@pytest.mark.slow
def test_groups_that_are_alike_are_seldom_told_apart() -> None:
    """Of eight indicators at once with two contrasts each: at most one false word in twenty reports."""
    rng, n_told = np.random.default_rng(1), 0
    for _ in range(100):
        measured = [Measured(indicator(str(i)), values(rng), values(rng), INSIDE) for i in range(8)]
        contrasts = judge(*measured, method="jtt").contrasts
        n_told += any({c.status, c.change_status} != {"not shown"} for c in contrasts)
    assert n_told <= 9, "of 100 where about 5 are allowed (9: the 97 % point)"
