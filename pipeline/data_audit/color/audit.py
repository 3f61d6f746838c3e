"""The color audit of one dataset: what color alone reveals about labels and attributes.

Shape legend: N images.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from pipeline.artifacts.predictions import ColorPredictions
from pipeline.core.errors import InputError
from pipeline.core.types import PackedSplit
from pipeline.data_audit.color.associations import associations
from pipeline.data_audit.color.attributes import attribute_colors
from pipeline.data_audit.color.classifier import (
    Data,
    boosted,
    cross_fit,
    cross_fitted,
    describe_cross_fit,
    fitted_on_train,
)
from pipeline.data_audit.color.examples import class_examples
from pipeline.data_audit.color.findings import Features, find_color_differences
from pipeline.data_audit.color.inputs import region_inputs, view_colors
from pipeline.data_audit.color.labels import label_colors
from pipeline.data_audit.color.palettes import class_palettes
from pipeline.data_audit.color.wording import LABEL, Target
from pipeline.records.base import Provenance
from pipeline.records.color import ColorResult
from pipeline.records.data import PackedInfo
from pipeline.settings.audit import ColorSettings


class ColorAnalysis(NamedTuple):
    """The audit's record, and what color alone says about the label of each test image."""

    result: ColorResult
    test_predictions: ColorPredictions  # in the order of the test split


def analyze_color(
    train: PackedSplit, test: PackedSplit, info: PackedInfo, settings: ColorSettings, provenance: Provenance
) -> ColorAnalysis:
    """Findings, color-only predictability, associations, palettes and typical images.

    Everything is read off train, because a shortcut is learned there; the test split only says whether
    it also holds where the model is judged. The result depends on `settings.seed` alone, except for
    `seconds`.

    Raises:
        InputError: fewer than two classes with train images, or images that are not uint8 RGB.
    """
    started = time.perf_counter()
    _check_classes(train, info)
    knows_superclasses = len(info.superclasses) > 1 and None not in info.class_to_superclass
    n_classes = len(info.classes)
    train_view, test_view, names = view_colors(train, test)
    data = Data(train_view.inputs_ND, train.labels, train.sources)
    test_data = Data(test_view.inputs_ND, test.labels, test.sources)
    label_fit = cross_fit(data, n_classes, settings)
    on_test, test_reading = fitted_on_train(data, test_data, LABEL, n_classes, settings)
    trees = boosted(
        Data(train_view.plain_ND, train.labels, train.sources),
        Data(test_view.plain_ND, test.labels, test.sources),
        LABEL,
        n_classes,
        settings,
    )
    background_ND = region_inputs(train_view.features_NF, names.colors, "background")
    details = Data(train_view.detail_inputs_ND, train.labels, train.sources)
    result = ColorResult(
        provenance=provenance,
        n_features=len(names.colors),
        n_permutations=settings.permutations,
        regions=list(dict.fromkeys(name.region for name in names.colors)),
        findings=find_color_differences(
            Features(train_view.features_NF, train.labels, train.sources),
            Features(test_view.features_NF, test.labels, test.sources),
            names.colors,
            Target(LABEL, info.classes),
            settings,
        ),
        labels=label_colors(
            Features(train_view.features_NF, train.labels, train.sources),
            names.colors,
            info.classes,
            settings,
        ),
        superclasses=label_colors(
            Features(
                train_view.features_NF,
                np.array(info.class_to_superclass, np.int64)[train.labels],
                train.sources,
            ),
            names.colors,
            info.superclasses,
            settings,
        )
        if knows_superclasses
        else [],
        color_only=describe_cross_fit(label_fit, data, LABEL, settings),
        color_only_test=on_test,
        color_only_boosted=None if trees is None else trees.test,
        color_only_boosted_train=None if trees is None else trees.train,
        background_only=None
        if background_ND is None
        else cross_fitted(Data(background_ND, train.labels, train.sources), LABEL, n_classes, settings),
        detail_only=cross_fitted(details, LABEL, n_classes, settings),
        detail_findings=find_color_differences(
            Features(train_view.details_NF, train.labels, train.sources),
            Features(test_view.details_NF, test.labels, test.sources),
            names.details,
            Target(LABEL, info.classes),
            settings,
        ),
        attributes=attribute_colors((train, train_view), (test, test_view), names.colors, info, settings),
        associations=associations(train, test, info, settings),
        palettes=class_palettes(train, info.classes, settings.seed),
        examples=class_examples(train, label_fit.reading.p_true, info.classes, settings.examples_per_class),
        seconds=time.perf_counter() - started,
    )
    return ColorAnalysis(result, ColorPredictions(test_reading.predicted, test_reading.p_true))


def _check_classes(train: PackedSplit, info: PackedInfo) -> None:
    n_present = len(np.unique(train.labels))
    if n_present < 2:
        raise InputError(
            f"{info.name}: train has images of {n_present} class(es); the color audit compares classes "
            "and needs at least 2. Check the label column and the split of the dataset's source."
        )
