"""What the numbers mean: the ladder's answers with what decided them, and what to do next."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Artifact, Estimate, GroupEstimate, Record
from pipeline.records.cause import AttributionVerdict, RemovalVerdict
from pipeline.records.color import LabelColor
from pipeline.records.evaluation import MethodComparison
from pipeline.records.gradcam import MapAgreement
from pipeline.records.learning import LearningDynamics
from pipeline.records.recommendation import Need, Recommendation
from pipeline.records.slices import GroupTrait, MethodSlices
from pipeline.records.titles import Titles

Status = Literal["yes", "partly", "no", "insufficient"]  # partly: of `fixed_by` alone
RungName = Literal["available", "used", "harmful", "caused_by", "fixed_by"]


# --- the ladder ------------------------------------------------------------------------------


class Thresholds(Record):
    """What counts as an effect and as enough images; printed in the report."""

    min_effect: float  # accuracy or flip-rate change
    min_test: int
    min_val: int
    min_kappa: float  # of color alone
    min_cramers_v: float
    alpha: float  # two-sided, the complement of the intervals' 95 %
    min_seeds: int  # trainings that rungs about training need


class Rung(Record):
    """One step of the ladder."""

    rung: RungName
    question: str
    status: Status
    evidence: str
    estimate: Estimate | None = None  # the number that decided, in `unit`
    unit: Literal["kappa", "difference", "accuracy", "score"] | None = None
    was_run: bool = True  # False: what would answer it was not run


class NextStep(Record):
    """One thing to do, and the evidence that asks for it."""

    action: str
    because: str
    section: str  # anchor of the report's section that shows it
    lists: list[str] = Field(
        default_factory=list
    )  # keys of the report's lists of the images that it is about


# --- the two-minute answer -------------------------------------------------------------------


class BriefRung(Record):
    """One step of the ladder for readers in a hurry."""

    rung: RungName
    status: Status
    answer: str  # what the question asks for: "Used", "Not used", "Too little evidence"
    line: str  # the finding in a few words without numbers
    sentences: list[str]  # at most two, each with a number and its interval


class Brief(Record):
    """What a reader must know after two minutes."""

    title: str  # the finding, as the title of the report
    rungs: list[BriefRung]
    decision: str  # what to do
    price: str  # what that costs and needs; empty where nothing is recommended
    unnamed_cue: str | None = None  # `name` of the cue that the first rung speaks of, if nobody annotated it
    sureness: str  # what the answer rests on


# --- reliance --------------------------------------------------------------------------------


RelianceKind = Literal[
    "accuracy_change", "flip_excess", "object_removed", "foreground_sensitivity", "energy_in_mask", "pointing"
]


class RelianceDifference(Record):
    """One measure of reliance, for the baseline and for a method; a positive difference is less reliance."""

    kind: RelianceKind
    what: str  # the measure in words
    baseline: str
    method: str
    before: Estimate
    after: Estimate
    difference: Estimate  # toward less reliance; simultaneous over the method's measures
    verdict: Literal["less", "more", "not shown"]


class LabelReliance(Record):
    """One class (or superclass): does color set it apart, and does the model lose it without color."""

    color: LabelColor
    # Of accuracy when color is removed, in the group of the label that loses most, which it names: over
    # images in which a cue fits and images in which it misleads, loss and gain would cancel out.
    change: GroupEstimate | None  # simultaneous over the groups
    relies: Status  # yes: it loses at least the size that matters


class ColorReliance(Record):
    method: str
    n_separable: int
    n_relied: int  # of the separable ones, those the model relies on color for
    labels: list[LabelReliance]  # separable ones first, by what removing color costs


class CueGap(Record):
    """A method's test accuracy where a found cue alone names the class, against where it names another."""

    method: str
    name: str  # of the cue
    part: str | None
    title: str
    n_aligned: int  # test images that it names rightly, in classes that have images of both kinds
    n_conflicting: int
    n_classes: int
    difference: Estimate | None  # within classes, which weigh by a*c/(a+c); None: no class has both kinds
    beyond: Estimate | None  # without what images cost that the cue names so, in whatever class
    status: Status  # of `beyond`; both intervals allow for the number of cues
    note: str  # why it is not answered, or what the number may also be


