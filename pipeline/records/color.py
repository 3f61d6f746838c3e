"""What color alone reveals about labels and attributes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Artifact, Estimate, Record


class ColorFinding(Record):
    """One color feature that differs between a target's values: large, significant and confirmed."""

    feature: str  # for example "hue_sin"
    region: str  # whole | ring | center | background | foreground
    target: str  # "label" or the attribute's name
    omega_squared: float
    p_value: float
    q_value: float
    class_name: str  # the value of the target that stands out most on this feature
    auroc: float  # one-vs-rest of that value on the held-out half of train
    auroc_low: float
    auroc_high: float
    confirmed: bool  # the held-out half agrees in direction and excludes 0.5
    test: Estimate | None  # the same AUROC on the test split; None where test lacks one side
    holds_on_test: bool | None  # its interval excludes 0.5 in the same direction
    sentence: str


class Predictability(Record):
    """How well a classifier that sees color alone predicts a target."""

    target: str
    given: str | None = None  # attribute held fixed: fitted, scored and permuted within its values
    classifier: Literal["linear", "boosted"] = "linear"
    fitted_on: str
    n_fitted: int  # images the classifier saw (per fold where there are folds)
    read_on: str
    n: int
    n_classes: int
    balanced_accuracy: float
    kappa: float  # (balanced accuracy - 1/K) / (1 - 1/K)
    low: float  # of kappa
    high: float
    p_value: float  # permutation of the targets against fixed predictions
    v_information_bits: float


class AttributeColor(Record):
    """How color goes with one annotated attribute, and with the label once the attribute is known."""

    attribute: str
    to_attribute: Predictability | None  # cross-fitted on train; None where train shows one value
    to_attribute_test: Predictability | None
    label_given_attribute: Predictability | None  # cross-fitted on train within attribute values
    label_given_attribute_test: Predictability | None
    findings: list[ColorFinding]  # features that differ between the attribute's values


class LabelColor(Record):
    """The color feature that sets one class, or one superclass, apart from all others best."""

    label: str
    feature: str
    region: str
    direction: str  # in words, for example "darker"
    auroc: Estimate | None  # against the rest on the held-out half of train; None where a side is empty
    q_value: float  # of the discovery half, Benjamini-Hochberg over labels and features
    separable: bool  # large enough, significant and confirmed


class ColorExamples(Record):
    """Train images whose class color alone tells best and worst, by out-of-fold probability."""

    class_name: str
    typical: list[int]  # ids, most typical first
    atypical: list[int]  # ids, least typical first


class Palette(Record):
    class_name: str
    colors: list[str]  # "#rrggbb", most frequent first
    shares: list[float]


class Association(Record):
    """Bias-corrected Cramér's V of two variables on one split."""

    attribute: str
    other: str = "label"  # what it goes with: "label" or another attribute's name
    split: str
    cramers_v: float
    p_value: float
    n: int
    table: list[list[int]]  # rows: classes (or the other attribute's values), columns: attribute values


class ColorResult(Artifact):
    """`audit/<dataset>/color.json`."""

    n_features: int
    n_permutations: int
    regions: list[str]  # regions whose features were compared
    findings: list[ColorFinding]  # target "label"
    labels: list[LabelColor]  # every class; told by group: every superclass where groups are made of these
    superclasses: list[LabelColor] = Field(default_factory=list)  # where the source knows them
    color_only: Predictability  # label, linear, cross-fitted on train: is the cue in the training data
    color_only_test: Predictability  # label, linear, fitted on train, read on test
    color_only_boosted: Predictability | None  # label, boosted trees, fitted on train, read on test
    # the same fit, read on the train images it did not see
    color_only_boosted_train: Predictability | None = None
    background_only: Predictability | None  # label from the background region alone, cross-fitted on train
    # label from spreads, edges and colorfulness of pixels (sharpness, noise, compression, contrast, ink):
    # linear, cross-fitted on train; shown beside color, and never called color
    detail_only: Predictability | None = None
    detail_findings: list[ColorFinding] = Field(default_factory=list)
    attributes: list[AttributeColor]  # one per annotated attribute
    associations: list[Association]  # of annotated attributes
    palettes: list[Palette]
    examples: list[ColorExamples]
    seconds: float
