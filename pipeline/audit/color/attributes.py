"""How color goes with annotated attributes, and attributes with the label and each other."""

from __future__ import annotations

import numpy as np

from pipeline.audit.color.classifier import Data, cross_fitted, fitted_on_train
from pipeline.audit.color.findings import Features, find_color_differences
from pipeline.audit.color.given import label_given_cross_fitted, label_given_on_test
from pipeline.audit.color.inputs import ColorView
from pipeline.audit.color.wording import LABEL, Target
from pipeline.core.types import Int64Array, Split
from pipeline.pixels.color_features import FeatureName
from pipeline.records.color import Association, AttributeColor
from pipeline.records.data import AttributeInfo, DatasetInfo
from pipeline.settings.audit import ColorSettings
from pipeline.statistics.cues.association import cramers_v, cramers_v_by_source


def attribute_colors(
    train: tuple[Split, ColorView],
    test: tuple[Split, ColorView],
    names: list[FeatureName],
    info: DatasetInfo,
    settings: ColorSettings,
) -> list[AttributeColor]:
    """One entry per annotated attribute; those derived from color would only find themselves."""
    return [
        _attribute_color(train, test, names, attribute, len(info.classes), settings)
        for attribute in info.attributes
        if attribute.origin == "annotated"
    ]


def associations(train: Split, test: Split, info: DatasetInfo, settings: ColorSettings) -> list[Association]:
    """Label with each attribute on train and test, then each pair of attributes on train."""
    known = [a for i, a in enumerate(info.attributes) if a.origin == "annotated" or _is_derived(a, i)]
    found = [
        _association(
            split,
            (Target(LABEL, info.classes), split.labels),
            (Target(attribute.name, attribute.values), _codes(split, attribute)),
            settings,
        )
        for attribute in known
        for split in (train, test)
    ]
    for i, other in enumerate(known):
        found += [
            _association(
                train,
                (Target(other.name, other.values), _codes(train, other)),
                (Target(attribute.name, attribute.values), _codes(train, attribute)),
                settings,
            )
            for attribute in known[i + 1 :]
        ]
    return found


def _is_derived(attribute: AttributeInfo, index: int) -> bool:
    """Whether it was derived from color and is the primary attribute, whose values splits carry."""
    return index == 0 and attribute.origin == "derived"


def _codes(split: Split, attribute: AttributeInfo) -> Int64Array:
    return split.annotated[attribute.name] if attribute.origin == "annotated" else split.attributes


def _attribute_color(
    train: tuple[Split, ColorView],
    test: tuple[Split, ColorView],
    names: list[FeatureName],
    attribute: AttributeInfo,
    n_classes: int,
    settings: ColorSettings,
) -> AttributeColor:
    (train_split, train_view), (test_split, test_view) = train, test
    train_codes_N, test_codes_N = _codes(train_split, attribute), _codes(test_split, attribute)
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


def _association(
    split: Split, rows: tuple[Target, Int64Array], columns: tuple[Target, Int64Array], settings: ColorSettings
) -> Association:
    (other, row_codes_N), (attribute, column_codes_N) = rows, columns
    table = np.zeros((len(other.values), len(attribute.values)), np.int64)
    np.add.at(table, (row_codes_N, column_codes_N), 1)
    n_draws = {"n_permutations": settings.permutations, "seed": settings.seed}
    if split.sources is None:
        v, p_value = cramers_v(table, **n_draws)
    else:
        v, p_value = cramers_v_by_source(row_codes_N, column_codes_N, split.sources, **n_draws)
    return Association(
        attribute=attribute.name,
        other=other.name,
        split=split.name,
        cramers_v=v,
        p_value=p_value,
        n=len(split),
        table=table.tolist(),
    )
