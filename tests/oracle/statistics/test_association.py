"""Association measures against scikit-learn, SciPy, published numbers and loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, roc_auc_score

from pipeline.core.errors import InputError
from pipeline.statistics.accuracy.balanced import balanced_accuracy_estimate, kappa_from_balanced
from pipeline.statistics.cues.association import cramers_v
from pipeline.statistics.cues.separation import auroc_estimate, omega_squared, one_vs_rest_auroc
from pipeline.statistics.multiplicity import benjamini_hochberg


def test_cramers_v_by_hand() -> None:
    # chi2 = 200 * (80*80 - 20*20)^2 / 100^4 = 72; phi2 = .36 - 1/199; both sides 2 - 1/199 levels
    expected = np.sqrt((0.36 - 1 / 199) / (1 - 1 / 199))
    v, p = cramers_v(np.array([[80, 20], [20, 80]]))
    assert v == pytest.approx(expected)
    assert p == pytest.approx(stats.chi2.sf(72, 1))


def test_cramers_v_is_corrected_for_bias() -> None:
    rng = np.random.default_rng(0)
    draws = rng.integers(0, 6, (50, 2, 100)).astype(float)
    tables = [np.histogram2d(rows, columns, bins=6)[0] for rows, columns in draws]
    plain = np.mean([stats.contingency.association(t.astype(int) + 0, "cramer") for t in tables])
    ours = np.mean([cramers_v(t, n_permutations=99)[0] for t in tables])
    assert plain > 0.2
    assert ours < 0.08


def test_cramers_v_of_the_published_waterbirds_train_counts() -> None:
    v, p = cramers_v(np.array([[3498, 184], [56, 1057]]))
    plain = stats.contingency.association(np.array([[3498, 184], [56, 1057]]), "cramer")
    assert v == pytest.approx(plain, abs=0.001)
    assert p < 1e-100
    assert cramers_v(np.array([[2255, 2255], [642, 642]])) == (0.0, 1.0)


def test_small_tables_use_permutations() -> None:
    table = np.array([[6, 1], [1, 6]])
    assert cramers_v(table, n_permutations=4999).p_value == pytest.approx(
        stats.fisher_exact(table).pvalue, abs=0.01
    )


def test_perfect_and_degenerate_tables() -> None:
    assert cramers_v(np.diag([50, 50, 50])).cramers_v == pytest.approx(1)
    assert cramers_v(np.array([[5, 9], [0, 0]])) == (0.0, 1.0)
    assert cramers_v(np.array([[40, 10, 0], [10, 40, 0], [0, 0, 0]])) == cramers_v(
        np.array([[40, 10], [10, 40]])
    )


def test_kappa_equals_cohens_on_balanced_classes() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 40)
    # Cohen's kappa needs equal predicted margins too to agree: a permutation of the labels has them.
    predicted = labels.copy()
    moved = rng.choice(200, 80, replace=False)
    predicted[moved] = rng.permutation(labels[moved])
    ours = kappa_from_balanced(balanced_accuracy_score(labels, predicted), 5)
    assert ours == pytest.approx(cohen_kappa_score(labels, predicted))
    with pytest.raises(InputError):
        kappa_from_balanced(1.0, 1)


def test_balanced_accuracy_equals_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(4, 200, p=[0.6, 0.2, 0.15, 0.05])
    predicted = np.where(rng.random(200) < 0.5, labels, rng.integers(0, 4, 200))
    counts = np.bincount(labels)
    estimate = balanced_accuracy_estimate(np.bincount(labels, weights=labels == predicted), counts)
    assert estimate.value == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert estimate.n == 200
    one = balanced_accuracy_estimate(np.array([30.0]), np.array([40]))
    wilson = stats.binomtest(30, 40).proportion_ci(method="wilson")
    assert (one.low, one.high) == pytest.approx((wilson.low, wilson.high))
    with pytest.raises(InputError, match="each needs 1"):
        balanced_accuracy_estimate(np.array([1, 0]), np.array([2, 0]))


@pytest.mark.parametrize("recalls", [(0.5, 0.5), (0.95, 0.7), (0.9, 0.97), (0.3, 0.2, 0.4)])
def test_balanced_accuracy_interval_covers_even_for_a_rare_class(recalls: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    counts = np.array([190, 12, 12][: len(recalls)])
    inside = 0
    for _ in range(500):
        estimate = balanced_accuracy_estimate(rng.binomial(counts, recalls), counts)
        inside += bool(estimate.low <= np.mean(recalls) <= estimate.high)
    assert inside / 500 >= 0.93
    perfect = balanced_accuracy_estimate(counts, counts)
    assert perfect.high == 1
    assert perfect.low < 0.9  # twelve images of a class do not prove perfection


def test_benjamini_hochberg_by_hand() -> None:
    p = np.array([[0.01, 0.04], [0.03, 0.5]])
    np.testing.assert_allclose(benjamini_hochberg(p), [[0.04, 0.16 / 3], [0.16 / 3, 0.5]])


def test_omega_squared_against_the_anova_formula() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), [30, 50, 20, 60])
    values = rng.normal(size=(160, 3)) + np.outer(labels, [0.0, 0.4, 2.0])
    found = omega_squared(values, labels, 4, n_permutations=199, seed=0)
    for f in range(3):
        samples = [values[labels == k, f] for k in range(4)]
        statistic = stats.f_oneway(*samples).statistic
        expected = max(0.0, 3 * (statistic - 1) / (3 * (statistic - 1) + 160))
        assert found.omega_squared[f] == pytest.approx(expected, abs=1e-5)
    assert found.p_values[0] > 0.01
    assert found.p_values[1:].tolist() == [1 / 200, 1 / 200]


def test_permutation_p_against_f_test_and_null_is_uniform() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 5, 300)
    values = rng.normal(size=(300, 200))
    p = omega_squared(values, labels, 5, n_permutations=499, seed=0).p_values
    f_test = stats.f_oneway(*[values[labels == k] for k in range(5)]).pvalue
    assert np.abs(p - f_test).max() < 0.09
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_constant_features_and_missing_classes() -> None:
    labels = np.repeat([0, 3], 20)
    values = np.column_stack([np.full(40, 0.1), labels.astype(float)])
    found = omega_squared(values, labels, 5, n_permutations=99, seed=0)
    assert found.omega_squared[0] == 0
    assert found.p_values.tolist() == [1.0, 0.01]
    assert found.omega_squared[1] == pytest.approx(1)
    with pytest.raises(InputError):
        omega_squared(values, np.zeros(40, np.int64), 5, n_permutations=99, seed=0)


def test_auroc_and_p_values_against_scikit_learn_and_scipy() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 300)
    values = np.round(rng.normal(size=(300, 3)) + 0.3 * labels[:, None], 1)  # with ties
    found = one_vs_rest_auroc(values, labels, 6)
    for k in range(4):
        for f in range(3):
            inside = labels == k
            test = stats.mannwhitneyu(
                values[inside, f], values[~inside, f], use_continuity=False, method="asymptotic"
            )
            assert found.auroc[k, f] == pytest.approx(roc_auc_score(inside, values[:, f]))
            assert found.p_values[k, f] == pytest.approx(test.pvalue)
    assert np.isnan(found.auroc[4:]).all()
    assert (found.p_values[4:] == 1).all()


def test_auroc_variance_against_delongs_double_loop() -> None:
    rng = np.random.default_rng(0)
    positive = np.arange(60) < 25
    scores = rng.normal(size=60) + 0.8 * positive
    wins = (scores[positive][:, None] > scores[~positive]).astype(float)
    variance = wins.mean(axis=1).var(ddof=1) / 25 + wins.mean(axis=0).var(ddof=1) / 35
    estimate = auroc_estimate(scores, positive)
    assert estimate.value == pytest.approx(wins.mean())
    half = (estimate.high - estimate.low) / 2
    assert half == pytest.approx(1.96 * np.sqrt(variance), rel=0.12)


def test_auroc_interval_covers_and_stays_inside() -> None:
    rng = np.random.default_rng(0)
    truth = stats.norm.cdf(1.5 / np.sqrt(2))
    positive = np.arange(90) < 20
    inside = 0
    for _ in range(300):
        estimate = auroc_estimate(rng.normal(size=90) + 1.5 * positive, positive)
        inside += estimate.low <= truth <= estimate.high
    assert inside / 300 >= 0.92
    perfect = auroc_estimate(np.arange(90.0), np.arange(90) >= 70)
    assert perfect.high == 1
    assert 0.8 < perfect.low < 0.9
    with pytest.raises(InputError, match="both sides"):
        auroc_estimate(np.arange(3.0), np.ones(3, bool))
