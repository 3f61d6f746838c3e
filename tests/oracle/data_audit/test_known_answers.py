"""Planted cues of known strength are recovered; noise is not flagged."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipeline.core.types import Int64Array, UInt8Array
from pipeline.data_audit.color.classifier import Data, cross_fitted, fitted_on_train
from pipeline.data_audit.color.findings import Features, find_color_differences
from pipeline.data_audit.color.inputs import view_colors
from pipeline.data_audit.color.wording import Target
from pipeline.pixels.color_features import color_features
from pipeline.records.color import ColorFinding, Predictability
from tests.fixtures.audit import gray_noise, make_split, noisy, planted, settings, view, wheel


def color_only(images: UInt8Array, labels: Int64Array, n_classes: int, seed: int = 0) -> Predictability:
    return cross_fitted(Data(view(images, labels).inputs_ND, labels), "label", n_classes, settings(seed))


def findings(
    images: UInt8Array, labels: Int64Array, n_classes: int, test: Features | None = None, seed: int = 0
) -> list[ColorFinding]:
    values, names = color_features(images)
    train = Features(values, labels)
    target = Target("label", [f"class {k}" for k in range(n_classes)])
    return find_color_differences(train, test or train, names, target, settings(seed))


@pytest.mark.parametrize("strength", [0.0, 0.1, 0.3, 0.6, 0.9])
def test_planted_strength_is_recovered_as_kappa(strength: float) -> None:
    images, labels, truth = planted(6000, 10, strength, seed=1)
    result = color_only(images, labels, 10)
    assert result.kappa == pytest.approx(truth, abs=0.03)
    assert truth == pytest.approx(strength, abs=0.02)
    assert (result.p_value < 0.01) == (strength > 0)
    # mutual information of a channel that keeps the symbol with probability p, else any other
    p = strength + (1 - strength) / 10
    bits = np.log2(10) + p * np.log2(p) + (1 - p) * np.log2((1 - p) / 9)
    # The classifier is shrunk, so what it can use lies a little below the mutual information.
    assert bits - 0.15 < result.v_information_bits < bits + 0.05
    assert result.low <= result.kappa <= result.high


def test_p_values_are_uniform_without_a_cue() -> None:
    """100 repeats through features, classifier and permutations, cross-fitted and read on test."""
    cross, on_test = [], []
    for seed in range(100):
        images, labels, _ = planted(160, 3, 0.0, seed=seed)
        train, test = (
            make_split("train", images[:100], labels[:100]),
            make_split("test", images[100:], labels[100:]),
        )
        train_view, test_view, _ = view_colors(train, test)
        chosen = settings(seed, permutations=99, folds=2)
        fit, read = Data(train_view.inputs_ND, train.labels), Data(test_view.inputs_ND, test.labels)
        cross.append(cross_fitted(fit, "label", 3, chosen).p_value)
        on_test.append(fitted_on_train(fit, read, "label", 3, chosen)[0].p_value)
    for p_values in (np.array(cross), np.array(on_test)):
        # p is one of 1/100 ... 100/100: spread evenly below it, such values are uniform on 0..1
        spread = p_values - np.random.default_rng(0).random(100) / 100
        assert stats.kstest(spread, "uniform").pvalue > 0.01
        assert np.mean(p_values <= 0.05) <= 0.08


@pytest.mark.parametrize(("n_classes", "per_class"), [(10, 60), (100, 20)])
def test_one_darkened_class_is_found(n_classes: int, per_class: int) -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(n_classes), per_class)
    images = gray_noise(labels, rng)
    dark = labels == 7
    images[dark] = (images[dark] * 0.6).astype(np.uint8)
    found = findings(images, labels, n_classes)
    lightness = [f for f in found if f.feature == "lightness_mean"]
    assert lightness
    assert {f.class_name for f in found} == {"class 7"}
    assert "class 'class 7' is darker than the rest" in lightness[0].sentence
    assert lightness[0].auroc_low > 0.5
    assert lightness[0].confirmed
    assert lightness[0].test is not None
    assert lightness[0].test.low > 0.5
    assert lightness[0].holds_on_test is True


def test_noise_with_unbalanced_classes_is_not_flagged() -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        labels = (rng.random(1000) < 0.05).astype(np.int64)
        images = gray_noise(labels, rng)
        assert findings(images, labels, 2, seed=seed) == []
        result = color_only(images, labels, 2, seed)
        assert result.low < 0 < result.high
        assert result.p_value > 0.01


@pytest.mark.parametrize("n_classes", [2, 10, 50])
def test_noise_yields_no_findings(n_classes: int) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        labels = rng.permutation(np.arange(600) % n_classes)
        assert findings(gray_noise(labels, rng), labels, n_classes, seed=seed) == []


def test_red_against_blue_is_found_and_perfect() -> None:
    labels = np.arange(200) % 2
    images = np.zeros((200, 12, 12, 3), np.uint8)
    images[labels == 0, ..., 0] = 200
    images[labels == 1, ..., 2] = 200
    found = findings(images, labels, 2)
    assert found[0].auroc == 1
    assert found[0].omega_squared == pytest.approx(1, abs=1e-3)
    hue = next(f for f in found if f.feature == "a_mean")
    assert "class 'class 1' is greener than 'class 0'" in hue.sentence
    result = color_only(images, labels, 2)
    assert result.kappa == 1
    assert 0.9 < result.low < 1  # 200 images do not prove perfection
    assert result.v_information_bits > 0.5


def test_a_cue_that_is_balanced_away_on_test_is_confirmed_inside_train() -> None:
    images, labels, _ = planted(1500, 2, 0.8, seed=0)
    test_images, test_labels, _ = planted(1500, 2, 0.0, seed=1)
    found = findings(images, labels, 2, Features(color_features(test_images)[0], test_labels))
    assert found
    assert all("It does not hold on the test split" in f.sentence for f in found)
    assert all(f.holds_on_test is False for f in found)
    train_view, test_view, _ = view_colors(
        make_split("train", images, labels), make_split("test", test_images, test_labels)
    )
    read, _ = fitted_on_train(
        Data(train_view.inputs_ND, labels), Data(test_view.inputs_ND, test_labels), "label", 2, settings()
    )
    assert read.low < 0 < read.high
    assert color_only(images, labels, 2).low > 0.7


def test_gray_images_and_one_image_per_class_say_nothing() -> None:
    labels = np.arange(60) % 3
    images = np.full((60, 12, 12, 3), 120, np.uint8)
    assert findings(images, labels, 3) == []
    result = color_only(images, labels, 3)
    assert result.kappa == pytest.approx(0, abs=1e-9)
    assert result.p_value > 0.5
    assert result.v_information_bits == pytest.approx(0, abs=1e-6)
    single = np.arange(12)
    assert findings(noisy(wheel(12), np.random.default_rng(0)), single, 12) == []
    assert color_only(noisy(wheel(12), np.random.default_rng(0)), single, 12).kappa < 0.01
