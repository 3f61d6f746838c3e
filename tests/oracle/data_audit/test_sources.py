"""Color is blind to detail, and frames of one scene are not independent images."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_digits

from pipeline.core.types import UInt8Array
from pipeline.data_audit.color.audit import analyze_color
from pipeline.data_audit.color.classifier import Data, cross_fitted
from pipeline.data_audit.color.folds import stratified_folds, stratified_subset
from pipeline.records.base import Provenance
from pipeline.records.color import Predictability
from pipeline.statistics.cues.association import cramers_v_by_source
from pipeline.statistics.cues.separation import auroc_estimate
from pipeline.statistics.sources import SourcePermutations, design_effect, merge_sources, source_means
from tests.fixtures.audit import make_info, make_split, settings, view


def is_yes(found: Predictability) -> bool:
    return found.kappa >= 0.05 and found.low > 0 and found.p_value < 0.05


# --- detail is not color --------------------------------------------------------------------


def textured(n: int, seed: int) -> UInt8Array:
    """Smooth random fields with fine texture, 32 pixels: blurring takes the texture away."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 216, (n, 4, 4, 3)).astype(np.uint8)
    smooth = np.stack([cv2.resize(c, (32, 32), interpolation=cv2.INTER_CUBIC) for c in coarse])
    return np.clip(smooth + rng.normal(0, 20, smooth.shape), 0, 255).astype(np.uint8)


def jpeg(image: UInt8Array) -> UInt8Array:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)


