"""What color says given an attribute, what only several colors together say, and what the background says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import stats

from pipeline.core.types import Int64Array, UInt8Array
from pipeline.data_audit.color.audit import analyze_color
from pipeline.data_audit.color.classifier import Data, boosted, cross_fitted
from pipeline.data_audit.color.given import label_given_cross_fitted, label_given_on_test
from pipeline.records.base import Provenance
from pipeline.records.color import ColorResult
from pipeline.records.data import AttributeInfo
from tests.fixtures.audit import SIDE, make_info, make_split, noisy, settings, view, wheel


def tied(rng: np.random.Generator, to: Int64Array, agreement: float) -> Int64Array:
    """Binary codes that equal `to` in a share `agreement` of the images."""
    return np.where(rng.random(len(to)) < agreement, to, 1 - to)


def red_or_green(labels: Int64Array, rng: np.random.Generator) -> UInt8Array:
    return noisy(wheel(2)[labels], rng)


def test_a_cue_that_works_only_through_the_attribute_is_gone_within_it() -> None:
    rng = np.random.default_rng(0)
    attributes = rng.integers(0, 2, 3000)
    labels = tied(rng, attributes, 0.85)
    data = Data(view(red_or_green(attributes, rng), labels).inputs_ND, labels)
    assert cross_fitted(data, "label", 2, settings()).kappa == pytest.approx(0.7, abs=0.05)
    within = label_given_cross_fitted(data, attributes, "place", 2, settings())
    assert within is not None
    assert (within.target, within.given) == ("label", "place")
    assert within.kappa == pytest.approx(0, abs=0.06)
    assert within.low < 0 < within.high
    assert within.p_value > 0.01
    on_test = label_given_on_test(
        (data.take(slice(0, 2000)), attributes[:2000]),
        (data.take(slice(2000, None)), attributes[2000:]),
        "place",
        2,
        settings(),
    )
    assert on_test is not None
    assert (on_test.n, on_test.n_fitted) == (1000, 2000)
    assert on_test.kappa == pytest.approx(0, abs=0.12)
    assert on_test.p_value > 0.01


def test_a_cue_that_adds_to_the_attribute_is_found_within_it() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 3000)
    attributes = tied(rng, labels, 0.8)
    tint = tied(rng, labels, 0.8)  # independent of the attribute, given the label
    data = Data(view(red_or_green(tint, rng), labels).inputs_ND, labels)
    within = label_given_cross_fitted(data, attributes, "place", 2, settings())
    assert within is not None
    assert within.kappa == pytest.approx(0.6, abs=0.05)
    assert within.low > 0.5
    assert within.p_value == pytest.approx(1 / 200)
    assert within.v_information_bits > 0.15


def test_p_values_within_an_attribute_are_uniform_without_a_cue() -> None:
    p_values: list[list[float]] = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        attributes = rng.integers(0, 2, 240)
        labels = tied(rng, attributes, 0.7)
        data = Data(rng.normal(attributes[:, None], 1, (240, 4)).astype(np.float32), labels)
        chosen = settings(seed, permutations=99, folds=2)
        train, test = ((data.take(rows), attributes[rows]) for rows in (slice(0, 140), slice(140, None)))
        found = (
            label_given_cross_fitted(*train, "place", 2, chosen),
            label_given_on_test(train, test, "place", 2, chosen),
        )
        p_values.append([record.p_value for record in found if record is not None])
    for column in np.array(p_values).T:
        spread = column - np.random.default_rng(0).random(len(column)) / 100
        assert stats.kstest(spread, "uniform").pvalue > 0.01
        assert np.mean(column <= 0.05) <= 0.09


def test_values_with_one_class_are_left_out() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 0, 1], [40, 40, 50, 3])
    attributes = np.repeat([0, 1], [80, 53])  # under value 1, three images are too few for a class
    data = Data(rng.normal(size=(133, 3)).astype(np.float32), labels)
    found = label_given_cross_fitted(data, attributes, "place", 2, settings())
    assert found is not None
    assert found.n == 80
    assert label_given_cross_fitted(data, labels, "place", 2, settings()) is None
    one_class = data.take(labels == 0)
    assert (
        label_given_on_test((data, attributes), (one_class, attributes[labels == 0]), "p", 2, settings())
        is None
    )


def framed(n: int, rng: np.random.Generator) -> tuple[UInt8Array, np.ndarray, np.ndarray]:
    """Frames of one random color around centers of another, and both colors in CIELAB, n x 3."""
    frames, centers = rng.uniform(-1, 1, (2, n, 3)) * (10, 20, 20) + (50, 0, 0)
    lab: np.ndarray = np.zeros((n, SIDE, SIDE, 3), np.float32)
    lab[:] = frames[:, None, None]
    lab[:, 2:-2, 2:-2] = centers[:, None, None]
    rgb = 255 * cv2.cvtColor(lab.reshape(-1, SIDE, 3), cv2.COLOR_Lab2RGB).reshape(lab.shape)
    return np.clip(rgb + rng.normal(0, 10, rgb.shape), 0, 255).astype(np.uint8), frames, centers


def test_what_two_colors_say_together_is_found_by_trees_only() -> None:
    """Class 1 has yellow frames around dark centers or blue frames around light ones."""
    rng = np.random.default_rng(0)
    images, frames, centers = framed(1600, rng)
    labels = ((frames[:, 2] > 0) ^ (centers[:, 0] > 50)).astype(np.int64)
    seen = view(images, labels)
    linear = cross_fitted(Data(seen.inputs_ND, labels), "label", 2, settings())
    assert linear.kappa < 0.15
    plain = Data(seen.plain_ND, labels)
    trees = boosted(plain.take(slice(0, 1200)), plain.take(slice(1200, None)), "label", 2, settings())
    assert trees is not None
    for found in trees:
        assert found.classifier == "boosted"
        assert found.low > 0.6
        assert found.p_value == pytest.approx(1 / 200)
    assert (trees.test.n, trees.test.n_fitted, trees.train.n) == (400, 900, 300)
    assert trees.test.fitted_on == "train, 900 of 1,200 images"


def test_trees_find_nothing_in_noise_and_can_be_switched_off() -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        labels = (rng.random(900) < (0.05 if seed else 0.5)).astype(np.int64)
        noise = Data(rng.normal(size=(900, 8)).astype(np.float32), labels)
        trees = boosted(noise.take(slice(0, 600)), noise.take(slice(600, None)), "label", 2, settings(seed))
        assert trees is not None
        for found in trees:
            assert found.low < 0 < found.high
            assert found.p_value > 0.01
    assert boosted(noise, noise, "label", 2, settings(boosted_max_train=0)) is None


def objects(
    background: UInt8Array, foreground: UInt8Array, half: Int64Array, rng: np.random.Generator
) -> tuple[UInt8Array, UInt8Array]:
    """Squares of side 2 * `half` in one color on another, and their masks."""
    n, side = len(half), 20
    reach = np.abs(np.arange(side) - (side - 1) / 2)
    inside = np.maximum(reach[:, None], reach)[None] < half[:, None, None]
    colors = np.where(inside[..., None], foreground[:, None, None], background[:, None, None])
    images = np.clip(colors + rng.normal(0, 20, (n, side, side, 3)), 0, 255).astype(np.uint8)
    return images, inside.astype(np.uint8) * 255


def audit_of(images: UInt8Array, masks: UInt8Array | None, labels: Int64Array) -> ColorResult:
    train = make_split("train", images, labels, masks=masks)
    return analyze_color(train, train, make_info(2), settings(boosted_max_train=0), Provenance()).result


def test_a_planted_background_color_is_found_in_the_background() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 600)
    others = wheel(2)[rng.integers(0, 2, 600)]
    images, masks = objects(wheel(2)[tied(rng, labels, 0.9)], others, np.full(600, 7), rng)
    found = audit_of(images, masks, labels)
    assert found.regions == ["whole", "ring", "center", "background", "foreground"]
    assert found.background_only is not None
    assert found.background_only.kappa == pytest.approx(0.8, abs=0.06)
    assert any(f.region == "background" and f.sentence.startswith("Background, ") for f in found.findings)
    assert not any(f.region == "foreground" for f in found.findings)
    without = audit_of(images, None, labels)
    assert without.background_only is None
    assert without.regions == ["whole", "ring", "center"]


def test_the_objects_own_color_and_size_are_not_blamed_on_the_background() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 600)
    backgrounds = wheel(2)[rng.integers(0, 2, 600)]
    images, masks = objects(backgrounds, wheel(2)[tied(rng, labels, 0.9)], np.where(labels == 1, 7, 4), rng)
    found = audit_of(images, masks, labels)
    assert found.background_only is not None
    assert found.background_only.low < 0 < found.background_only.high
    assert found.background_only.p_value > 0.01
    assert found.color_only.kappa > 0.7
    assert any(f.region == "foreground" for f in found.findings)
    assert not any(f.region == "background" for f in found.findings)


def test_of_two_attributes_only_the_colored_one_is_told_by_color() -> None:
    rng = np.random.default_rng(2)
    place, sex = rng.integers(0, 2, (2, 800))
    labels = tied(rng, place, 0.8)
    split = make_split("train", red_or_green(place, rng), labels, {"place": place, "sex": sex})
    attributes = [
        AttributeInfo(name="place", values=["land", "water"], origin="annotated"),
        AttributeInfo(name="sex", values=["female", "male"], origin="annotated"),
    ]
    result = analyze_color(
        split, split, make_info(2, attributes), settings(boosted_max_train=0), Provenance()
    ).result
    colored, plain = result.attributes
    assert (colored.attribute, plain.attribute) == ("place", "sex")
    assert colored.to_attribute is not None
    assert colored.to_attribute.kappa > 0.95
    assert {f.target for f in colored.findings} == {"place"}
    assert any("images with place 'water' are" in f.sentence for f in colored.findings)
    assert any("than images with 'land'" in f.sentence for f in colored.findings)
    assert plain.to_attribute is not None
    assert plain.to_attribute.low < 0 < plain.to_attribute.high
    assert plain.to_attribute.p_value > 0.01
    assert plain.findings == []
    # within a sex, color still tells the label; within a place, no more
    assert plain.label_given_attribute is not None
    assert plain.label_given_attribute.kappa == pytest.approx(0.6, abs=0.07)
    assert colored.label_given_attribute is not None
    assert colored.label_given_attribute.p_value > 0.01
    pairs = [(a.other, a.attribute, a.split) for a in result.associations]
    assert pairs[0] == ("label", "place", "train")
    assert pairs[-1] == ("place", "sex", "train")
    assert result.associations[0].cramers_v == pytest.approx(0.6, abs=0.07)
    assert result.associations[-1].cramers_v < 0.1
    assert result.associations[-1].table == np.histogram2d(place, sex, bins=2)[0].astype(int).tolist()
