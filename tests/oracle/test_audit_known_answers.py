"""Planted cues of known strength are recovered; noise is not flagged."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipeline.audit.color_findings import Features, find_color_differences
from pipeline.audit.color_only import ColorInputs, cross_fitted, fitted_on_train
from pipeline.core.results import ColorFinding, Predictability
from pipeline.core.types import Int64Array, UInt8Array
from pipeline.metrics.color_features import color_features, lab_histogram
from tests.audit_fixtures import gray_noise, planted, settings


def color_only(images: UInt8Array, labels: Int64Array, n_classes: int, seed: int = 0) -> Predictability:
    values, _ = color_features(images)
    histogram = lab_histogram(images)
    inputs = ColorInputs.fit(values, histogram).transform(values, histogram)
    return cross_fitted(inputs, labels, target="label", n_classes=n_classes, settings=settings(seed))


def findings(
    images: UInt8Array, labels: Int64Array, n_classes: int, test: Features | None = None, seed: int = 0
) -> list[ColorFinding]:
    values, names = color_features(images)
    train = Features(values, labels)
    classes = [f"class {k}" for k in range(n_classes)]
    return find_color_differences(train, test or train, names, classes, settings(seed))


@pytest.mark.parametrize("strength", [0.0, 0.1, 0.6, 0.9])
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
    p_values = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        inputs = rng.normal(size=(200, 6)).astype(np.float32)
        labels = rng.integers(0, 4, 200)
        result = cross_fitted(inputs, labels, target="label", n_classes=4, settings=settings(seed, 99))
        p_values.append(result.p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert np.mean(np.array(p_values) < 0.05) <= 0.15


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
    assert not any(f.feature.endswith("_sd") or f.feature == "edge_density" for f in found)
    result = color_only(images, labels, 2)
    assert result.kappa == 1
    assert 0.9 < result.low < 1  # 200 images do not prove perfection
    assert result.v_information_bits > 0.5


def test_a_cue_that_is_balanced_away_on_test_is_confirmed_inside_train() -> None:
    images, labels, _ = planted(1500, 2, 0.8, seed=0)
    test_images, test_labels, _ = planted(1500, 2, 0.0, seed=1)
    test = Features(color_features(test_images)[0], test_labels)
    found = findings(images, labels, 2, test)
    assert found
    assert all("It does not hold on the test split" in f.sentence for f in found)
    values, histogram = color_features(images)[0], lab_histogram(images)
    inputs = ColorInputs.fit(values, histogram)
    read = fitted_on_train(
        inputs.transform(values, histogram),
        labels,
        inputs.transform(test.values, lab_histogram(test_images)),
        test_labels,
        target="label",
        n_classes=2,
        settings=settings(),
    )
    assert read.low < 0 < read.high
    assert color_only(images, labels, 2).low > 0.7
