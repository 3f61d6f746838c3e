"""Accuracy under each of the 15 common corruptions: which one hurts."""

from __future__ import annotations

from pipeline.indicators.corrupted_answers import corrupted_answers
from pipeline.indicators.indicator import ByModel, ModelIndicator, Words
from pipeline.indicators.subject import Subject
from pipeline.pixels.corruptions.corrupt import NAMES

ALL = "all_corruptions"


def _per_model(subject: Subject) -> ByModel:
    found = corrupted_answers(subject)
    right_SK = found.right_SKVR.mean(axis=(2, 3))
    parts = {ALL: right_SK.mean(axis=1).tolist()} | dict(zip(NAMES, right_SK.T.tolist(), strict=True))
    clean = ", ".join(f"{share:.1%}" for share in found.clean_SR.mean(axis=1))
    notes = (
        f"As they are, {clean} of the same images are right. One minus the mean of all corruptions is the "
        "mean corruption error (mCE), not divided by a reference network's.",
    )
    titles = {name: name.replace("_", " ") for name in (ALL, *NAMES)} | {
        "jpeg_compression": "JPEG compression"
    }
    return ByModel(parts, titles, notes=notes)


INDICATOR = ModelIndicator(
    name="corruption_kinds",
    words=Words(
        title="accuracy under common corruptions",
        sees="How many images, as many of each group, are answered rightly under each of 15 corruptions.",
        unit="share",
        better="higher",
        source="Hendrycks & Dietterich 2019 (arXiv:1903.12261)",
    ),
    per_model=_per_model,
    least=0.0,
    most=1.0,
)
