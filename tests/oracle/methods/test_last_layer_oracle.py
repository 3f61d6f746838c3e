"""The retrained last layer against scikit-learn, and what may not be used to choose it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.core.errors import InputError
from pipeline.methods.dfr import METHOD, DfrSettings
from pipeline.methods.last_layer import (
    Features,
    average_head,
    fit_head,
    retrain_head,
    worst_group_accuracy,
)
from pipeline.train.groups import Groups
from pipeline.train.subsets import balanced_rows
from tests.fixtures.train import make_method

NAMES = ["a", "b", "c", "d"]


def settings(**changes: object) -> DfrSettings:
    method = make_method("dfr", **changes)
    assert isinstance(method, DfrSettings)
    return method


def make_features(n: int, *, n_classes: int = 2, strength: float = 0.9, seed: int = 0) -> Features:
    """Feature 0 knows the class faintly, feature 1 the attribute loudly, six are noise; uneven scales."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    attributes = np.where(rng.random(n) < strength, labels % 2, 1 - labels % 2)
    embeddings = rng.normal(size=(n, 8))
    embeddings[:, 0] += 3.0 * labels
    embeddings[:, 1] += 6.0 * attributes
    embeddings = embeddings * np.linspace(0.1, 30, 8) + np.arange(8)
    return Features(
        embeddings.astype(np.float32), labels.astype(np.int64), (2 * labels + attributes).astype(np.int64)
    )


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_one_fit_predicts_what_scikit_learn_predicts(penalty: str) -> None:
    """One subset, one strength: exactly a standardized logistic regression on the balanced rows."""
    val, fresh = make_features(600), make_features(2000, strength=0.5, seed=1)
    method = settings(penalty=penalty, n_fits=1, strengths=[0.3])
    head, record = retrain_head(None, val, settings=method, n_classes=2, seed=4)

    scaler = StandardScaler().fit(val.embeddings_ND)
    rows = balanced_rows(val.groups_N, seed=4, draw=0)
    twin = LogisticRegression(
        C=0.3,
        l1_ratio=float(penalty == "l1"),
        solver="liblinear" if penalty == "l1" else "lbfgs",
        max_iter=1000,
    ).fit(scaler.transform(val.embeddings_ND)[rows], val.labels_N[rows])
    twin_model = make_pipeline(scaler, twin)
    assert np.array_equal(head.predict(fresh.embeddings_ND), twin_model.predict(fresh.embeddings_ND))
    logits = fresh.embeddings_ND @ head.weight_KD.T + head.bias_K
    np.testing.assert_allclose(
        logits[:, 1] - logits[:, 0], twin_model.decision_function(fresh.embeddings_ND), rtol=1e-3, atol=1e-3
    )
    assert record.images_per_group == np.bincount(val.groups_N).min()


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_three_classes_equal_scikit_learn_too(penalty: str) -> None:
    features = make_features(300, n_classes=3, strength=0.5)
    scaled = replace(features, embeddings_ND=StandardScaler().fit_transform(features.embeddings_ND))
    head = fit_head(scaled, 0.5, penalty, n_classes=3)
    solver = {"l1": "saga", "l2": "lbfgs"}[penalty]
    twin = LogisticRegression(C=0.5, l1_ratio=float(penalty == "l1"), solver=solver, max_iter=5000, tol=1e-6)
    twin.fit(scaled.embeddings_ND, scaled.labels_N)
    agreement = (head.predict(scaled.embeddings_ND) == twin.predict(scaled.embeddings_ND)).mean()
    assert agreement > 0.99
    if penalty == "l2":
        np.testing.assert_allclose(head.weight_KD, twin.coef_, atol=1e-2)


def test_averaged_weights_are_the_mean_over_balanced_subsets() -> None:
    features, method = make_features(400), settings()
    heads = [
        fit_head(features.take(balanced_rows(features.groups_N, seed=2, draw=i)), 0.1, "l1", 2)
        for i in range(5)
    ]
    averaged = average_head(features, 0.1, method, 2, n_fits=5, seed=2)
    np.testing.assert_allclose(averaged.weight_KD, np.mean([head.weight_KD for head in heads], axis=0))
    np.testing.assert_allclose(averaged.bias_K, np.mean([head.bias_K for head in heads], axis=0))


def test_balancing_repairs_the_worst_group_and_does_no_harm_without_a_shortcut() -> None:
    for strength, least_gain in ((0.97, 0.05), (0.5, -0.02)):
        val = make_features(1200, strength=strength)
        test = make_features(4000, strength=0.5, seed=1)
        head, _ = retrain_head(None, val, settings=settings(), n_classes=2, seed=0)
        plain = make_pipeline(StandardScaler(), LogisticRegression()).fit(val.embeddings_ND, val.labels_N)
        right = plain.predict(test.embeddings_ND) == test.labels_N
        before = min(right[test.groups_N == g].mean() for g in range(4))
        assert worst_group_accuracy(head, test, least=1) >= before + least_gain


