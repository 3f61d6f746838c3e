"""What networks answer for corrupted images: asked once, several indicators read it.

Shape legend: S networks, R images of the sample, K corruptions, V severities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, UInt8Array
from pipeline.indicators.constant import beats_constant
from pipeline.indicators.indicator import UnmeasuredError
from pipeline.indicators.looked_at import networks, sampled_rows
from pipeline.indicators.subject import Subject
from pipeline.models.fused import fuse_for_prediction
from pipeline.models.predict import predict_logits
from pipeline.pixels.corruptions.corrupt import NAMES, corrupt


@dataclass(frozen=True)
class CorruptedAnswers:
    """Which answers are right; corruptions in the order of `NAMES`."""

    clean_SR: BoolArray  # of the images as they are
    right_SKVR: BoolArray
    measured_S: BoolArray  # whether a network is better than a constant

    @property
    def clean_accuracy(self) -> float:
        """Of the networks that are better than a constant, 0 to 1."""
        return float(self.clean_SR[self.measured_S].mean())

    @property
    def corrupted_accuracy(self) -> float:
        """The same, over all corruptions and severities."""
        return float(self.right_SKVR[self.measured_S].mean())


def corrupted_answers(subject: Subject) -> CorruptedAnswers:
    """Of `networks(subject)` for the sample; all networks see the same corrupted pixels.

    Raises:
        UnmeasuredError: no severity is asked for, there is no image or no network, images are too small or
            too large for corruptions, or no network is better than a constant.
    """
    found: CorruptedAnswers | None = subject.shared.get("corrupted_answers")
    if found is None:
        found = subject.shared["corrupted_answers"] = _ask(subject)
    if not found.measured_S.any():
        raise UnmeasuredError(
            "No network is right more often than one that gives a single answer to every image: what never "
            "changes its answer is not robust."
        )
    return found


def _ask(subject: Subject) -> CorruptedAnswers:
    severities = subject.settings.severities
    if not severities:
        raise UnmeasuredError(
            "indicators.severities is empty. Set it to [1, 3, 5] to measure robustness to common corruptions."
        )
    rows_R = sampled_rows(subject)
    models = [fuse_for_prediction(model) for model in networks(subject)]  # copies: most of the time is theirs
    images, labels_R = subject.test.images[rows_R], subject.test.labels[rows_R]
    clean_SR = np.stack([predict_logits(model, images).argmax(1) for model in models])
    right_SKVR = np.empty((len(models), len(NAMES), len(severities), len(rows_R)), bool)
    for k, name in enumerate(NAMES):
        pixels = _corrupted(subject, images, name)
        for s, model in enumerate(models):
            answers_VR = predict_logits(model, pixels).argmax(1).reshape(len(severities), -1)
            right_SKVR[s, k] = answers_VR == labels_R
    measured_S = np.array([beats_constant(answers_R, labels_R) for answers_R in clean_SR])
    return CorruptedAnswers(clean_SR == labels_R, right_SKVR, measured_S)


def _corrupted(subject: Subject, images_RHW3: UInt8Array, name: str) -> UInt8Array:
    """Severity after severity, V R x H x W x 3."""
    settings, ids_R = subject.settings, subject.test.ids[subject.sample]
    try:
        return np.concatenate(
            [corrupt(images_RHW3, name, v, seed=settings.seed, ids_N=ids_R) for v in settings.severities]
        )
    except InputError as error:
        raise UnmeasuredError(str(error)) from error
