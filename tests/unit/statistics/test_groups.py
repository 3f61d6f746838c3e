"""Group metrics on a hand-worked split, and the traps: empty, small and equally good groups."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.records.evaluation import SplitMetrics
from pipeline.statistics.accuracy.groups import split_metrics
from pipeline.statistics.accuracy.worst_group import expected_minimum
from pipeline.statistics.intervals import sidak_confidence, wilson

NAMES = ["land/land", "land/water", "water/land", "water/water"]


def build(hits: list[int], sizes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    correct = np.concatenate([np.arange(n) < h for h, n in zip(hits, sizes, strict=True)])
    return correct[None], groups


def metrics(hits: list[int], sizes: list[int], **changes: object) -> SplitMetrics:
    correct, groups = build(hits, sizes)
    options: dict[str, object] = {
        "group_names": NAMES[: len(sizes)],
        "n_train": [70, 10, 5, 15][: len(sizes)],
        "seeds": [0],
        "min_images": 10,
    }
    return split_metrics(correct, groups, **{**options, **changes})  # type: ignore[arg-type]


def test_hand_worked_split() -> None:
    result = metrics([90, 40, 15, 45], [100, 80, 30, 50])
    assert result.average.value == pytest.approx(190 / 260)
    assert result.adjusted_average.value == pytest.approx(0.9 * 0.7 + 0.5 * 0.1 + 0.5 * 0.05 + 0.9 * 0.15)
    assert result.group_mean.value == pytest.approx((0.9 + 0.5 + 0.5 + 0.9) / 4)
    assert result.worst_group.name == "land/water"  # the first of equals
    assert (result.worst_group.low, result.worst_group.high) == pytest.approx(
        wilson(40, 80, sidak_confidence(4))
    )
    assert [g.n for g in result.groups] == [100, 80, 30, 50]
    assert result.groups[2].low == pytest.approx(wilson(15, 30).low)
    assert result.per_seed[0].worst_group == 0.5
    assert result.per_seed[0].groups == pytest.approx([0.9, 0.5, 0.5, 0.9])


def test_delta_method_by_hand() -> None:
    result = metrics([90, 40, 15, 45], [100, 80, 30, 50])
    shares = np.array([0.7, 0.1, 0.05, 0.15])
    variance = (shares**2 * np.array([0.09 / 100, 0.25 / 80, 0.25 / 30, 0.09 / 50])).sum()
    p = result.adjusted_average.value
    n_effective = p * (1 - p) / variance
    assert n_effective < 260
    expected = wilson(p * n_effective, n_effective)
    assert (result.adjusted_average.low, result.adjusted_average.high) == pytest.approx(expected)


def test_a_single_group_makes_all_averages_equal() -> None:
    result = metrics([27], [40])
    for estimate in (result.average, result.adjusted_average, result.group_mean, result.worst_group):
        assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.675, *wilson(27, 40)))
    assert result.expected_worst_if_equal is None


def test_empty_groups_are_left_out() -> None:
    result = metrics([90, 0, 15, 45], [100, 0, 30, 50])
    assert result.worst_group.name == "water/land"
    assert result.adjusted_average.value == pytest.approx((0.9 * 70 + 0.5 * 5 + 0.9 * 15) / 90)
    assert result.group_mean.value == pytest.approx((0.9 + 0.5 + 0.9) / 3)
    empty = result.groups[1]
    assert (empty.n, empty.low, empty.high, empty.sufficient) == (0, 0.0, 1.0, False)


def test_small_groups_are_not_named_worst_while_others_suffice() -> None:
    result = metrics([90, 40, 1, 45], [100, 80, 5, 50])
    assert result.worst_group.name == "land/water"
    assert result.worst_group.sufficient
    assert not result.groups[2].sufficient


def test_when_no_group_suffices_the_worst_is_named_and_marked() -> None:
    result = metrics([90, 40, 1, 45], [100, 80, 5, 50], min_images=1000)
    assert result.worst_group.name == "land/water"  # 40 of 80 says more than 1 of 5
    assert not result.worst_group.sufficient


def test_three_images_are_not_named_worst_and_the_best_of_the_rest_is_not_either() -> None:
    result = metrics([90, 0, 28, 45], [100, 1, 30, 50], min_images=1000)
    assert result.worst_group.name == "land/land"  # not “land/water” with its one image
    best_of_the_rest = metrics([95, 2, 3, 4], [100, 20, 30, 40], min_images=50)
    assert best_of_the_rest.average.value < 0.95
    assert best_of_the_rest.worst_group.name == "water/water"
    assert not best_of_the_rest.worst_group.sufficient
    assert best_of_the_rest.worst_group.value < best_of_the_rest.average.value


def test_without_training_images_the_adjusted_average_is_the_plain_one() -> None:
    result = metrics([90, 40], [100, 80], n_train=[0, 0])
    assert result.adjusted_average.value == pytest.approx(130 / 180)


def test_perfect_groups_do_not_make_the_average_certain() -> None:
    result = metrics([20, 20, 20, 10], [20, 20, 20, 20])
    assert result.group_mean.high < 1
    assert result.group_mean.low <= wilson(70, 80).low + 1e-12


def test_each_seed_has_its_own_worst_group() -> None:
    first, groups = build([9, 5], [10, 10])
    second, _ = build([4, 8], [10, 10])
    result = split_metrics(
        np.concatenate([first, second]),
        groups,
        group_names=["a", "b"],
        n_train=[1, 1],
        seeds=[3, 7],
        min_images=1,
    )
    assert [(s.seed, s.worst_group_index, s.worst_group) for s in result.per_seed] == [
        (3, 1, 0.5),
        (7, 0, 0.4),
    ]
    assert result.worst_group.name == "a"  # on average 0.65 each: the first of equals
    assert result.worst_group.value == pytest.approx(0.65)


def test_gap_correction_and_shrunk_groups_of_the_hand_worked_split() -> None:
    result = metrics([90, 40, 15, 45], [100, 80, 30, 50])
    corrected, gap = result.worst_group_corrected, result.gap
    assert corrected is not None
    assert gap is not None
    assert 0.5 < corrected.value < 0.56  # two groups share the last place: chance made one of them last
    assert corrected.low < 0.5 < corrected.high
    assert gap.value == pytest.approx(190 / 260 - corrected.value)
    assert gap.low < gap.value < gap.high
    assert [g.name for g in result.shrunk] == NAMES
    for shrunk, group in zip(result.shrunk, result.groups, strict=True):
        assert abs(shrunk.value - 0.7) < abs(group.value - 0.7)
        assert shrunk.sufficient == group.sufficient


@pytest.mark.parametrize(
    ("accuracy_S", "is_measured"),
    [((0.95, 0.05, 0.95), False), ((0.95, 0.95, 0.0), False), ((0.85, 0.95, 0.9), True), ((0.9,), True)],
)
def test_the_corrected_worst_group_never_lies_above_the_average(
    accuracy_S: tuple[float, ...], is_measured: bool
) -> None:
    groups = np.repeat([0, 1, 2, 3], 100)
    correct = np.random.default_rng(0).random((len(accuracy_S), 400)) < np.array(accuracy_S)[:, None]
    found = split_metrics(
        correct,
        groups,
        group_names=list("abcd"),
        n_train=[1] * 4,
        seeds=range(len(accuracy_S)),
        min_images=50,
    )
    assert (found.gap is not None) is (found.worst_group_corrected is not None) is is_measured
    assert found.gap is None or found.gap.value >= 0


def test_a_single_group_has_no_gap_and_is_not_shrunk() -> None:
    result = metrics([27], [40])
    assert result.worst_group_corrected is None
    assert result.gap is None
    assert result.shrunk == result.groups


def test_expected_minimum_known_answers() -> None:
    assert expected_minimum(0.7, [166] * 60) == pytest.approx(0.616, abs=0.001)
    assert expected_minimum(0.7, [166]) == pytest.approx(0.7, abs=1e-3)
    rng = np.random.default_rng(0)
    sizes = np.array([20, 50, 400])
    simulated = (rng.binomial(sizes, 0.8, (40_000, 3)) / sizes).min(axis=1).mean()
    assert expected_minimum(0.8, sizes.astype(float)) == pytest.approx(simulated, abs=0.002)


def test_expected_worst_counts_agreeing_seeds_once() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(4), 50)
    one = rng.random((1, 200)) < 0.7
    options = {"group_names": NAMES, "n_train": [1] * 4, "min_images": 1}
    single = split_metrics(one, groups, seeds=[0], **options).expected_worst_if_equal
    copies = split_metrics(one.repeat(3, 0), groups, seeds=[0, 1, 2], **options).expected_worst_if_equal
    independent = split_metrics(
        rng.random((3, 200)) < 0.7, groups, seeds=[0, 1, 2], **options
    ).expected_worst_if_equal
    assert single is not None
    assert copies == pytest.approx(single)
    assert independent is not None
    assert independent > single


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": [0, 1]}, "seeds"),
        ({"n_train": [1]}, "group names"),
        ({"group_names": ["a"]}, "group names"),
    ],
)
def test_sizes_that_disagree_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        metrics([9, 8], [10, 10], **changes)


def test_group_outside_the_names_is_refused() -> None:
    with pytest.raises(InputError, match="outside"):
        split_metrics(
            np.ones((1, 2), bool), np.array([0, 5]), group_names=["a"], n_train=[1], 
            seeds=[0], min_images=1,
        )  # fmt: skip
