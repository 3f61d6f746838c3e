"""What each stage found, as typed records: the artifacts' schemas and the report's input.

Fractions are in [0, 1]. Intervals are 95 % unless a field says otherwise.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1


class Record(BaseModel):
    """Base of all records: unknown keys are errors, values are read-only."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Artifact(Record):
    """A record that is a file of its own; `provenance` says what made it."""

    schema_version: int = SCHEMA_VERSION
    provenance: Provenance


class Provenance(Record):
    params_hash: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    seeds: list[int] = Field(default_factory=list)
    created: str = ""


class Estimate(Record):
    """A number with its interval and the count of images behind it."""

    value: float
    low: float
    high: float
    n: int


class GroupEstimate(Estimate):
    """An estimate for one group; `sufficient` is False below the minimum counts."""

    name: str
    sufficient: bool = True


# --- data ------------------------------------------------------------------------------------


class AttributeInfo(Record):
    name: str
    values: list[str]
    origin: Literal["annotated", "derived", "none"]
    description: str = ""


class GroupInfo(Record):
    """A cell of (class or superclass) x attribute value. Its index in the list is its id."""

    name: str
    label: str
    attribute: str
    n_train: int
    n_val: int
    n_test: int


class SourceInfo(Record):
    source: str
    licence: str
    citation: str = ""
    checksums: dict[str, str] = Field(default_factory=dict)


class DatasetInfo(Artifact):
    """`data/<dataset>/dataset.json`."""

    name: str
    title: str
    classes: list[str]
    group_labels: list[str]  # what groups are crossed with: classes, superclasses or one for all
    class_to_group_label: list[int]  # K entries, index into group_labels
    attributes: list[AttributeInfo]  # the first one forms the groups
    groups: list[GroupInfo]
    n: dict[str, int]  # train / val / test
    image_size: int
    has_masks: bool
    n_label_flips: int | None = None  # known planted label noise in train, None if unknown
    skipped: list[str] = Field(default_factory=list)  # unreadable files left out
    notes: list[str] = Field(default_factory=list)  # said in the report
    channel_mean: list[float]  # of train pixels in [0, 1]
    channel_std: list[float]
    source_fingerprint: str = ""  # of a local source folder's listing; "" where not applicable
    source_info: SourceInfo


# --- color -----------------------------------------------------------------------------------


class ColorFinding(Record):
    """One color feature that differs between classes, large, significant and confirmed."""

    feature: str  # for example "ring_hue_sin"
    region: str  # whole | ring | center
    target: str  # "label" or the attribute's name
    omega_squared: float
    p_value: float
    q_value: float
    class_name: str  # the class that stands out most on this feature
    auroc: float  # one-vs-rest of that class on the held-out split
    auroc_low: float
    auroc_high: float
    confirmed: bool  # held-out split agrees in direction and size
    sentence: str


class Predictability(Record):
    """How well a classifier that sees color alone predicts a target."""

    target: str
    fitted_on: str
    read_on: str
    n: int
    n_classes: int
    balanced_accuracy: float
    kappa: float  # (balanced accuracy - 1/K) / (1 - 1/K)
    low: float  # of kappa
    high: float
    p_value: float
    v_information_bits: float


class Palette(Record):
    class_name: str
    colors: list[str]  # "#rrggbb", most frequent first
    shares: list[float]


class Association(Record):
    """Bias-corrected Cramér's V of label and attribute on one split."""

    attribute: str
    split: str
    cramers_v: float
    p_value: float
    n: int
    table: list[list[int]]  # rows: classes, columns: attribute values


class ColorResult(Artifact):
    """`audit/<dataset>/color.json`."""

    n_features: int
    n_permutations: int
    findings: list[ColorFinding]
    color_only: Predictability  # label, cross-fitted on train: is the cue in the training data
    color_only_test: Predictability  # label, fitted on train, read on test
    color_to_attribute: Predictability | None
    associations: list[Association]
    palettes: list[Palette]
    seconds: float


# --- training and evaluation -----------------------------------------------------------------


