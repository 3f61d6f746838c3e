"""Rankings of training images by how likely their label is wrong, and the list of suspects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from pipeline.attribution.self_influence import self_influence
from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float64Array, Split
from pipeline.metrics.label_errors import (
    attribution_suspicion,
    aum_suspicion,
    average_precision,
    find_label_errors,
    rate_ranking,
    suggest_classes,
    suspects,
)
from tests.train_fixtures import GROUP_NAMES, make_split


def planted(n: int = 600, n_wrong: int = 18, shift: float = 6.0) -> tuple[Split, Float64Array]:
    """Images, and suspicion that is higher by `shift` where the label is wrong."""
    rng = np.random.default_rng(0)
    wrong = np.zeros(n, bool)
    wrong[rng.choice(n, n_wrong, replace=False)] = True
    return replace(make_split(n), label_flipped=wrong), rng.normal(-3, 1, n) + shift * wrong


def find(split: Split, suspicion: dict[str, Float64Array], **changes: object):
    return find_label_errors(
        suspicion, split, suggested_N=1 - split.labels, group_names=GROUP_NAMES, **changes
    )


def test_average_precision_is_scikit_learns_with_ties() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        known = rng.random(60) < 0.2
        known[0] = True
        scores = rng.integers(0, 12, 60).astype(float)
        expected = average_precision_score(known, scores)
        assert average_precision(scores, known) == pytest.approx(expected, abs=1e-12)


def test_resampled_average_precision_is_scikit_learns_with_weights() -> None:
    split, suspicion = planted(n=80, n_wrong=8, shift=2.0)
    known = known_of(split)
    rng, draws = np.random.default_rng(3), []
    for counts in rng.multinomial(80, np.full(80, 1 / 80), size=1000):
        if counts[known].any():
            draws.append(average_precision_score(known, suspicion, sample_weight=counts))
    rated = rate_ranking("aum", suspicion, known, seed=3)
    assert [rated.low, rated.high] == pytest.approx(np.quantile(draws, [0.025, 0.975]))


def known_of(split: Split) -> BoolArray:
    assert split.label_flipped is not None
    return split.label_flipped


def test_images_that_cannot_be_ranked_come_last() -> None:
    known = np.array([True, False, True])
    assert average_precision(np.array([2.0, 1.0, np.nan]), known) == pytest.approx((1 + 2 / 3) / 2)
    assert suspects(np.array([2.0, np.nan] + [-1.0] * 18)).tolist() == [0]


def test_planted_wrong_labels_are_found_listed_and_crossed_with_their_group() -> None:
    split, suspicion = planted()
    found = find(split, {"aum": suspicion, "noise": np.random.default_rng(2).normal(size=600)})
    rated = {ranking.name: ranking for ranking in found.rankings}
    assert (rated["aum"].average_precision or 0) > 0.95
    assert (rated["noise"].average_precision or 1) < 0.15
    assert found.ranking == "aum"
    assert found.n_known_wrong == 18
    assert abs(found.n_suspects - 18) <= 2
    assert [s.score for s in found.suspects] == sorted((s.score for s in found.suspects), reverse=True)
    assert all(s.suggested == 1 - s.label for s in found.suspects)
    assert sum(bool(s.known_wrong) for s in found.suspects) >= 17
    assert sum(group.n_suspects for group in found.groups) == found.n_suspects
    assert sum(group.n_known_wrong or 0 for group in found.groups) == 18
    assert found.unlearned_groups == []


def test_without_wrong_labels_few_are_suspects_and_nothing_is_rated() -> None:
    split, suspicion = planted(n_wrong=0)
    found = find(split, {"aum": suspicion})
    assert found.n_suspects <= 0.005 * len(split)
    assert found.n_known_wrong == 0
    assert found.rankings[0].average_precision is None
    unknown = find(replace(split, label_flipped=None), {"aum": suspicion})
    assert unknown.n_known_wrong is None
    assert all(group.n_known_wrong is None for group in unknown.groups)


def test_a_random_ranking_finds_what_chance_would_and_its_interval_says_so() -> None:
    split, _ = planted(n=2000, n_wrong=60)
    noise = np.random.default_rng(5).normal(size=2000)
    rated = rate_ranking("noise", noise, known_of(split))
    assert rated.low is not None
    assert rated.high is not None
    assert rated.low < 60 / 2000 < rated.high < 0.1
    assert (rated.precision_at_known or 0) < 0.15


def test_a_group_that_the_model_has_not_learned_is_said_to_be_one() -> None:
    split, suspicion = planted()
    minority = split.groups == 1
    found = find(split, {"aum": np.where(minority, 1.0, suspicion)})
    assert found.unlearned_groups == ["left/blue"]
    share = next(group for group in found.groups if group.group == "left/blue").share
    assert share.value == 1.0
    assert share.low < 1.0


def test_suspects_are_a_tenth_at_most() -> None:
    assert suspects(np.arange(1.0, 101.0)).tolist() == list(range(99, 89, -1))


def test_listing_fewer_changes_no_count() -> None:
    split, suspicion = planted()
    whole, part = find(split, {"aum": suspicion}), find(split, {"aum": suspicion}, n_listed=3)
    assert part.suspects == whole.suspects[:3]
    assert part.n_suspects == whole.n_suspects


def test_margins_are_averaged_over_the_seeds_that_drew_an_image() -> None:
    aum = np.array([[1.0, np.nan, np.nan], [3.0, -2.0, np.nan]])
    np.testing.assert_array_equal(aum_suspicion(aum), [-2.0, 2.0, np.nan])


def test_the_suggested_class_is_the_best_other_one() -> None:
    probabilities = np.array([[[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], [[0.7, 0.1, 0.2], [0.1, 0.5, 0.4]]])
    assert suggest_classes(probabilities, np.array([0, 1])).tolist() == [1, 2]
    assert probabilities.min() > 0, "the argument is left as it is"


def test_harm_counts_groups_alike_and_what_is_learned_by_heart_less() -> None:
    scores = np.array([[-3.0, 1.0, np.nan], [-3.0, 1.0, np.nan], [2.0, 2.0, np.nan]])
    found = attribution_suspicion(scores, np.array([0.0, 0.5, 0.0]))
    assert found.tolist() == [1.0, 0.5, -2.0]


def test_without_margins_the_next_ranking_chooses_and_the_reason_is_kept() -> None:
    split, suspicion = planted()
    nothing = np.full(len(split), np.nan)
    found = find(split, {"aum": nothing, "attribution": suspicion}, reason="labels were mixed")
    assert found.ranking == "attribution"
    assert [ranking.name for ranking in found.rankings] == ["attribution"]
    assert found.reason == "labels were mixed"
    with pytest.raises(InputError, match="got none"):
        find(split, {"aum": nothing})


def test_rankings_of_other_images_are_refused() -> None:
    split, suspicion = planted()
    with pytest.raises(InputError, match="rankings of 600 images each, got aum: 599"):
        find(split, {"aum": suspicion[1:]})
    with pytest.raises(InputError, match="got none"):
        find(split, {})


def test_self_influence_is_the_change_of_its_own_loss_gradient_in_ridge_regression() -> None:
    """The closed form: (1 - p)^2 phi^T (Phi^T Phi + lambda I)^-1 phi, here with explicit matrices."""
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.normal(size=(50, 6)))
    p = rng.random(50)
    inverse = np.linalg.inv(features.numpy().T @ features.numpy() + 0.5 * np.eye(6))
    expected = [(1 - p[i]) ** 2 * f @ inverse @ f for i, f in enumerate(features.numpy())]
    solved = features @ torch.from_numpy(inverse)
    found = self_influence(features.split(7), solved.split(7), p)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    half = self_influence(features.half().split(20), solved.half().split(20), p)
    np.testing.assert_allclose(half, expected, rtol=0.02)


def test_self_influence_of_blocks_that_do_not_match_is_refused() -> None:
    block = torch.ones(3, 2)
    with pytest.raises(InputError, match=r"\(3, 2\) before and \(3, 1\) after"):
        self_influence([block], [block[:, :1]], np.zeros(3))
    with pytest.raises(InputError, match=r"features of 3 images.*probabilities of 4"):
        self_influence([block], [block], np.zeros(4))