class Shift(Record):
    """How far the exchange that decides whether the cue is used moves predictions, whichever way."""

    exchange: str
    n_images: int
    size: Estimate  # not negative
    is_against: bool  # away from the class that goes with the donor's value


class EditsVerdict(Record):
    """Whether one edit of the images moves the baseline's predictions, told in a sentence each."""

    edit: str  # the exchange that decides whether the cue is used; without one, an edit named in advance
    moves: Status
    beyond: Estimate | None  # flips beyond the control's; all of them where there is no control
    beside: str | None  # the method that fixes the harm, where it saw the same edit
    finding: str
    beside_finding: str = ""


class HeatVerdict(Record):
    """Whether one method's GradCAM maps point better than a blob in the center of the image."""

    points: Status
    over_center: Estimate | None  # insertion and deletion score over the blob's; None: not measured
    finding: str


# --- how training went -----------------------------------------------------------------------


class Curve(Record):
    """Validation accuracy per epoch: mean, lowest and highest over seeds."""

    name: str
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]
    best: float | None = None  # highest mean
    learned_epoch: int | None = None  # first one, from 1, whose mean is at nine tenths of the best


class Curves(Record):
    """Learning curves, at evenly spaced epochs where there are many."""

    epochs: list[int]
    n_epochs: int  # that were trained
    n_seeds: int
    average: Curve
    groups: list[Curve]  # in the dataset's order


# --- one method ------------------------------------------------------------------------------


class Remaining(Record):
    """By how much a group still lies below others under the method that raised it."""

    to_average: Estimate  # the higher one: a method that brings everybody down repairs nobody
    same: str | None  # the name of the group of the same label where the cue is right
    same_index: int | None
    to_same: Estimate | None
    from_before: Estimate | None  # what the baseline had in `same`, minus what the method has in the group


class Repair(Record):
    """What a method's gain in the harmed group is worth."""

    status: Status
    costs: str  # what it does elsewhere, as the end of a sentence; empty where nothing speaks against it
    left: Remaining | None  # what is left of the gap


class FoundCueUse(Record):
    """Whether a method's models use a cue that nobody annotated."""

    name: str
    title: str
    part: str | None  # the place that tells most
    used: Status
    is_shortcut: bool  # used, and no class truly looks like it
    shift: Estimate | None  # towards the class that the donor's cue names; allows for all exchanged cues
    sentence: str


class MethodVerdict(Record):
    """What one method's numbers mean. Groups are indices into its `test.groups`."""

    needs: Need  # whose groups somebody must have annotated for it
    used: Rung  # the ladder's questions, asked of this method
    harmful: Rung
    not_asked: str | None  # why neither can be asked of it: a sentence; None where they can
    no_better: str | None  # in what it is no better than a constant, whatever it follows
    never_predicted: str  # the classes that it never names, as a sentence; empty where it names all
    # Accuracy of every group on test, in the data's order, with the interval that is printed wherever the
    # group is spoken of: it allows for any of them being picked.
    groups: list[GroupEstimate]
    # edit -> change of accuracy by group, the largest first, allowing for having picked it from all
    changes: dict[str, list[GroupEstimate]]
    # edit -> change of accuracy over all images, as it is printed; empty in reports of before it was kept
    overall_changes: dict[str, Estimate] = Field(default_factory=dict)
    worst: GroupEstimate | None  # of them the lowest that a limit protects; None below two of these
    clearly_worse: list[int]  # groups of any size, clearly below the average by what matters, lowest first
    uncounted: list[int]  # groups with too few test images to count, lowest first, those without any last
    below: list[float]  # group by group: it is certainly below every accuracy above this one
    served_worse: int | None  # the group that is shown to be served worse than the average
    shift: Shift | None
    no_shift: str  # why `shift` is None, as a sentence
    found_cues: list[FoundCueUse] = Field(default_factory=list)  # as exchanged, strongest first
    repair: Repair | None = None  # what its gain over the baseline is worth; None of the baseline
    curves: Curves | None = None  # None: no epoch was recorded
    removal: RemovalVerdict | None = None  # of a method that left images out
    dynamics: LearningDynamics | None = None  # None: as `curves`, and of before it was noted

    @property
    def clearly_bad_uncounted(self) -> list[int]:
        """The clearly worse groups that have too few test images to count."""
        return [group for group in self.clearly_worse if group in self.uncounted]