class EpochRecord(Record):
    seed: int
    epoch: int
    train_loss: float
    train_accuracy: list[float | None]  # per group, None where the epoch drew no image of it
    val_accuracy: list[float | None]  # per group
    val_average: float
    val_worst: float | None
    group_weights: list[float] | None = None  # q of group DRO at the end of the epoch
    seconds: float


class TrainHistory(Artifact):
    """`models/<dataset>/<method>/history.json`."""

    method: str
    labels_used: list[str]
    model: str
    n_parameters: int
    precision: str
    device: str
    selection: str
    selected_epoch: dict[str, int]  # seed -> epoch
    epochs: list[EpochRecord]
    seconds: float


class SeedResult(Record):
    seed: int
    average: float
    worst_group: float
    worst_group_name: str
    groups: list[float]


class SplitMetrics(Record):
    """Accuracies on one split. Intervals combine image sampling and seeds (t, n_eff Wilson)."""

    average: Estimate
    adjusted_average: Estimate
    group_mean: Estimate
    worst_group: GroupEstimate  # its interval is a Šidák band over the groups
    groups: list[GroupEstimate]
    per_seed: list[SeedResult]
    expected_worst_if_equal: float | None  # expected minimum if all groups were equally good


class Intervention(Record):
    """What happens to predictions when a cue is changed and nothing else."""

    name: str  # background_swap | greyscale
    description: str
    flip_rate: Estimate
    flip_rate_control: Estimate | None  # same intervention with a donor of the same cue
    accuracy_change: Estimate  # negative: the model was relying on what was removed
    worst_group_change: Estimate | None
    groups: list[GroupEstimate]  # flip rate per group


class EvaluationResult(Artifact):
    """`evaluation/<dataset>/<method>/evaluation.json`."""

    method: str
    labels_used: list[str]
    seeds: list[int]
    selection: str
    val: SplitMetrics
    test: SplitMetrics
    interventions: list[Intervention]


class MethodComparison(Record):
    """One method against a baseline on the same test images."""

    baseline: str
    method: str
    group: str  # the baseline's worst group
    gain: Estimate  # accuracy of method minus baseline in that group, paired over images
    worst_group_gain: Estimate  # worst group of method minus worst group of baseline
    p_value: float  # of `gain`, two-sided
    per_seed_gain: list[float]  # worst-group gain seed by seed


# --- attribution -----------------------------------------------------------------------------


class GroupAttribution(Record):
    train_group: str
    test_group: str
    value: float  # mean score; positive = these training images help
    low: float
    high: float


class Influence(Record):
    id: int
    group: int
    score: float


class TargetAttribution(Record):
    """One audited test image with the training images that matter most to it."""

    id: int
    label: int
    group: int
    predicted: int  # by the first seed
    correct_share: float  # share of seeds that are right
    helpful: list[Influence]
    harmful: list[Influence]


class AttributionResult(Artifact):
    """`attribution/<dataset>/<method>/attribution.json`."""

    method: str
    library: str
    n_models: int
    proj_dim: int
    ridge: float
    n_train: int
    n_train_total: int
    n_targets: int
    seconds: float
    sign: str = "positive = the training image helps the target's correct prediction"
    groups: list[GroupAttribution]
    targets: list[TargetAttribution]
    most_harmful_to_worst: list[Influence]  # over all audited targets of the worst group
    flipped_share_in_harmful: float | None  # known flips among as many most harmful images
    flipped_share_overall: float | None


# --- gradcam ---------------------------------------------------------------------------------


class CamOverlay(Record):
    id: int
    group: int
    predicted: int
    label: int
    role: Literal["failure_in_worst_group", "success_in_best_group"]
    image: str  # file name of the overlay PNG inside the stage's folder
    energy_in_mask: float | None


class GradcamResult(Artifact):
    """`gradcam/<dataset>/<method>/gradcam.json`."""

    method: str
    library: str
    layer: str
    cells: list[int]  # height and width of the map before upsampling
    n_images: int
    n_models: int
    blank_rate: float
    energy_in_mask: Estimate | None  # mean share of map energy on the foreground; None: no masks
    mask_area: float | None
    lift: Estimate | None  # energy over the energy of shuffled masks
    groups: list[GroupEstimate]  # energy in mask per group, [] without masks
    overlays: list[CamOverlay]
    seconds: float


Artifact.model_rebuild()
