"""Every class with the color that sets it apart: planted classes are found, noise is not."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data_audit.color.findings import Features
from pipeline.data_audit.color.labels import label_colors
from pipeline.pixels.color_features import color_features
from pipeline.records.color import LabelColor
from tests.fixtures.audit import gray_noise, settings


def rows(n_classes: int, per_class: int, *, dark: int | None = None, seed: int = 0) -> list[LabelColor]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_classes), per_class)
    images = gray_noise(labels, rng)
    if dark is not None:
        images[labels == dark] = (images[labels == dark] * 0.6).astype(np.uint8)
    values, names = color_features(images)
    return label_colors(
        Features(values, labels), names, [f"class {k}" for k in range(n_classes)], settings(seed)
    )


@pytest.mark.parametrize(("n_classes", "per_class"), [(10, 60), (50, 20)])
def test_one_darkened_class_is_the_only_separable_one(n_classes: int, per_class: int) -> None:
    found = rows(n_classes, per_class, dark=7)
    assert [row.label for row in found] == [f"class {k}" for k in range(n_classes)]
    assert [row.label for row in found if row.separable] == ["class 7"]
    row = found[7]
    assert row.q_value < 0.001
    assert row.auroc is not None
    assert row.auroc.low > 0.6


def test_noise_separates_no_class() -> None:
    for seed in range(5):
        assert not any(row.separable for row in rows(12, 50, seed=seed))


def test_a_class_without_images_has_no_row_and_one_image_no_interval() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([0] * 40 + [1] * 40 + [3])
    values, names = color_features(gray_noise(labels, rng))
    found = label_colors(Features(values, labels), names, ["a", "b", "c", "d"], settings())
    assert [row.label for row in found if row.label != "d"] == ["a", "b"]
    assert all(not row.separable for row in found)
