"""The color audit of one dataset: what color alone reveals about labels and attributes.

Shape legend: N images, D inputs.
"""

from __future__ import annotations

import time

import numpy as np

from pipeline.audit.color_findings import Features, find_color_differences
from pipeline.audit.color_only import ColorInputs, cross_fitted, fitted_on_train
from pipeline.audit.palettes import class_palettes
from pipeline.core.errors import InputError
from pipeline.core.results import Association, ColorResult, DatasetInfo, Predictability, Provenance
from pipeline.core.settings import ColorSettings
from pipeline.core.types import Float32Array, Split
from pipeline.metrics.association import cramers_v
from pipeline.metrics.color_features import color_features, lab_histogram


def analyze_color(
    train: Split, test: Split, info: DatasetInfo, settings: ColorSettings, provenance: Provenance
) -> ColorResult:
    """Findings, color-only predictability, label-attribute association and palettes.

    Everything is read off train, because a shortcut is learned there; the test split only says whether
    it also holds where the model is judged. The result depends on `settings.seed` alone, except for
    `seconds`.

    Raises:
        InputError: fewer than two classes with train images, or images that are not uint8 RGB.
    """
    started = time.perf_counter()
    n_present = len(np.unique(train.labels))
    if n_present < 2:
        raise InputError(
            f"{info.name}: train has images of {n_present} class(es); the color audit compares classes "
            "and needs at least 2. Check the label column and the split of the dataset's source."
        )
    train_values, names = color_features(train.images)
    test_values, _ = color_features(test.images)
    train_ND, test_ND = _inputs(train, test, train_values, test_values)
    n_classes = len(info.classes)
    return ColorResult(
        provenance=provenance,
        n_features=len(names),
        n_permutations=settings.permutations,
        findings=find_color_differences(
            Features(train_values, train.labels),
            Features(test_values, test.labels),
            names,
            info.classes,
            settings,
        ),
        color_only=cross_fitted(
            train_ND, train.labels, target="label", n_classes=n_classes, settings=settings
        ),
        color_only_test=fitted_on_train(
            train_ND,
            train.labels,
            test_ND,
            test.labels,
            target="label",
            n_classes=n_classes,
            settings=settings,
        ),
        color_to_attribute=_color_to_attribute(train_ND, train, info, settings),
        associations=_associations(train, test, info, settings),
        palettes=class_palettes(train, info.classes, settings.seed),
        seconds=time.perf_counter() - started,
    )


def _inputs(
    train: Split, test: Split, train_values: Float32Array, test_values: Float32Array
) -> tuple[Float32Array, Float32Array]:
    """Classifier inputs of both splits; the wide histograms are dropped on return."""
    histogram = lab_histogram(train.images)
    inputs = ColorInputs.fit(train_values, histogram)
    return inputs.transform(train_values, histogram), inputs.transform(
        test_values, lab_histogram(test.images)
    )


def _color_to_attribute(
    train_ND: Float32Array, train: Split, info: DatasetInfo, settings: ColorSettings
) -> Predictability | None:
    """Whether color predicts the annotated attribute; None for one that was derived from color."""
    if not info.attributes or info.attributes[0].origin != "annotated":
        return None
    attribute = info.attributes[0]
    if len(np.unique(train.attributes)) < 2:
        return None
    return cross_fitted(
        train_ND,
        train.attributes,
        target=attribute.name,
        n_classes=len(attribute.values),
        settings=settings,
    )


def _associations(train: Split, test: Split, info: DatasetInfo, settings: ColorSettings) -> list[Association]:
    """How strongly label and attribute go together, on train and on test."""
    if not info.attributes or info.attributes[0].origin == "none":
        return []
    attribute = info.attributes[0]
    found = []
    for split in (train, test):
        table = np.zeros((len(info.classes), len(attribute.values)), np.int64)
        np.add.at(table, (split.labels, split.attributes), 1)
        v, p_value = cramers_v(table, n_permutations=settings.permutations, seed=settings.seed)
        found.append(
            Association(
                attribute=attribute.name,
                split=split.name,
                cramers_v=v,
                p_value=p_value,
                n=len(split),
                table=table.tolist(),
            )
        )
    return found
