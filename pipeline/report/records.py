"""The report as typed records: the keys of `reports/<dataset>.json` are a contract for machines."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, JsonValue, model_validator

from pipeline.records.attribution import (
    GroupAttribution,
    GroupCheck,
    GroupShare,
    Influence,
    LabelErrors,
    Lds,
    Projection,
    TargetAttribution,
)
from pipeline.records.base import Artifact, Estimate, GroupEstimate, Record
from pipeline.records.color import (
    Association,
    AttributeColor,
    ColorExamples,
    ColorFinding,
    Palette,
    Predictability,
)
from pipeline.records.data import AttributeInfo, GroupInfo, SourceCounts, SourceInfo
from pipeline.records.evaluation import (
    ClassSkill,
    ColorAgreement,
    CueUse,
    Intervention,
    MethodComparison,
    Optimism,
    RemovalComparison,
    SplitMetrics,
)
from pipeline.records.gradcam import CamGroup, CamOverlay, Faithfulness, MapAgreement, SanityStep
from pipeline.records.hygiene import Balance, DuplicateSummary, ImageIssue
from pipeline.records.training import ClusterMatch, GroupInference, LastLayer, RemovalPoint
from pipeline.report.provenance import ReportProvenance
from pipeline.report.reading.references import Explained
from pipeline.settings.report import ReportSettings
from pipeline.verdict.advice import NextStep
from pipeline.verdict.evidence import Rung, Thresholds
from pipeline.verdict.reliance import ColorReliance, RelianceDifference


class DatasetSummary(Record):
    name: str
    title: str
    classes: list[str]
    attributes: list[AttributeInfo]
    n: dict[str, int]
    groups: list[GroupInfo]
    provenance: SourceInfo
    image_size: int
    has_masks: bool
    n_label_flips: int | None
    skipped: list[str]
    notes: list[str]
    sources: SourceCounts | None = None  # None: nothing says which images were taken together


class Guess(Record):
    """One question to a classifier that sees color alone, with its answer."""

    source: str  # what it saw, in words
    found: Predictability
    accuracy: Estimate  # balanced accuracy with kappa's interval on accuracy's scale


class ColorSummary(Record):
    guesses: list[Guess]  # every question asked, in the order shown
    findings: list[ColorFinding]
    color_only: Predictability
    color_only_test: Predictability
    color_only_boosted_train: Predictability | None
    color_only_boosted: Predictability | None
    background_only: Predictability | None  # label from the background's color; null without masks
    # label from sharpness, noise, compression, contrast and ink; shown beside color, never called color
    detail_only: Predictability | None = None
    detail_findings: list[ColorFinding] = Field(default_factory=list)
    attributes: list[AttributeColor]
    associations: list[Association]
    palettes: list[Palette]
    examples: list[ColorExamples]
    regions: list[str]
    n_features: int
    n_permutations: int
    seconds: float


class Curve(Record):
    """Validation accuracy per epoch: mean, lowest and highest over seeds."""

    name: str
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]
    best: float | None = None  # highest mean
    learned_epoch: int | None = None  # first one, from 1, whose mean is at nine tenths of the best


class Curves(Record):
    epochs: list[int]
    n_seeds: int
    average: Curve
    groups: list[Curve]  # in the dataset's order


class RemovalCurve(Record):
    """Validation accuracy of the worst group over the number of training images left out."""

    kind: Literal["repair", "random", "balanced"]
    n_removed: list[int]
    mean: list[float]  # over seeds
    low: list[float]  # the lowest seed
    high: list[float]
    n_seeds: list[int]


class RemovedGroup(Record):
    """How many of a training group's images were left out."""

    name: str
    n_train: int
    n_removed: int
    share: float  # of the group


class RemovalSummary(Record):
    """What `repair` left out and how its size was chosen."""

    groups: Literal["given", "inferred"]
    worst_group: str
    n_train: int
    n_harmful: int  # of these, those with a harmful effect
    tried: list[int]
    chosen: int
    points: list[RemovalPoint]
    curves: list[RemovalCurve]
    share_removed: float  # of all training images
    removed: list[RemovedGroup]  # largest share first
    clusters: ClusterMatch | None = None  # where groups were inferred


class TrainingSummary(Record):
    model: str
    n_parameters: int
    precision: str
    device: str
    selected_epoch: dict[str, int]
    n_epochs: int
    seconds: float
    group_inference: list[GroupInference] = Field(default_factory=list)  # seed by seed, where inferred
    last_layers: list[LastLayer] = Field(default_factory=list)  # seed by seed, of dfr
    removal: RemovalSummary | None = None  # of repair
    curves: Curves | None


class MethodSettings(Record):
    """What a method was run with: its keys of `train`, overrides included, and of `methods`."""

    train: dict[str, JsonValue]
    method: dict[str, JsonValue]


