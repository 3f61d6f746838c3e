"""The whole color audit on small planted splits: fields, edge cases, determinism."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.audit.color import analyze_color
from pipeline.audit.color_findings import (
    MAX_FINDINGS,
    WORDINGS,
    Features,
    auroc_of_omega_squared,
    find_color_differences,
)
from pipeline.audit.folds import stratified_folds
from pipeline.audit.palettes import class_palettes
from pipeline.core.errors import InputError
from pipeline.core.results import AttributeInfo, ColorResult, Provenance
from pipeline.metrics.color_features import FEATURES, FeatureName
from tests.audit_fixtures import make_info, make_split, noisy, planted, settings, wheel


def places(origin: str) -> list[AttributeInfo]:
    return [AttributeInfo(name="place", values=["land", "water"], origin=origin)]  # type: ignore[arg-type]


def tinted_by_attribute(n: int, agreement: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    attributes = np.where(rng.random(n) < agreement, labels, 1 - labels)
    return noisy(wheel(2)[attributes], rng), labels, attributes


@pytest.fixture(scope="module")
def result() -> ColorResult:
    train = make_split("train", *tinted_by_attribute(400, 0.9, seed=0))
    test = make_split("test", *tinted_by_attribute(300, 0.5, seed=1))
    return analyze_color(train, test, make_info(2, places("annotated")), settings(), Provenance())


def test_the_cue_is_in_train_and_not_in_test(result: ColorResult) -> None:
    assert result.color_only.kappa == pytest.approx(0.8, abs=0.1)
    assert result.color_only.p_value == pytest.approx(1 / 200)
    assert result.color_only_test.low < 0 < result.color_only_test.high
    assert result.color_only_test.n == 300
    assert result.color_to_attribute is not None
    assert result.color_to_attribute.target == "place"
    assert result.color_to_attribute.kappa > 0.95
    train, test = result.associations
    assert (train.split, test.split) == ("train", "test")
    assert train.cramers_v == pytest.approx(0.8, abs=0.08)
    assert train.p_value < 1e-6
    assert test.cramers_v < 0.15
    assert sum(map(sum, train.table)) == train.n == 400


def test_findings_are_few_readable_and_sorted(result: ColorResult) -> None:
    assert 0 < len(result.findings) <= MAX_FINDINGS
    strengths = [f.auroc for f in result.findings]
    assert strengths == sorted(strengths, reverse=True)
    for finding in result.findings:
        assert finding.confirmed
        assert finding.sentence.endswith(".")
        assert 0.5 < finding.auroc_low <= finding.auroc <= finding.auroc_high


def test_the_result_depends_on_the_seed_alone() -> None:
    images, labels, _ = planted(300, 3, 0.7, seed=0)
    train, test = make_split("train", images, labels), make_split("test", images[:50], labels[:50])
    first, second = (
        analyze_color(train, test, make_info(3), settings(), Provenance()).model_dump(exclude={"seconds"})
        for _ in range(2)
    )
    assert first == second


def test_derived_attributes_are_not_predicted_from_the_color_they_came_from() -> None:
    train = make_split("train", *tinted_by_attribute(120, 0.9, seed=0))
    derived = analyze_color(train, train, make_info(2, places("derived")), settings(), Provenance())
    assert derived.color_to_attribute is None
    assert len(derived.associations) == 2
    without = analyze_color(train, train, make_info(2), settings(), Provenance())
    assert without.color_to_attribute is None
    assert without.associations == []


def test_rare_missing_classes_and_empty_test_do_not_stop_the_audit() -> None:
    images, labels, _ = planted(120, 3, 0.7, seed=0)
    labels = labels.copy()
    labels[labels == 2] = 1
    labels[0] = 3  # one image of class 3, none of class 2
    train = make_split("train", images, labels)
    empty = make_split("test", images[:0], labels[:0])
    result = analyze_color(train, empty, make_info(4), settings(), Provenance())
    assert (result.color_only_test.n, result.color_only_test.p_value) == (0, 1.0)
    assert result.color_only.n_classes == 3
    assert result.palettes[2].colors == []


def test_one_class_is_refused_with_a_remedy() -> None:
    images, _, _ = planted(20, 2, 0.5, seed=0)
    split = make_split("train", images, np.zeros(20, np.int64))
    with pytest.raises(InputError, match="needs at least 2"):
        analyze_color(split, split, make_info(2), settings(), Provenance())


def test_what_differs_in_the_held_out_half_alone_is_not_found() -> None:
    names = [FeatureName("whole", "lightness_mean")]
    for seed in range(6):
        labels = np.arange(2000) % 2
        values = np.random.default_rng([1, seed]).normal(size=(2000, 1)).astype(np.float32)
        held_out = stratified_folds(labels, 2, seed) == 1
        values[held_out & (labels == 1)] += 2
        features = Features(values, labels)
        assert find_color_differences(features, features, names, ["a", "b"], settings(seed)) == []


def test_one_image_per_class_yields_no_finding() -> None:
    features = Features(np.array([[0.0], [1.0], [0.1], [1.1]], np.float32), np.array([0, 1, 0, 1]))
    names = [FeatureName("whole", "lightness_mean")]
    assert find_color_differences(features, features, names, ["a", "b"], settings()) == []


def test_palettes_show_the_planted_colors() -> None:
    images = np.zeros((8, 12, 12, 3), np.uint8)
    images[:4, :9] = (200, 30, 30)
    images[:4, 9:] = (20, 20, 220)
    images[4:] = (255, 255, 255)
    split = make_split("train", images, np.repeat([0, 1], 4))
    first, second = class_palettes(split, ["red", "white"], seed=0)
    assert first.colors == ["#c81e1e", "#1414dc"]
    assert first.shares == pytest.approx([0.75, 0.25], abs=0.03)
    assert (second.colors, second.shares) == (["#ffffff"], [1.0])


def test_every_feature_has_words() -> None:
    assert set(WORDINGS) == set(FEATURES)


def test_auroc_that_omega_squared_means() -> None:
    assert auroc_of_omega_squared(0) == 0.5
    rng = np.random.default_rng(0)
    distance = 2 * np.sqrt(0.06 / 0.94)
    simulated = (rng.normal(distance, 1, 100_000) > rng.normal(0, 1, 100_000)).mean()
    assert auroc_of_omega_squared(0.06) == pytest.approx(simulated, abs=0.005)


def test_folds_are_stratified_even_for_tiny_classes() -> None:
    labels = np.repeat([0, 1, 2], [50, 7, 1])
    folds = stratified_folds(labels, 5, seed=3)
    counts = np.histogram2d(labels, folds, bins=(3, 5))[0]
    assert counts.max(axis=1).tolist() == [10, 2, 1]
    assert counts.min(axis=1).tolist() == [10, 1, 0]
    np.testing.assert_array_equal(folds, stratified_folds(labels, 5, seed=3))