# --- everything ------------------------------------------------------------------------------


class IndicatorContrast(Record):
    """One indicator in the group that pays, beside all other images and the recommended method.

    Differences are toward worse (a positive one is worse) and hold for all contrasts of a verdict at once.
    """

    name: str
    title: str
    unit: Literal["share", "number"]
    here: Estimate  # the baseline in the group
    elsewhere: Estimate  # the baseline on images of all other groups
    difference: Estimate
    status: Literal["worse", "better", "not shown"]
    after: Estimate | None = None  # the recommended method in the group
    change: Estimate | None = None  # toward worse, by the method, on the same images
    change_status: Literal["worse", "better", "not shown"] | None = None


class Generalization(Record):
    """Whether the group that pays is also less calibrated, sensitive or robust, and what the fix does."""

    group: GroupEstimate
    method: str | None  # that is recommended
    contrasts: list[IndicatorContrast]
    finding: str
    fix_finding: str = ""


class MissingPart(Record):
    """A stage whose result the verdict goes without."""

    stage: Literal["evaluate", "attribute", "gradcam", "indicators", "hygiene", "cues"]
    method: str | None
    remedy: str  # the command that makes it; empty where nothing would
    why: str = ""  # nothing can be said, of a model that was trained elsewhere
    is_stale: bool = False  # there is one, made from other data than the rest


class Verdict(Artifact):
    """`verdict/<dataset>/verdict.json`: everything that is decided, once; what follows formats it."""

    headline: str
    brief: Brief
    baseline: str | None
    rungs: list[Rung]  # the ladder, in order; of the baseline where it is about a model
    recommendation: Recommendation
    next_steps: list[NextStep]
    thresholds: Thresholds
    # the worst of the baseline's that the cue misleads, else its worst one; None where too few images
    harmed_group: GroupEstimate | None
    methods: dict[str, MethodVerdict]  # the baseline first
    attribution: dict[str, AttributionVerdict]
    comparisons: list[MethodComparison]  # every other method with the baseline
    reliance: list[RelianceDifference]  # every other method beside the baseline
    reliance_finding: str = ""  # which methods rely less on the cue; empty where none was compared
    cue_gaps: list[CueGap] = Field(default_factory=list)  # cue by cue as they are ranked, method by method
    color_reliance: ColorReliance | None  # the baseline's, class by class
    cam_agreement: list[MapAgreement]
    edits: EditsVerdict | None = None  # None: no image was changed
    heat: dict[str, HeatVerdict] = Field(default_factory=dict)  # of every method with maps
    # parts of the images, named or not, in which the baseline and the recommended method err more
    slices: dict[str, MethodSlices] = Field(default_factory=dict)
    traits: list[GroupTrait] = Field(default_factory=list)  # what describes groups that were inferred
    leaking_sources: Estimate | None  # test images that share a scene or patient with training or validation
    missing: list[MissingPart] = Field(default_factory=list)
    not_trained: dict[str, str] = Field(default_factory=dict)  # method -> why these data do not allow it
    generalization: Generalization | None = None  # None: no group is shown to pay, or nothing was measured
    titles: Titles = Field(default_factory=Titles)  # what it, and the report, call what the files name
    made_from: dict[str, str] = Field(default_factory=dict)  # record that was read -> its sha256
