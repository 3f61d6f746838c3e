"""Odd images are counted by kind, and a group with more of them stands out; balance by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import stats

from pipeline.core.types import Int64Array, UInt8Array
from pipeline.data_audit.by_group import tell_hygiene_by_group, tell_issues_by_group
from pipeline.data_audit.hygiene.audit import analyze_hygiene
from pipeline.data_audit.hygiene.image_issues import find_issues
from pipeline.pixels.quality import measure_quality, robust_z
from pipeline.records.base import Provenance
from pipeline.records.hygiene import HygieneResult, ImageIssue
from tests.fixtures.hygiene import SETTINGS, crops, dataset

CROPS = crops(150, size=64)


def issues(images: UInt8Array, groups: Int64Array | None = None) -> dict[str, ImageIssue]:
    groups = np.arange(len(images)) % 2 if groups is None else groups
    found = find_issues(measure_quality(images))
    told = tell_issues_by_group(found.issues, found.is_odd, groups, ["a", "b"], SETTINGS)
    return {issue.name: issue for issue in told}


def test_each_kind_is_found_where_it_was_planted() -> None:
    images = CROPS.copy()
    images[0] = images[0] // 8
    images[1] = 230 + images[1] // 16
    images[2] = np.repeat(images[2].mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    images[3] = (90, 130, 60)
    found = issues(images)
    assert found["dark"].ids[0] == 0
    assert found["bright"].ids[0] == 1
    assert 2 in found["grey"].ids
    assert 3 in found["low_information"].ids
    for issue in found.values():
        assert issue.share.low <= issue.share.value <= issue.share.high
        assert issue.share.n == 150


def test_five_percent_blurred_images_are_found() -> None:
    images = crops(150, size=64, seed=3)
    rows = np.random.default_rng(0).choice(150, 7, replace=False)
    for row in rows:
        images[row] = cv2.GaussianBlur(images[row], (0, 0), 3)
    found = set(issues(images)["blurry"].ids)
    assert len(found & set(rows.tolist())) >= 6
    assert len(found - set(rows.tolist())) <= 5


def test_pale_images_are_not_blurred_ones() -> None:
    images = CROPS.copy()
    pale = np.arange(0, 150, 10)
    images[pale] = (100 + images[pale] // 4).astype(np.uint8)
    assert len(set(issues(images)["blurry"].ids) & set(pale.tolist())) <= 1


def test_photographs_are_in_order() -> None:
    found = issues(CROPS)
    assert found["grey"].n == found["bright"].n == found["low_information"].n == 0
    assert found["blurry"].share.value <= 0.05


def test_a_group_with_dark_images_stands_out() -> None:
    images, groups = CROPS.copy(), (np.arange(150) >= 75).astype(np.int64)
    images[75:100] //= 8
    dark = issues(images, groups)["dark"]
    assert dark.q_value is not None
    assert dark.q_value < 0.001
    assert dark.groups[1].value > 0.3
    assert dark.groups[1].sufficient


def test_p_values_without_a_difference_are_uniform() -> None:
    rng = np.random.default_rng(0)
    p_values = []
    for _ in range(150):
        images = rng.integers(60, 200, (120, 8, 8, 3)).astype(np.uint8)
        images[rng.random(120) < 0.3] //= 8
        p = issues(images, rng.integers(0, 2, 120))["dark"].p_value
        assert p is not None
        p_values.append(p)
    assert stats.kstest(p_values, "uniform").pvalue > 0.005
    assert np.mean(np.array(p_values) < 0.05) < 0.12


def test_too_few_odd_images_have_no_p_value() -> None:
    images = CROPS.copy()
    images[:3] //= 8
    dark = issues(images, (np.arange(150) < 3).astype(np.int64))["dark"]
    assert dark.p_value is None
    assert dark.q_value is None
    assert not dark.groups[1].sufficient


def test_quality_by_hand_and_in_chunks() -> None:
    images = np.zeros((3, 10, 10, 3), np.uint8)
    images[0] = 51  # a fifth of white
    images[1, :, :5] = 255
    images[2] = np.random.default_rng(0).integers(0, 256, (10, 10, 3))
    quality = measure_quality(images)
    assert quality.dark_limit[0] == pytest.approx(0.2)
    assert quality.bright_limit[0] == pytest.approx(0.2)
    assert quality.entropy.tolist()[:2] == [0.0, 1.0]
    assert quality.spread[:2].tolist() == [0.0, 0.0]
    assert np.isnan(quality.sharpness[0])
    luma = cv2.cvtColor(images[2], cv2.COLOR_RGB2GRAY).astype(float)
    inner = cv2.Laplacian(luma, cv2.CV_64F)[1:-1, 1:-1]
    assert quality.sharpness[2] == pytest.approx(np.log(inner.var() / luma.var()), abs=1e-4)
    alone = measure_quality(images[2:])
    assert alone.sharpness[0] == quality.sharpness[2]


def test_robust_z_by_hand() -> None:
    z = robust_z(np.array([1, 2, 3, 4, np.nan, 100], np.float32))
    assert z[2] == pytest.approx(0)
    assert z[5] == pytest.approx(97 / 1.4826)
    assert np.isnan(z[4])
    assert robust_z(np.array([5, 5, 5, 9], np.float32)).tolist() == [0, 0, 0, 0]


def analyze(images: UInt8Array, labels: Int64Array, sizes: tuple[int, int, int]) -> HygieneResult:
    packed, splits, info = dataset(images, labels, sizes)
    result, _, is_odd, _ = analyze_hygiene(packed, splits, SETTINGS, Provenance())
    return tell_hygiene_by_group(result, is_odd, splits, info, SETTINGS)


def test_balance_by_hand() -> None:
    labels = np.array([0] * 30 + [1] * 10 + [0] * 5 + [0] * 5 + [1] * 5, np.int64)
    result = analyze(CROPS[:55], labels, (40, 5, 10))
    train = next(b for b in result.balance if b.over == "classes" and b.split == "train")
    assert (train.smallest, train.smallest_name, train.largest, train.largest_name) == (
        10,
        "right",
        30,
        "left",
    )
    share = np.array([0.75, 0.25])
    assert train.effective_cells == pytest.approx(np.exp(-(share * np.log(share)).sum()))
    val = next(b for b in result.balance if b.over == "groups" and b.split == "val")
    assert (val.n_empty, val.effective_cells) == (1, 1)
    assert result.n_images == 55


def test_the_same_images_give_the_same_result() -> None:
    labels = np.arange(60) % 2
    first, second = (analyze(CROPS[:60], labels, (40, 10, 10)) for _ in range(2))
    assert first.model_copy(update={"seconds": 0.0}) == second.model_copy(update={"seconds": 0.0})


def test_one_image_and_an_empty_validation_split() -> None:
    result = analyze(CROPS[:1], np.zeros(1, np.int64), (1, 0, 0))
    assert [found.n_sets for found in result.duplicates] == [0, 0]
    assert {b.split for b in result.balance} == {"train"}