def test_the_strength_is_judged_on_images_that_its_fits_have_not_seen() -> None:
    """Labels that are pure noise: a judge that had been fitted on would report far more than chance."""
    rng = np.random.default_rng(0)
    n, d = 240, 300
    noise = Features(
        rng.normal(size=(n, d)).astype(np.float32), np.arange(n) % 2, (np.arange(n) % 4).astype(np.int64)
    )
    method = settings(strengths=[10.0, 1.0], n_fits=5, penalty="l2")
    head, record = retrain_head(None, noise, settings=method, n_classes=2, seed=0)
    assert worst_group_accuracy(head, noise, least=1) > 0.8, "the layer itself does fit the noise"
    assert max(record.tried.values()) < 0.65


def test_fit_on_train_uses_validation_for_the_strength_alone() -> None:
    train, val = make_features(800), make_features(300, seed=3)
    method = settings(fit_on="train", n_fits=3, strengths=[0.2])
    first, record = retrain_head(train, val, settings=method, n_classes=2, seed=0)
    other, _ = retrain_head(train, make_features(300, seed=9), settings=method, n_classes=2, seed=0)
    assert np.array_equal(first.weight_KD, other.weight_KD)
    assert record.images_per_group == np.bincount(train.groups_N).min()


def test_a_sparser_layer_wins_ties_and_l1_drops_noise() -> None:
    features = make_features(800, strength=0.5)
    features.embeddings_ND[:, 0] += 300 * features.labels_N  # every strength separates perfectly
    _, record = retrain_head(None, features, settings=settings(strengths=[1.0, 0.1]), n_classes=2, seed=0)
    assert record.tried == {"1": 1.0, "0.1": 1.0}
    assert record.strength == 0.1
    assert record.nonzero < 0.8


def test_a_class_that_some_subsets_lack_averages_over_the_others_and_an_absent_one_is_an_error() -> None:
    features = make_features(300, n_classes=3, strength=0.5)
    one_group = replace(features, groups_N=np.where(features.labels_N == 2, 0, features.groups_N))
    head = average_head(one_group, 0.1, settings(), 3, n_fits=3, seed=0)
    assert np.isfinite(head.weight_KD).all()
    with pytest.raises(InputError, match="no balanced subset holds class 3"):
        average_head(features, 0.1, settings(), 4, n_fits=2, seed=0)


def check_enough_images(n_train_G: list[int], n_val_G: list[int], method: DfrSettings) -> None:
    train_N, val_V = (np.repeat(np.arange(4), counts) for counts in (n_train_G, n_val_G))
    METHOD.check(method, Groups(train_N, val_V, NAMES), batch_size=1)


def test_groups_that_are_too_small_or_cannot_be_judged_are_named() -> None:
    method = settings(min_images=10)
    check_enough_images([1, 0, 0, 30], [10, 20, 0, 30], method)
    with pytest.raises(InputError, match=r"b has 9 in val, fewer than methods\.dfr\.min_images \(10\)"):
        check_enough_images([1, 1, 0, 30], [10, 9, 0, 30], method)
    with pytest.raises(InputError, match=r"c has 0 in val"):
        check_enough_images([10, 10, 10, 10], [10, 10, 0, 10], method)
    with pytest.raises(InputError, match=r"b has 0 in train"):
        check_enough_images([10, 0, 0, 30], [10, 9, 0, 30], settings(fit_on="train"))
    for n_val, remedy in ((9, "set methods.dfr: { min_images: 9 }."), (4, "{ min_images: 4 }."), (3, "")):
        with pytest.raises(InputError) as caught:  # less than 4 is not allowed
            check_enough_images([9, 9, 9, 9], [20, n_val, 20, 20], method)
        assert remedy in str(caught.value)
        assert ("min_images:" in str(caught.value)) == bool(remedy)
    with pytest.raises(InputError, match=r"or raise data\.val_fraction\.$"):  # group a could not be judged
        check_enough_images([9, 9, 9, 9], [0, 9, 9, 9], settings(min_images=10, fit_on="train"))
    with pytest.raises(InputError, match=r"validation images; there are none in: a, d\."):
        check_enough_images([10, 10, 0, 30], [0, 9, 0, 0], settings(fit_on="train"))


def test_a_single_class_is_refused() -> None:
    features = make_features(40)
    with pytest.raises(InputError, match="at least 2 classes"):
        fit_head(features.take(np.flatnonzero(features.labels_N == 0)), 1.0, "l1", 2)
