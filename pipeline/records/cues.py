"""What alone gives the class away: every cue that was tried, the telling ones first."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Artifact, Estimate, Record


class CueClass(Record):
    """How far a cue marks one class: share of its images that it names, minus that of the nearest class."""

    label: str
    marked: Estimate  # on the half that confirms
    found: bool  # significant over all cues and classes, and confirmed


class CueFinding(Record):
    """One cue that was tried; kappa is (balanced accuracy - 1/K) / (1 - 1/K) of the class, from it alone."""

    name: str
    title: str
    sees: str
    kind: Literal["file", "pixels", "column"]
    may_be_content: bool  # what a class truly looks like shows here, too
    is_visible: bool  # a trace of it is in the pixels, so a model can use it
    part: str | None = None  # the place that tells most, where places were tried one by one
    classifier: Literal["linear", "trees"] = "linear"
    found: bool  # large enough, significant over all cues on one half of train, and confirmed on the other
    kappa: Estimate  # on the half that confirms, fitted on the half that found
    kappa_found: float  # on the half that found, out of fold
    p_value: float
    q_value: float  # Benjamini-Hochberg over all cues, places and classifiers
    bits: float  # that the cue's guess tells of the class, errors spread evenly
    test: Estimate | None  # kappa on test, fitted on train; None where test lacks a second class
    holds_on_test: bool | None
    under: str | None = None  # a stronger cue beyond which it is not shown to tell anything
    beyond: Estimate | None = None  # kappa once that cue's guess is known
    classes: list[CueClass] = Field(default_factory=list)  # marked by it, the most clearly marked first
    places: dict[str, float] = Field(default_factory=dict)  # kappa of every place that was tried
    sentence: str

    @property
    def column(self) -> str:
        """Of `cue_classes.parquet`: the class that it alone names."""
        return self.name if self.part is None else f"{self.name} {self.part}"


class SourceProbe(Record):
    """Whether accuracy is inflated by knowing where images come from, in one respect.

    A classifier of color, texture and layout guesses the class out of fold. Kappa, on training images.
    """

    name: str
    words: str  # within a sentence: "the camera"
    status: Literal["yes", "no", "insufficient"]
    n: int  # images with a value that enough images have
    n_values: int
    seen: Estimate | None = None  # folds cut at random: the image's value is among those fitted on
    unseen: Estimate | None = None  # folds hold out whole values
    inflation: Estimate | None = None  # the first minus the second, paired; allows for the number of columns
    reason: str = ""  # why nothing can be said
    sentence: str


class CuesResult(Artifact):
    """`audit/<dataset>/cues.json`."""

    cues: list[CueFinding]  # found ones first: those that stand for others, by kappa; then the rest
    sources: list[SourceProbe] = Field(default_factory=list)  # of every column of sources
    absent: list[str]  # titles of cues that these data do not have
    n_train: int  # images that were looked at
    n_train_total: int
    n_tests: int  # corrected for
    seconds: float
