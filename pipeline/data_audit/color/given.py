"""What color says about the label once an attribute is known.

If color tells the label only because both go with the attribute, nothing is left within images that
share the attribute's value. So the classifier is fitted, scored and permuted within those.

Shape legend: N images, D inputs.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import BoolArray, Int64Array
from pipeline.data_audit.color.classifier import Data, cross_fit, fit_and_read, linear_model
from pipeline.data_audit.color.scores import Reading, Setup, predictability
from pipeline.data_audit.color.wording import LABEL
from pipeline.records.color import Predictability
from pipeline.settings.audit import ColorSettings

MIN_CLASS_IMAGES = 5  # of train, within an attribute's value; rarer classes are left out there


def label_given_cross_fitted(
    train: Data, codes_N: Int64Array, attribute: str, n_classes: int, settings: ColorSettings
) -> Predictability | None:
    """Cross-fitted on train within the attribute's values; None where no value has two classes."""
    kept_N = _usable(train.targets_N, codes_N)
    if not kept_N.any():
        return None
    data, strata_N = train.take(kept_N), codes_N[kept_N]
    n = len(strata_N)
    predicted_N, p_true_N, folds_N = np.empty(n, np.int64), np.empty(n), np.empty(n, np.int64)
    n_fitted = 0
    for value in np.unique(strata_N):
        rows = strata_N == value
        fitted = cross_fit(data.take(rows), n_classes, settings)
        predicted_N[rows], p_true_N[rows] = fitted.reading
        folds_N[rows] = fitted.folds_N
        n_fitted += fitted.n_fitted
    return predictability(
        Reading(predicted_N, p_true_N),
        data.targets_N,
        Setup(
            target=LABEL,
            given=attribute,
            fitted_on=f"train, {settings.folds} folds within each value of {attribute}",
            n_fitted=n_fitted,
            read_on="train, held-out folds",
        ),
        settings,
        folds_N=folds_N,
        strata_N=strata_N,
        sources_N=data.sources_N,
    )


def label_given_on_test(
    train: tuple[Data, Int64Array],
    test: tuple[Data, Int64Array],
    attribute: str,
    n_classes: int,
    settings: ColorSettings,
) -> Predictability | None:
    """Fitted on train and read on test within the attribute's values.

    Test images of classes that train lacks under the same value are left out. None where no value
    has two classes in both splits.
    """
    (train_data, train_codes_N), (test_data, test_codes_N) = train, test
    fit_N = _usable(train_data.targets_N, train_codes_N)
    readings: list[Reading] = []
    reads: list[Data] = []
    strata: list[Int64Array] = []
    n_fitted = 0
    for value in np.unique(train_codes_N[fit_N]):
        fit = train_data.take(fit_N & (train_codes_N == value))
        read = test_data.take((test_codes_N == value) & np.isin(test_data.targets_N, fit.targets_N))
        if len(np.unique(read.targets_N)) < 2:
            continue
        readings.append(fit_and_read(linear_model, fit, read, n_classes))
        reads.append(read)
        strata.append(np.full(len(read.targets_N), value))
        n_fitted += len(fit.targets_N)
    if not readings:
        return None
    return predictability(
        Reading(*(np.concatenate(column) for column in zip(*readings, strict=True))),
        np.concatenate([read.targets_N for read in reads]),
        Setup(
            target=LABEL,
            given=attribute,
            fitted_on=f"train, within each value of {attribute}",
            n_fitted=n_fitted,
            read_on="test",
        ),
        settings,
        strata_N=np.concatenate(strata),
        sources_N=None
        if test_data.sources_N is None
        else np.concatenate([read.sources_N for read in reads if read.sources_N is not None]),
    )


def _usable(targets_N: Int64Array, codes_N: Int64Array) -> BoolArray:
    """Images of classes with at least `MIN_CLASS_IMAGES` under a value that has two such classes."""
    kept_N = np.zeros(len(targets_N), bool)
    for value in np.unique(codes_N):
        rows = codes_N == value
        counts_K = np.bincount(targets_N[rows])
        if (counts_K >= MIN_CLASS_IMAGES).sum() >= 2:
            kept_N[rows] = counts_K[targets_N[rows]] >= MIN_CLASS_IMAGES
    return kept_N
