"""The whole color audit on small planted splits: fields, edge cases, determinism."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from pipeline.core.errors import InputError
from pipeline.core.types import Int64Array, Split, UInt8Array
from pipeline.data_audit.by_group import tell_color_by_group
from pipeline.data_audit.color.audit import analyze_color
from pipeline.data_audit.color.classifier import BOOSTING_ITERATIONS, MAX_TREES, boosted_model
from pipeline.data_audit.color.examples import class_examples
from pipeline.data_audit.color.findings import (
    MAX_FINDINGS,
    Features,
    auroc_of_omega_squared,
    find_color_differences,
)
from pipeline.data_audit.color.folds import stratified_folds, stratified_subset
from pipeline.data_audit.color.palettes import class_palettes
from pipeline.data_audit.color.wording import (
    REGION_WORDS,
    WORDINGS,
    Direction,
    Evidence,
    Target,
    finding_sentence,
)
from pipeline.pixels.color_features import COLOR_FEATURES, MASK_REGIONS, REGIONS, FeatureName
from pipeline.pixels.detail_features import DETAIL_FEATURES
from pipeline.records.base import Estimate, Provenance
from pipeline.records.color import ColorResult
from pipeline.records.data import AttributeInfo, DatasetInfo, GroupsInfo
from tests.fixtures.audit import make_info, make_split, noisy, planted, settings, wheel

LIGHTNESS = [FeatureName("whole", "lightness_mean")]


def places(origin: str) -> list[AttributeInfo]:
    return [AttributeInfo.model_validate({"name": "place", "values": ["land", "water"], "origin": origin})]


def tinted_by_attribute(
    n: int, agreement: float, seed: int
) -> tuple[UInt8Array, Int64Array, dict[str, Int64Array]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    attributes = np.where(rng.random(n) < agreement, labels, 1 - labels)
    return noisy(wheel(2)[attributes], rng), labels, {"place": attributes}


@pytest.fixture(scope="module")
def result() -> ColorResult:
    train = make_split("train", *tinted_by_attribute(400, 0.9, seed=0))
    test = make_split("test", *tinted_by_attribute(300, 0.5, seed=2))
    return analyze_color(train, test, make_info(2, places("annotated")), settings(), Provenance()).result


def test_the_cue_is_in_train_and_not_in_test(result: ColorResult) -> None:
    assert result.color_only.kappa == pytest.approx(0.8, abs=0.1)
    assert result.color_only.p_value == pytest.approx(1 / 200)
    assert (result.color_only.n_fitted, result.color_only.classifier) == (300, "linear")
    assert result.color_only_test.low < 0 < result.color_only_test.high
    assert (result.color_only_test.n, result.color_only_test.n_fitted) == (300, 400)
    assert result.color_only_boosted is not None
    assert result.color_only_boosted.low < 0 < result.color_only_boosted.high
    assert result.color_only_boosted_train is not None
    assert result.color_only_boosted_train.low > 0.5
    (place,) = result.attributes
    assert place.to_attribute is not None
    assert place.to_attribute.target == "place"
    assert place.to_attribute.kappa > 0.95
    assert place.to_attribute_test is not None
    assert place.to_attribute_test.kappa > 0.95
    train, test = result.associations
    assert (train.split, test.split) == ("train", "test")
    assert train.cramers_v == pytest.approx(0.8, abs=0.08)
    assert train.p_value < 1e-6
    assert test.cramers_v < 0.15
    assert sum(map(sum, train.table)) == train.n == 400


def test_findings_are_few_readable_and_sorted(result: ColorResult) -> None:
    for findings, target in ((result.findings, "label"), (result.attributes[0].findings, "place")):
        assert 0 < len(findings) <= MAX_FINDINGS
        strengths = [f.auroc for f in findings]
        assert strengths == sorted(strengths, reverse=True)
        for finding in findings:
            assert finding.target == target
            assert finding.confirmed
            assert finding.sentence.endswith(".")
            assert 0.5 < finding.auroc_low <= finding.auroc <= finding.auroc_high
            assert finding.test is not None
            assert finding.holds_on_test is (target == "place")  # labels and places part ways on test


def test_the_result_depends_on_the_seed_alone() -> None:
    images, labels, _ = planted(300, 3, 0.7, seed=0)
    train, test = make_split("train", images, labels), make_split("test", images[:50], labels[:50])
    first, second = (analyze_color(train, test, make_info(3), settings(), Provenance()) for _ in range(2))
    assert first.result.model_dump(exclude={"seconds"}) == second.result.model_dump(exclude={"seconds"})
    np.testing.assert_array_equal(first.test_predictions.p_true, second.test_predictions.p_true)


def test_predictions_of_test_images_are_those_that_were_scored() -> None:
    images, labels, _ = planted(500, 3, 0.8, seed=0)
    train, test = (
        make_split("train", images[:400], labels[:400]),
        make_split("test", images[400:], labels[400:]),
    )
    chosen = settings(boosted_max_train=0)
    result, predictions = analyze_color(train, test, make_info(3), chosen, Provenance())
    assert result.color_only_boosted is None
    hits = [(predictions.predicted == test.labels)[test.labels == k].mean() for k in range(3)]
    assert np.mean(hits) == pytest.approx(result.color_only_test.balanced_accuracy)
    assert ((predictions.p_true >= 0) & (predictions.p_true <= 1)).all()
    assert predictions.p_true[predictions.predicted == test.labels].min() > 1 / 3


@pytest.fixture(scope="module")
def unannotated() -> tuple[Split, ColorResult]:
    """Four classes of two superclasses, tints that go with the classes, and no attribute."""
    images, labels, _ = planted(160, 4, 0.9, seed=0)
    train = make_split("train", images, labels, {"place": labels % 2})
    known = {"superclasses": ["even", "odd"], "class_to_superclass": [0, 1, 0, 1]}
    info = make_info(4).model_copy(update=known)
    return train, analyze_color(train, train, info, settings(boosted_max_train=0), Provenance()).result


def test_superclasses_are_told_where_groups_are_made_of_them(unannotated: tuple[Split, ColorResult]) -> None:
    _, result = unannotated
    (place,) = places("none")
    told = {
        labels[0]: [row.label for row in tell_color_by_group(result, info).labels]
        for labels in (["all"], result_labels(result), ["even", "odd"])
        for info in (grouped_info(place, labels),)
    }
    assert told == {"all": result_labels(result), "class 0": result_labels(result), "even": ["even", "odd"]}


def result_labels(result: ColorResult) -> list[str]:
    return [row.label for row in result.labels]


def grouped_info(attribute: AttributeInfo, labels: list[str]) -> DatasetInfo:
    packed = make_info(4).model_copy(update={"superclasses": ["even", "odd"]})
    made = GroupsInfo(
        provenance=Provenance(),
        attributes=[attribute],
        groups=[],
        group_labels=labels,
        class_to_group_label=[],
    )
    return DatasetInfo.of(packed, made)


def test_an_attribute_with_one_value_says_nothing() -> None:
    images, labels, _ = planted(90, 2, 0.9, seed=0)
    split = make_split("train", images, labels, {"place": np.zeros(90, np.int64)})
    info = make_info(2, places("annotated"))
    chosen = settings(boosted_max_train=0)
    (place,) = analyze_color(split, split, info, chosen, Provenance()).result.attributes
    assert place.to_attribute is None
    assert place.label_given_attribute is None
    assert place.findings == []


def test_rare_missing_classes_and_empty_test_do_not_stop_the_audit() -> None:
    images, labels, _ = planted(120, 3, 0.7, seed=0)
    labels = labels.copy()
    labels[labels == 2] = 1
    labels[0] = 3  # one image of class 3, none of class 2
    place = {"place": np.arange(120) % 2}
    train = make_split("train", images, labels, place, masks=np.zeros(images.shape[:3], np.uint8))
    empty = make_split("test", images[:0], labels[:0], {"place": labels[:0]}, masks=train.masks[:0])  # type: ignore[index]
    info = make_info(4, places("annotated"))
    result, predictions = analyze_color(train, empty, info, settings(), Provenance())
    assert (result.color_only_test.n, result.color_only_test.p_value) == (0, 1.0)
    assert result.color_only.n_classes == 3
    assert result.color_only_boosted is not None
    assert result.color_only_boosted.n == 0
    assert result.palettes[2].colors == []
    assert result.examples[2].typical == []
    assert result.examples[3].typical == []  # a single image is neither
    assert result.attributes[0].label_given_attribute_test is None
    assert all(f.test is None and f.holds_on_test is None for f in result.findings)
    assert len(predictions.predicted) == 0
    # empty masks: everything is background, and there is no foreground to compare
    assert result.regions == [*REGIONS, *MASK_REGIONS]


def test_one_class_is_refused_with_a_remedy() -> None:
    images, _, _ = planted(20, 2, 0.5, seed=0)
    split = make_split("train", images, np.zeros(20, np.int64))
    with pytest.raises(InputError, match="needs at least 2"):
        analyze_color(split, split, make_info(2), settings(), Provenance())


def test_what_differs_in_the_held_out_half_alone_is_not_found() -> None:
    for seed in range(6):
        labels = np.arange(2000) % 2
        values = np.random.default_rng([1, seed]).normal(size=(2000, 1)).astype(np.float32)
        held_out = stratified_folds(labels, 2, seed) == 1
        values[held_out & (labels == 1)] += 2
        features = Features(values, labels)
        target = Target("label", ["a", "b"])
        assert find_color_differences(features, features, LIGHTNESS, target, settings(seed)) == []


def test_one_image_per_class_yields_no_finding() -> None:
    features = Features(np.array([[0.0], [1.0], [0.1], [1.1]], np.float32), np.array([0, 1, 0, 1]))
    target = Target("label", ["a", "b"])
    assert find_color_differences(features, features, LIGHTNESS, target, settings()) == []


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target("label", ["a", "b"]), "class 'b' is darker than 'a' ("),
        (Target("label", ["a", "b", "c"]), "class 'b' is darker than the rest ("),
        (Target("place", ["a", "b"]), "images with place 'b' are darker than images with 'a' ("),
        (Target("place", ["a", "b", "c"]), "images with place 'b' are darker than the rest ("),
    ],
)
def test_findings_read_well(target: Target, expected: str) -> None:
    estimate = Estimate(value=0.9, low=0.85, high=0.94, n=50)
    evidence = Evidence(0.2, 0.0004, estimate, Estimate(value=0.52, low=0.4, high=0.6, n=50))
    sentence = finding_sentence(FeatureName("ring", "lightness_mean"), target, Direction(1, False), evidence)
    assert sentence == (
        f"Border ring, lightness: {expected}AUROC 0.90 [0.85, 0.94], ω² 0.20, q < 0.001). "
        "It does not hold on the test split (AUROC 0.52 [0.40, 0.60])."
    )


def test_examples_are_the_best_and_worst_told_and_never_both() -> None:
    images, labels, _ = planted(9, 2, 0.5, seed=0)
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1])
    p_true = np.array([0.5, 0.9, 0.1, 0.7, 0.7, 0.3, 0.2, 0.8, 0.5])
    split = make_split("train", images, labels)
    split.ids[:] += 100
    many, few = class_examples(split, p_true, ["many", "few"], 2)
    assert (many.class_name, many.typical, many.atypical) == ("many", [101, 103], [102, 105])
    assert (few.typical, few.atypical) == ([107], [106])
    assert class_examples(split, p_true, ["many", "few"], 0) == []


def test_trees_stay_bounded_for_many_classes() -> None:
    for n_classes in (2, 10, 100, 1000):
        n_trees = boosted_model(n_classes)[-1].max_iter * n_classes
        assert n_trees <= max(MAX_TREES, BOOSTING_ITERATIONS[0] * n_classes)


def test_bins_are_those_that_scikit_learn_finds_without_weights() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(900, 6)).astype(np.float32)
    inputs[:, 3] = inputs[:, 3].round(1)  # few values: each its own bin
    inputs[:, 4] = inputs[:, 4] > 0
    inputs[rng.random(900) < 0.1, 5] = np.nan
    targets = ((inputs[:, 0] + inputs[:, 3] + rng.normal(size=900)) > 0).astype(np.int64)
    model = boosted_model(2)
    trees = model[-1].set_params(class_weight=None)
    binned = model.fit(inputs, targets).predict_proba(inputs)
    raw = clone(trees).fit(inputs, targets).predict_proba(inputs)
    np.testing.assert_array_equal(binned, raw)


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


def test_every_feature_and_region_has_words() -> None:
    assert set(WORDINGS) == {*COLOR_FEATURES, *DETAIL_FEATURES}
    assert set(REGION_WORDS) == {*REGIONS, *MASK_REGIONS}


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


@pytest.mark.parametrize("size", [0, 1, 20, 58, 100])
def test_subsets_are_stratified_and_of_the_size_asked_for(size: int) -> None:
    labels = np.repeat([0, 1, 2], [40, 12, 6])
    chosen = stratified_subset(labels, size, seed=3)
    assert chosen.sum() == min(size, 58)
    shares = np.bincount(labels[chosen], minlength=3) - np.array([40, 12, 6]) * min(size, 58) / 58
    assert np.abs(shares).max() <= 1
    assert not stratified_subset(labels[:0], size, seed=3).any()