CHANGES = {
    "blur": lambda image: cv2.GaussianBlur(image, (0, 0), 1.5),
    "upscaled": lambda image: cv2.resize(cv2.resize(image, (16, 16), interpolation=3), (32, 32)),
    "jpeg": jpeg,
    "noise": lambda image: np.clip(
        image + np.random.default_rng(int(image.sum())).normal(0, 15, image.shape), 0, 255
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_class_that_differs_in_detail_alone_is_not_told_by_color(change) -> None:
    images, labels = textured(600, seed=3), np.arange(600) % 2
    for i in np.flatnonzero(labels):
        images[i] = change(images[i])
    train = make_split("train", images, labels)
    found = analyze_color(train, train, make_info(2), settings(boosted_max_train=0), Provenance()).result
    assert not is_yes(found.color_only)
    assert found.findings == []
    assert found.detail_only is not None
    assert found.detail_only.low > 0.3
    assert {f.feature for f in found.detail_findings} <= {
        "lightness_sd", "a_sd", "b_sd", "colorfulness", "edge_density",
    }  # fmt: skip
    tinted = textured(600, seed=3)
    tinted[labels == 1, ..., 0] += 25
    assert is_yes(cross_fitted(Data(view(tinted, labels).inputs_ND, labels), "label", 2, settings()))


def test_coloured_digits_are_not_told_apart_by_their_ink() -> None:
    """Digits below 5 or not, 25 % of the labels wrong, in red or green: at random, or with the label."""
    digits, rng = load_digits(), np.random.default_rng(0)
    rows = rng.permutation(len(digits.target))
    labels = (digits.target[rows] >= 5) ^ (rng.random(len(rows)) < 0.25)
    for agreement, is_cue in ((0.5, False), (0.9, True)):
        green = np.where(rng.random(len(rows)) < agreement, labels, ~labels).astype(int)
        images = np.zeros((len(rows), 28, 28, 3), np.uint8)
        for i, row in enumerate(rows):
            images[i, ..., green[i]] = cv2.resize(digits.images[row] / 16 * 255, (28, 28))
        codes = labels.astype(np.int64)
        found = cross_fitted(Data(view(images, codes).inputs_ND, codes), "label", 2, settings())
        assert is_yes(found) is is_cue
    assert found.kappa == pytest.approx(0.8, abs=0.03)


# --- sources --------------------------------------------------------------------------------


def scenes(seed: int, *, n_scenes: int, kind: str, cue: float = 0.0) -> Data:
    """Inputs of 20 frames a scene; scenes have colors of their own, which `cue` times the label moves."""
    rng = np.random.default_rng(seed)
    sources = np.repeat(np.arange(n_scenes), 20)
    share = {"one label": rng.permutation(np.arange(n_scenes) % 2), "uneven": rng.beta(1, 1, n_scenes)}
    share["mixed"] = np.full(n_scenes, 0.5)
    labels = (rng.random(len(sources)) < share[kind][sources]).astype(np.int64)
    color = rng.normal(size=(n_scenes, 4))[sources] + rng.normal(0, 0.3, (len(sources), 4))
    color[:, 0] += cue * labels
    return Data(color.astype(np.float32), labels, sources)


@pytest.mark.parametrize("kind", ["one label", "uneven", "mixed"])
def test_scene_colors_that_know_nothing_of_the_label_are_no_cue(kind: str) -> None:
    n, blind, aware = 16, 0, 0
    for seed in range(n):
        data = scenes(seed, n_scenes=24, kind=kind)
        chosen = settings(seed, permutations=99)
        aware += is_yes(cross_fitted(data, "label", 2, chosen))
        if kind == "one label":
            blind += is_yes(cross_fitted(data._replace(sources_N=None), "label", 2, chosen))
    assert aware <= 2  # more than 2 of 16 has a probability of 4 %
    if kind == "one label":
        assert blind > n / 2
    planted = [
        is_yes(cross_fitted(scenes(seed, n_scenes=60, kind=kind, cue=4.0), "label", 2, settings(seed)))
        for seed in range(2)
    ]
    assert all(planted)


def test_one_scene_is_no_evidence() -> None:
    data = scenes(0, n_scenes=1, kind="mixed", cue=4.0)
    assert not is_yes(cross_fitted(data, "label", 2, settings()))


def test_folds_and_subsets_take_whole_sources_in_proportion() -> None:
    rng = np.random.default_rng(0)
    sources = np.repeat(np.arange(80), rng.integers(1, 30, 80))
    labels = rng.integers(0, 3, 80)[sources]
    folds = stratified_folds(labels, 4, 1, sources)
    assert all(len(np.unique(folds[sources == s])) == 1 for s in range(80))
    for label in range(3):
        counts = np.bincount(folds[labels == label], minlength=4)
        np.testing.assert_allclose(counts / counts.sum(), 0.25, atol=0.05)
    chosen = stratified_subset(labels, len(labels) // 2, 1, sources)
    assert chosen.mean() == pytest.approx(0.5, abs=0.03)
    assert not set(sources[chosen]) & set(sources[~chosen])


def test_permutations_move_whole_sources_within_blocks() -> None:
    sources, blocks = np.repeat(np.arange(12), 5), np.repeat([0, 1], 30)
    labels = np.repeat([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], 5)
    shuffle = SourcePermutations(labels, sources, blocks)
    rng, seen = np.random.default_rng(0), set()
    for _ in range(50):
        drawn = shuffle.draw(rng)
        assert all(len(set(drawn[sources == s])) == 1 for s in range(12))
        np.testing.assert_array_equal(np.sort(drawn[:30]), np.sort(labels[:30]))
        seen.add(tuple(drawn))
    assert len(seen) > 30
    alone = SourcePermutations(np.arange(40), np.arange(40))
    np.testing.assert_array_equal(np.sort(alone.draw(rng)), np.arange(40))


def test_design_effect_against_a_bootstrap_of_sources() -> None:
    rng = np.random.default_rng(0)
    sources = np.repeat(np.arange(60), rng.integers(5, 40, 60))
    right = rng.random(len(sources)) < np.clip(rng.normal(0.7, 0.25, 60), 0, 1)[sources]
    p, n = right.mean(), len(right)
    effect = design_effect((right - p) / n, sources, p * (1 - p) / n)
    hits, sizes = np.bincount(sources, weights=right), np.bincount(sources)
    drawn = rng.integers(0, 60, (4000, 60))
    bootstrap = (hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)).var()
    assert effect == pytest.approx(bootstrap / (p * (1 - p) / n), rel=0.15)
    assert design_effect((right - p) / n, np.arange(n), p * (1 - p) / n) == 1
    assert design_effect(np.zeros(40), np.repeat([0, 1, 2, 3], 10), 0.0) >= 10  # all right: four images


def test_intervals_of_auroc_hold_for_new_scenes() -> None:
    covered = 0
    for seed in range(60):
        data = scenes(seed, n_scenes=30, kind="one label", cue=1.0)
        assert data.sources_N is not None
        band = auroc_estimate(data.inputs_ND[:, 0], data.targets_N == 1, sources_N=data.sources_N)
        covered += band.low <= 0.752 <= band.high  # of two normals with sd 1.04 at distance 1
    assert covered >= 53


def test_an_attribute_of_the_scene_goes_with_the_label_by_chance() -> None:
    reached = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        sources = np.repeat(np.arange(20), 30)
        rows, columns = (rng.integers(0, 2, 20)[sources] for _ in range(2))
        reached += cramers_v_by_source(rows, columns, sources, n_permutations=99).p_value <= 0.05
    assert reached <= 4
    assert cramers_v_by_source(sources % 2, sources % 2, sources, n_permutations=99).p_value == 0.01


def test_means_and_merging_of_sources() -> None:
    values = np.array([[1.0], [3.0], [5.0], [9.0]], np.float32)
    means, labels = source_means(values, np.array([0, 0, 1, 1]), np.array([7, 7, 7, 8]))
    np.testing.assert_array_equal(means.ravel(), [2, 5, 9])
    np.testing.assert_array_equal(labels, [0, 1, 1])
    scene, copies = np.array([0, 0, 1, 2, 3]), np.array([5, 6, 6, 7, 8])
    merged = merge_sources(scene, copies)
    assert merged is not None
    assert len({*merged[:3].tolist()}) == 1
    assert len({*merged.tolist()}) == 3
    np.testing.assert_array_equal(merge_sources(None, copies), copies)
    assert merge_sources(None, None) is None
