"""How color goes with annotated attributes."""

from __future__ import annotations

import numpy as np

from pipeline.core.types import PackedSplit
from pipeline.data_audit.color.classifier import Data, cross_fitted, fitted_on_train
from pipeline.data_audit.color.findings import Features, find_color_differences
from pipeline.data_audit.color.given import label_given_cross_fitted, label_given_on_test
from pipeline.data_audit.color.inputs import ColorView
from pipeline.data_audit.color.wording import Target
from pipeline.pixels.color_features import FeatureName
from pipeline.records.color import AttributeColor
from pipeline.records.data import AttributeInfo, PackedInfo
from pipeline.settings.audit import ColorSettings


def attribute_colors(
    train: tuple[PackedSplit, ColorView],
    test: tuple[PackedSplit, ColorView],
    names: list[FeatureName],
    info: PackedInfo,
    settings: ColorSettings,
) -> list[AttributeColor]:
    """One entry per annotated attribute; those derived from color would only find themselves."""
    return [
        _attribute_color(train, test, names, attribute, len(info.classes), settings)
        for attribute in info.attributes
    ]


def _attribute_color(
    train: tuple[PackedSplit, ColorView],
    test: tuple[PackedSplit, ColorView],
    names: list[FeatureName],
    attribute: AttributeInfo,
    n_classes: int,
    settings: ColorSettings,
) -> AttributeColor:
    (train_split, train_view), (test_split, test_view) = train, test
    train_codes_N, test_codes_N = train_split.annotated[attribute.name], test_split.annotated[attribute.name]
    name, n_values = attribute.name, len(attribute.values)
    if len(np.unique(train_codes_N)) < 2:
        return AttributeColor(
            attribute=name,
            to_attribute=None,
            to_attribute_test=None,
            label_given_attribute=None,
            label_given_attribute_test=None,
            findings=[],
        )
    to_attribute = Data(train_view.inputs_ND, train_codes_N, train_split.sources)
    to_attribute_test = Data(test_view.inputs_ND, test_codes_N, test_split.sources)
    to_label = Data(train_view.inputs_ND, train_split.labels, train_split.sources)
    to_label_test = Data(test_view.inputs_ND, test_split.labels, test_split.sources)
    return AttributeColor(
        attribute=name,
        to_attribute=cross_fitted(to_attribute, name, n_values, settings),
        to_attribute_test=fitted_on_train(to_attribute, to_attribute_test, name, n_values, settings)[0],
        label_given_attribute=label_given_cross_fitted(to_label, train_codes_N, name, n_classes, settings),
        label_given_attribute_test=label_given_on_test(
            (to_label, train_codes_N), (to_label_test, test_codes_N), name, n_classes, settings
        ),
        findings=find_color_differences(
            Features(train_view.features_NF, train_codes_N, train_split.sources),
            Features(test_view.features_NF, test_codes_N, test_split.sources),
            names,
            Target(name, attribute.values),
            settings,
        ),
    )
