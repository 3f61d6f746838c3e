"""Accuracy per group, reliance on cues, and comparisons of methods."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field

from pipeline.records.base import Artifact, Estimate, GroupEstimate, Record


class SeedResult(Record):
    seed: int
    average: float
    worst_group: float
    worst_group_index: int
    groups: list[float]


class SplitMetrics(Record):
    """Accuracies on one split. Intervals are for new images and, with several seeds, new seeds."""

    average: Estimate
    adjusted_average: Estimate
    group_mean: Estimate
    worst_group: GroupEstimate  # its interval is a Šidák band over the groups it was chosen from
    considered: list[int]  # these groups
    groups: list[GroupEstimate]
    per_seed: list[SeedResult]
    expected_worst_if_equal: float | None  # expected minimum if all groups were equally good
    # The lowest of noisy groups is biased down; this is the worst group without that bias. None where
    # there is one group only, seeds disagree too much, or only too small groups lie below the average.
    worst_group_corrected: Estimate | None = None
    gap: Estimate | None = None  # average minus `worst_group_corrected`; about 0 if groups are equal
    shrunk: list[GroupEstimate] = Field(default_factory=list)  # empirical Bayes: to rank and to show only
    n_sources: int | None = None  # scenes or patients, whose number intervals go by; None: each image is one

    @property
    def counted_worst(self) -> GroupEstimate | None:
        """The worst group where it has enough images and there are others to compare it with."""
        found = self.worst_group
        return found if found.sufficient and len(self.considered) > 1 else None


class Intervention(Record):
    """What happens to predictions when a cue is changed and nothing else."""

    name: str  # one of explain.interventions.INTERVENTIONS
    family: Literal["color", "shape", "background", "object"]  # what the change takes away
    description: str
    n_images: int  # images it was applied to
    accuracy: Estimate  # on the changed images
    flip_rate: Estimate
    flip_rate_control: Estimate | None  # the same intervention with a donor of the same cue
    accuracy_change: Estimate  # negative: the model was relying on what was removed
    worst_group: int | None  # index of the worst group on the unchanged images; None where there is one only
    worst_group_change: Estimate | None
    groups: list[GroupEstimate]  # flip rate per group
    group_changes: list[GroupEstimate]  # accuracy change per group
    label_changes: list[GroupEstimate]  # accuracy change per class, or superclass where groups use these


MIN_CARRIED = 0.5  # of the way to the donor's value: an exchange that goes less far is not of the cue


class Carried(Record):
    """One exchange that was considered, and whether it carries the cue, judged without any prediction."""

    name: str  # background_swap, or one of explain.exchanges.EXCHANGES
    share: Estimate | None  # of the way from own to donor's value; None: simple statistics see no difference

    @property
    def is_of_the_cue(self) -> bool:
        """Whether it goes at least half of the way: only such an exchange is shown to the models."""
        return self.share is not None and self.share.value >= MIN_CARRIED


class CueExchange(Record):
    """Predictions after an exchange of a cue between images, beyond an exchange that keeps its value.

    Shifts are towards the classes that go with the donor's value in training.
    """

    name: str
    n_images: int
    flip_rate: Estimate
    flip_rate_control: Estimate
    up: Estimate  # shift, from `first_value` to `last_value`, or from earlier to later values
    down: Estimate
    size: Estimate  # of both directions
    is_balanced: bool  # classes of either kind count alike, so that lost accuracy cancels out


class CueAssociation(Record):
    """Label x attribute on train."""

    cramers_v: float
    p_value: float
    n: int


class CueUse(Record):
    """Everything that says whether one cue is used."""

    cue: str  # an annotated attribute, or "color"
    is_attribute: bool
    values: list[str]
    association: CueAssociation | None  # None of color: the color audit knows
    natural: Estimate | None  # the same shift between images as they are; None: too few of a class
    carried: list[Carried]
    exchanges: list[CueExchange]  # the ones that were predicted; the first decides


class CueUseFound(Record):
    """What exchanging a cue that nobody annotated does to predictions; its values are the classes it names.

    Intervals of shift and groups allow for all cues that were exchanged.
    """

    name: str
    title: str
    part: str | None  # the place that tells most
    parts: list[str] = Field(default_factory=list)  # places that were exchanged together
    may_be_content: bool  # what a class truly looks like goes along
    n_images: int  # that have donors of both kinds; 0: nothing was exchanged
    # share of them whose donors are of their own class: no trace of a donor's object speaks for another then
    own_class: float
    carried: Estimate | None  # of the way to the donor's value, as a classifier sees it; None: cannot tell
    natural: Estimate | None  # the same shift between images as they are; None: too few of a class
    exchange: CueExchange | None  # None: it was not predicted
    groups: list[GroupEstimate] = Field(default_factory=list)  # flips beyond the control's
    why_not: str = ""  # exchanged

    @property
    def is_carried(self) -> bool:
        """Whether the exchange goes at least half of the way."""
        return self.carried is not None and self.carried.value >= MIN_CARRIED


class ColorAgreement(Record):
    """Whether a model's mistakes are those that color alone would make."""

    n_errors: int  # mistakes over all seeds
    share: Estimate  # of mistakes in which the color-only classifier names the same wrong class
    expected: float  # the same share with color-only predictions permuted within true classes
    excess: Estimate  # share minus expected
    p_value: float