class MethodSummary(Record):
    labels_used: list[str]
    seeds: list[int]
    selection: str
    test: SplitMetrics
    val: SplitMetrics
    interventions: list[Intervention]
    foreground_sensitivity: Estimate | None
    color_agreement: ColorAgreement | None
    cue_use: CueUse | None = None
    trained_on_val: bool = False
    class_skill: ClassSkill | None = None  # whether it is better than a constant
    optimism: Optimism | None = None  # validation minus test
    removal_controls: list[RemovalComparison] = Field(default_factory=list)  # of repair
    training: TrainingSummary | None
    settings: MethodSettings | None = None


class AttributionSummary(Record):
    engine: str
    in_margin_units: bool
    estimator: Literal["trak", "grad_cosine", "last_layer", "traker", "ekfac"] = "trak"
    n_models: int
    n_checkpoints: int = 1
    proj_dim: int
    ridge: float
    loss_weighting: float = 1.0
    projection: Projection | None = None
    n_train: int
    n_train_total: int
    n_targets: int
    seconds: float
    sign: str
    lds: Lds | None = None
    lds_reason: str | None = None  # why `lds` is null
    groups: list[GroupAttribution]
    targets: list[TargetAttribution]  # of the images in `images`
    most_harmful_to_worst: list[Influence]
    most_helpful_to_worst: list[Influence] = Field(default_factory=list)
    shares: list[GroupShare] = Field(default_factory=list)
    flipped_share_in_harmful: float | None
    flipped_share_overall: float | None
    group_check: GroupCheck | None = None
    group_check_reason: str | None = None
    label_errors: LabelErrors | None = None
    # ranking -> whether minority images are taken for wrong labels
    suspect_notes: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _read_one_note(cls, raw: Any) -> Any:
        """Reports of earlier versions hold one list of suspects and one note."""
        if not isinstance(raw, dict) or "suspect_note" not in raw:
            return raw
        kept = {name: raw[name] for name in raw if name not in ("suspect_share", "suspect_note")}
        note, errors = raw["suspect_note"], raw.get("label_errors")
        return kept | {"suspect_notes": {errors["ranking"]: note} if note and errors else {}}


class ImageOutcome(Record):
    """What one method makes of one test image."""

    predicted: int  # by most seeds; of a tie the class with the lower number
    correct_share: float  # of the seeds
    n_seeds: int
    map_class: int | None = None  # what the GradCAM map shown is of: the first seed's class; null: no map


class TestImage(Record):
    """A test image shown with what every method makes of it; `attribution` says which images did that."""

    __test__ = False  # no test of pytest's

    id: int
    label: int
    group: int
    methods: dict[str, ImageOutcome]


class MissingPart(Record):
    """A stage whose result the report goes without."""

    stage: Literal["evaluate", "attribute", "gradcam", "hygiene"]
    method: str | None
    remedy: str  # the command that makes it
    is_stale: bool = False  # there is one, made from other data than the report's


class HygieneSummary(Record):
    n_images: int
    duplicates: list[DuplicateSummary]
    issues: list[ImageIssue]
    balance: list[Balance]
    seconds: float


class GradcamSummary(Record):
    library: str
    layer: str
    computed_by: str
    cells: list[int]
    n_images: int
    n_models: int
    blank_rate: float
    energy_in_mask: float | None  # null where the dataset has no masks
    energy_interval: Estimate | None
    mask_area: float | None
    lift: Estimate | None
    pointing: Estimate | None
    pointing_by_chance: float | None
    faithfulness: Faithfulness | None
    sanity: list[SanityStep]
    groups: list[CamGroup]
    overlays: list[CamOverlay]
    seconds: float


class ReportSummary(Artifact):
    """The machine-readable report."""

    headline: str
    baseline: str | None
    worst_group: GroupEstimate | None  # the baseline's, None where too few images
    harmed_group: GroupEstimate | None  # the worst that the cue misleads, else the worst
    dataset: DatasetSummary
    color: ColorSummary
    methods: dict[str, MethodSummary]
    attribution: dict[str, AttributionSummary]
    gradcam: dict[str, GradcamSummary]
    images: list[TestImage] = Field(default_factory=list)  # failures of the worst groups first
    cam_agreement: list[MapAgreement]
    color_reliance: ColorReliance | None  # the baseline's, class by class
    reliance: list[RelianceDifference]  # every other method beside the baseline
    hygiene: HygieneSummary | None
    comparisons: list[MethodComparison]
    verdict: list[Rung]
    next_steps: list[NextStep]
    missing: list[MissingPart] = Field(default_factory=list)
    not_trained: dict[str, str] = Field(default_factory=dict)  # method -> why these data do not allow it
    thresholds: Thresholds
    settings: ReportSettings
    reading: list[Explained] = Field(default_factory=list)  # the methods and statistics used, in words
    provenance: ReportProvenance
