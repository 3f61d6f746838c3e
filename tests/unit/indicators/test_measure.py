"""Indicators become numbers with intervals, over all images and by group."""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Float64Array, Split
from pipeline.indicators.indicator import (
    ByImage,
    ByModel,
    Curve,
    ImageIndicator,
    ModelIndicator,
    UnmeasuredError,
    Words,
)
from pipeline.indicators.measure import measure
from pipeline.indicators.subject import Subject
from pipeline.settings.indicators import IndicatorsSettings

SETTINGS = IndicatorsSettings(
    images_per_group=20, max_train=None, max_models=2, attack_radius=0.03, attack_steps=3, attack_restarts=1,
    severities=[1], sharpness_images=100, sharpness_radius=0.05, permutations=99, seed=0,
)  # fmt: skip
WORDS = Words("a number", "What it says.", "number", "lower", "Nobody 2000")


def subject() -> Subject:
    """120 images in three groups of 80, 30 and 10, and no network."""
    groups_N = np.repeat([0, 1, 2], [80, 30, 10])
    split = Split(
        "test", np.zeros((120, 8, 8, 3), np.uint8), groups_N % 2, np.arange(120) + 500,
        np.full(120, "a.png"), attributes=groups_N, groups=groups_N,
    )  # fmt: skip
    return Subject(
        train=split, val=split, test=split, seeds=[0, 1], models=[], predicted_SN=np.zeros((2, 120), int),
        confidence_SN=None, settings=SETTINGS, n_classes=2,
    )  # fmt: skip


def group_numbers(of: Subject) -> ByImage:
    rows_R = of.sample
    drawn = np.random.default_rng(0).normal(0, 0.1, (2, len(rows_R)))
    return ByImage((of.test.groups[rows_R] + drawn)[:, :, None], notes=("told",))


def test_an_indicator_of_images_has_a_number_for_each_group_and_keeps_what_it_is_made_of() -> None:
    one = ImageIndicator("one", WORDS, group_numbers, "sample", least=-9.0, most=9.0)
    of = subject()
    (found,), values = measure(of, [one], ["a", "b", "c"], min_test=15)
    assert [g.name for g in found.groups] == ["a", "b", "c"]
    assert [g.n for g in found.groups] == [20, 20, 10]
    assert [g.sufficient for g in found.groups] == [True, True, False]
    assert all(abs(g.value - g.index) < 0.1 and g.low < g.index < g.high for g in found.groups)
    assert found.overall is not None
    assert found.overall.n == 50
    assert found.notes == ["told"]
    assert found.n_models == 2
    assert values["one"].ids_R.tolist() == of.test.ids[of.sample].tolist()
    assert values["one"].values_SRC.shape == (2, 50, 1)


def test_an_indicator_of_networks_has_an_interval_for_new_networks() -> None:
    parts = {"first": [1.0, 2.0, 3.0], "alone": [7.0]}
    norm = ModelIndicator("norm", WORDS, lambda _: ByModel(parts, {"first": "First"}, {"first": 1.5}))
    (found,), values = measure(subject(), [norm], ["a", "b", "c"], min_test=15)
    first, alone = found.parts
    assert (first.title, first.threshold, first.estimate.n) == ("First", 1.5, 3)
    # Student's t with two degrees of freedom: 4.3027 / sqrt(3)
    assert np.allclose([first.estimate.low, first.estimate.high], [2 - 2.4841, 2 + 2.4841], atol=1e-3)
    assert (alone.estimate.low, alone.estimate.high, alone.estimate.n) == (7.0, 7.0, 1)
    assert not values


def test_what_cannot_be_measured_says_why_and_stops_nothing() -> None:
    def refuse(_: Subject) -> ByImage:
        raise UnmeasuredError("there is no network")

    one = ImageIndicator("one", WORDS, refuse, "all")
    other = ImageIndicator("other", WORDS, group_numbers, "sample")
    found, values = measure(subject(), [one, other], ["a", "b", "c"], min_test=15)
    assert [f.why_not for f in found] == ["there is no network", ""]
    assert list(values) == ["other"]


def test_a_curve_is_of_all_images_and_of_groups_with_enough_of_them() -> None:
    def draw(values_SnC: Float64Array) -> Curve:
        n = values_SnC.shape[1]
        third_B = np.array([1 / 3])
        return Curve(third_B, third_B, third_B, third_B, np.array([n], np.int64))

    def some(of: Subject) -> ByImage:
        values_SRC = group_numbers(of).values_SRC
        values_SRC[:, :4] = np.nan  # of the first group
        return ByImage(values_SRC)

    one = ImageIndicator("one", WORDS, some, "sample", least=-9.0, most=9.0, curve=draw)
    (found,), _ = measure(subject(), [one], ["a", "b", "c"], min_test=15)
    assert [(c.name, c.index, c.n) for c in found.curves] == [
        ("all", None, [46]),
        ("a", 0, [16]),
        ("b", 1, [20]),
    ]
    assert found.curves[0].x == [0.3333]
    plain = ImageIndicator("one", WORDS, some, "sample", least=-9.0, most=9.0)
    assert measure(subject(), [plain], ["a", "b", "c"], min_test=15)[0][0].curves == []