class Optimism(Record):
    """Validation minus test: what selecting on validation made look better than it is."""

    average: Estimate  # groups weighted as in the test split
    worst_group: Estimate  # of the bias-corrected worst groups


RemovalControl = Literal["random", "balanced", "suspected"]


class RemovalComparison(Record):
    """Leaving out the images that attribution names, against leaving out others, or only some of them."""

    control: RemovalControl
    n_removed: int  # by the control
    n_seeds: int
    control_worst: GroupEstimate  # the control's worst test group
    gain: Estimate  # accuracy in the control's worst group: repair minus control, paired over images
    worst_group_gain: Estimate  # worst group of repair minus worst group of the control
    p_value: float | None  # of `gain`, over images and seeds; None below three seeds


class ClassSkill(Record):
    """Whether a model is better than one that gives every image the same class."""

    balanced_accuracy: Estimate  # mean over classes of the share recognized; over seeds and images
    per_seed: list[Estimate]  # the same for every seed, for new images
    n_classes: int  # with test images; a constant has a balanced accuracy of one over this
    never_predicted: list[str]  # classes with test images that no seed gives any image
    # of every seed, 0 for a constant and 1 for a model that follows the attribute alone; empty without one
    follows: list[Estimate] = Field(default_factory=list)

    @property
    def chance(self) -> float:
        """A constant's balanced accuracy."""
        return 1 / self.n_classes


class Flips(NamedTuple):
    """How many predictions one change of the images moves, and how many its control moves."""

    edit: str  # the name of an intervention or an exchange
    rate: Estimate
    control: Estimate | None  # None where it has none


class EvaluationResult(Artifact):
    """`evaluation/<dataset>/<method>/evaluation.json`."""

    method: str
    labels_used: list[str]
    seeds: list[int]
    selection: str
    val: SplitMetrics | None  # None: predictions that somebody brought are of test images alone
    test: SplitMetrics
    interventions: list[Intervention]
    # (a_F - a_B) / (2 min(a, 1 - a)): accuracy with the foreground alone intact, and the background
    # alone; +1 uses the object only, -1 the background only. None without masks.
    foreground_sensitivity: Estimate | None
    color_agreement: ColorAgreement | None  # None where no mistakes were made
    cue_use: CueUse | None = None  # None: one value, too few images, or an older report
    cues: list[CueUseFound] = Field(default_factory=list)  # found ones that models can see, strongest first
    # nothing but predictions: no changed image was shown to a network
    only_predictions: bool = False
    is_brought: bool = False  # trained elsewhere: which images it has seen is not known
    trained_on_val: bool = False  # then `val` measures no generalization, and there is no optimism
    removal_controls: list[RemovalComparison] = Field(default_factory=list)  # of repair
    class_skill: ClassSkill | None = None  # on test; None also in results of before it was measured
    optimism: Optimism | None = None  # None also where validation and test share no group

    @property
    def splits(self) -> list[tuple[str, SplitMetrics]]:
        """Those that it was measured on, test first."""
        return [("test", self.test), *([("val", self.val)] if self.val is not None else [])]

    @property
    def flips(self) -> list[Flips]:
        """Of every intervention, and of every exchange that is none, in the order in which they were made."""
        found = [Flips(i.name, i.flip_rate, i.flip_rate_control) for i in self.interventions]
        names = {flips.edit for flips in found}
        exchanges = self.cue_use.exchanges if self.cue_use else []
        return found + [
            Flips(e.name, e.flip_rate, e.flip_rate_control) for e in exchanges if e.name not in names
        ]


class GroupComparison(Record):
    """One method against a baseline in one group, on the same test images."""

    index: int
    name: str
    # Accuracy of method minus baseline, paired; the interval that is printed: it allows for all groups looked
    # at, and in the group that the comparison is about it is the comparison's own.
    gain: Estimate
    alone: Estimate  # the same with the interval of somebody who asked about this group alone
    p_value: float | None  # of `alone`, over images and seeds; None below three seeds or with too few images
    p_holm: float | None  # corrected over the groups with enough images
    sufficient: bool


class MethodComparison(Record):
    """One method against a baseline on the same test images."""

    baseline: str
    method: str
    group: str  # the name of the baseline's worst group, or of the one that pays for the cue
    group_index: int
    gain: Estimate  # accuracy of method minus baseline there, paired; allows for groups and methods tried
    average_gain: Estimate  # of all images, paired
    worst_group_gain: Estimate  # worst group of method minus worst group of baseline
    p_value: float | None  # of `gain`, two-sided, over images and seeds; None below three seeds
    per_seed_gain: list[float]  # worst-group gain seed by seed
    p_holm: float | None = (
        None  # of older reports, whose `p_value` was not corrected for the number of methods
    )
    groups: list[GroupComparison] = Field(default_factory=list)
