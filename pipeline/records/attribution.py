"""Training images that help or hurt test images, one by one and by group, and how far to trust that."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Artifact, Estimate, Record


class Projection(Record):
    """How per-image gradients were compressed before they were compared."""

    kind: str  # "block_sketch" | "factorized" | "dense" | "last_layer" | "none"
    dim: int
    n_parameters: int
    precision: str  # of the gradients: "fp32" | "bf16"
    gradients: str = "vmap"  # how they were taken: "hooks" | "vmap"


class GroupAttribution(Record):
    train_index: int
    test_index: int
    train_group: str  # names, for people
    test_group: str
    value: float  # mean score; positive = these training images help
    low: float
    high: float
    n_train: int = 0  # training images scored
    n_test: int = 0  # test images they were scored on


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


class Lds(Record):
    """Linear datamodeling score: how well summed scores predict the margins of retrained models.

    Spearman correlation over subsets of the training images, for each test image, averaged.
    """

    value: float
    low: float  # bootstrap over test images and subsets
    high: float
    n_subsets: int
    n_targets: int
    repeats: int  # trainings of each subset
    share: float  # of the training images in a subset
    ceiling: (
        float | None
    )  # what a perfect predictor would reach given how retrainings scatter; None: one repeat
    random: float  # the same, of random scores
    same_class: float  # of the indicator "training image has the test image's label"
    grad_cosine: float | None  # of gradient cosines; None where they were not computed
    lead: dict[str, Estimate] = Field(default_factory=dict)  # baseline -> paired difference to it
    # bootstrap of the ceiling over test images and subsets; None: no ceiling, or an older result
    ceiling_low: float | None = None
    ceiling_high: float | None = None
    group_rule: float | None = None  # of the rule that knows groups only: `statistics.retrained.group_rule`


class GroupShare(Record):
    """How often a training group stands among the images that most help, or harm, the worst group."""

    index: int
    group: str  # its name
    n_train: int
    expected: float  # share among all scored training images
    harmful: Estimate  # share among the most harmful; n = images looked at
    helpful: Estimate


class GroupChange(Record):
    """One training group thinned out: how a test group's mean margin changed, and what scores foretold."""

    train_index: int
    test_index: int
    train_group: str  # names, for people
    test_group: str
    kept: float  # share of the training group that was kept
    n_removed: int
    predicted: float
    actual: float
    low: float
    high: float
    # the change in size, by a slope from other retrainings; None where sizes are not to be spoken of
    calibrated: Estimate | None = None


class Calibration(Record):
    """Whether scores foretell sizes: slopes of actual on foretold changes, tried on retrainings held out.

    Each retraining is foretold by the slope of the others. Sizes are spoken of only where the slope is above
    0 and its 95 % prediction intervals cover as often as they say, of the larger changes too.
    """

    kind: Literal["subsets", "thinned"]  # random subsets beside each other; groups thinned against all images
    status: Literal["sizes", "order", "insufficient"]  # order: of the scores only signs and order count
    n_retrainings: int
    n_changes: int  # changes of a test group's mean margin
    slope: Estimate | None = None  # actual per foretold change; n = retrainings; None where insufficient
    coverage: Estimate | None = None  # held-out changes within their prediction interval; n = changes
    coverage_of_large: Estimate | None = None  # the same of the larger half of foretold changes
    reason: str  # why not sizes, as the end of a sentence; empty where they hold


class GroupCheck(Record):
    """Predicted against actual effects of thinning training groups."""

    changes: list[GroupChange]
    correlation: float  # Pearson, over changes
    low: float
    high: float
    n_trainings: int
    rule: Estimate | None = None  # the same of the rule that knows groups only; n = pairs of groups
    # what the scores foretell among pairs of which the rule says the same; n = those pairs
    beyond: Estimate | None = None
    beyond_reason: str | None = None  # why it is None


class LabelRanking(Record):
    """A ranking of training images by how likely their label is wrong, against known wrong labels."""

    name: str  # "aum" | "self_influence" | "attribution"
    average_precision: float | None  # None where no wrong label is known
    low: float | None
    high: float | None
    precision_at_known: float | None  # share of known wrong labels among as many highest-ranked


class Suspect(Record):
    """A training image whose label looks wrong."""

    id: int
    label: int
    group: int
    suggested: int | None  # the class that the models would rather give it
    score: float  # of the ranking used, higher = more suspect
    known_wrong: bool | None
    in_both: bool = False  # at the top of both lists, see `Agreement`


class GroupSuspects(Record):
    """Suspects of one group: minority images and wrong labels look alike."""

    index: int
    group: str  # its name
    n_train: int
    n_suspects: int
    share: Estimate
    n_known_wrong: int | None


class SuspectList(Record):
    """The images that one ranking suspects."""

    ranking: str
    n_suspects: int
    suspects: list[Suspect]  # all, most suspect first
    groups: list[GroupSuspects]
    # more than half of their images are suspects by margins: not learned, whatever their labels
    unlearned_groups: list[str] = Field(default_factory=list)
    precision: Estimate | None = None  # share of the suspects that are known to be wrong; n = suspects


class Agreement(Record):
    """How many images stand at the top of both lists."""

    n_ranked: int  # images that both rank
    n_top: int  # compared of each list: as many as the shorter one has
    n_shared: int
    expected: float  # of as many images drawn at random
    chance_high: int  # at most so many are shared in 97.5 % of such draws


class LabelErrors(Record):
    """Suspects by margins and by attribution: each misses a kind of wrong label that the other finds."""

    lists: list[SuspectList]
    agreement: Agreement | None = None  # of the first two lists
    n_known_wrong: int | None
    rankings: list[LabelRanking]
    reason: str | None = None  # why there is no ranking by margins, where there is none


class AttributionResult(Artifact):
    """`attribution/<dataset>/<method>/attribution.json`."""

    method: str
    engine: str  # whose code made the scores, with its version
    in_margin_units: bool  # scores are changes of the margin; else they only rank
    estimator: Literal["trak", "grad_cosine", "last_layer", "traker", "ekfac"] = "trak"
    n_models: int
    n_checkpoints: int = 1  # of each model's run
    proj_dim: int
    ridge: float
    loss_weighting: float = 1.0  # power of 1 - p(label) of the training image
    projection: Projection | None = None
    n_train: int
    n_train_total: int
    n_targets: int
    seconds: float
    sign: str = "positive = the training image helps the target's correct prediction"
    groups: list[GroupAttribution]
    targets: list[TargetAttribution]
    # over all audited targets of the worst group: the images among which `shares` are counted
    most_harmful_to_worst: list[Influence]
    most_helpful_to_worst: list[Influence] = Field(default_factory=list)
    shares: list[GroupShare] = Field(default_factory=list)
    flipped_share_in_harmful: float | None  # known flips among as many most harmful images
    flipped_share_overall: float | None
    lds: Lds | None = None
    lds_reason: str | None = None  # why `lds` is None
    group_check: GroupCheck | None = None
    group_check_reason: str | None = None
    label_errors: LabelErrors | None = None
    calibrations: list[Calibration] = Field(default_factory=list)  # none without retrainings
