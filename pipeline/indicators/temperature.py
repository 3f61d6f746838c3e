"""Temperature scaling: one number fitted on validation images, and what it mends on test images."""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Float64Array, Int64Array
from pipeline.indicators.answers import log_probabilities, need_networks, need_validation
from pipeline.indicators.indicator import ByModel, ModelIndicator, Words
from pipeline.indicators.subject import Subject
from pipeline.statistics.generalization.calibration import (
    apply_temperature,
    ece_debiased,
    fit_temperature,
    negative_log_likelihoods,
)


def per_model(subject: Subject) -> ByModel:
    need_networks(subject)
    need_validation(subject)
    val_SNK, test_SNK = log_probabilities(subject, "val"), log_probabilities(subject, "test")
    temperatures = [fit_temperature(log_NK, subject.val.labels) for log_NK in val_SNK]
    scaled_SNK = np.stack([apply_temperature(*pair) for pair in zip(test_SNK, temperatures, strict=True)])
    labels_N = subject.test.labels
    return ByModel(
        parts={
            "temperature": temperatures,
            "nll_before": _loss(test_SNK, labels_N),
            "nll_after": _loss(scaled_SNK, labels_N),
            "ece_before": _error(test_SNK, labels_N),
            "ece_after": _error(scaled_SNK, labels_N),
        },
        titles={
            "temperature": "temperature",
            "nll_before": "negative log-likelihood on test",
            "nll_after": "negative log-likelihood on test at that temperature",
            "ece_before": "calibration error on test",
            "ece_after": "calibration error on test at that temperature",
        },
        notes=("Calibration errors are without sampling noise, so they may come out below 0.",),
    )


def _loss(log_SNK: Float64Array, labels_N: Int64Array) -> list[float]:
    means: list[float] = negative_log_likelihoods(log_SNK, labels_N).mean(axis=1).tolist()
    return means


def _error(log_SNK: Float64Array, labels_N: Int64Array) -> list[float]:
    right_SN = (log_SNK.argmax(axis=2) == labels_N).astype(np.float64)
    errors: list[float] = ece_debiased(np.exp(log_SNK.max(axis=2)), right_SN).tolist()
    return errors


INDICATOR = ModelIndicator(
    name="temperature",
    words=Words(
        title="temperature",
        sees=(
            "What the outputs must be divided by so that probabilities fit validation images: above 1 the "
            "model is too sure. The named classes stay the same."
        ),
        unit="number",
        better="neither",
        source="Guo et al. 2017",
    ),
    per_model=per_model,
)
