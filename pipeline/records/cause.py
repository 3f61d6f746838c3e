"""What the verdict says of causes: what leaving images out brought and why, how far scores can be trusted."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Estimate, Record
from pipeline.records.training import RemovalKind

Skill = Literal["nothing", "class", "rule", "beyond"]
ShareSize = Literal["over", "under", "even"]


# --- leaving images out -----------------------------------------------------------------------


class RemovalCurve(Record):
    """Validation accuracy of the worst group over the number of training images left out."""

    kind: RemovalKind
    n_removed: list[int]
    mean: list[float]  # over seeds
    low: list[float]  # the lowest seed
    high: list[float]
    n_seeds: list[int]


class RemovedGroup(Record):
    """How many of a training group's images were left out."""

    index: int  # of the group
    name: str
    n_train: int
    n_removed: int
    share: float  # of the group
    n_suspected: int | None = None  # of those left out, labels that look wrong; None: not looked for
    n_known_wrong: int | None = None  # of those left out; None: no wrong label is known
    n_found: int | None = None  # known wrong labels among the suspected


Cause = Literal["labels", "shortcut", "both", "unclear"]  # unclear: the parts cannot be told apart


class ExplainedGain(Record):
    """What leaving images out brings one group on test, and which part of it wrong labels explain.

    total = labels + rest, on the same test images and seeds; the intervals hold together.
    """

    group: str
    group_index: int
    n_suspected: int  # images left out for `labels`
    n_rest: int  # and those left out besides for `rest`
    total: Estimate  # all of them left out, minus the baseline
    labels: Estimate  # the suspected labels alone left out, minus the baseline
    rest: Estimate  # all of them left out, minus the suspected alone: what the shortcut leaves
    cause: Cause
    text: str  # the finding, in two sentences


class RemovalVerdict(Record):
    """What leaving images out did, size by size, whom it took them from, and what explains the gain."""

    curves: list[RemovalCurve]
    share_removed: float  # of all training images
    removed: list[RemovedGroup]  # largest share first
    n_suspected: int | None = None  # labels that look wrong among the images left out
    explained: ExplainedGain | None = None
    not_explained: str = ""  # why `explained` is None, as a sentence


# --- scores -----------------------------------------------------------------------------------


class HarmfulGroup(Record):
    """The listed most harmful images of one training group."""

    index: int
    name: str
    n: int
    n_suspected: int
    n_known_wrong: int | None  # None: no wrong label is known


class HarmfulLabels(Record):
    """How many of the most harmful images have a label that looks wrong to models that did without them."""

    n: int  # listed
    n_judged: int  # of them left out by `repair`: of the others nothing is known
    n_suspected: int
    n_known_wrong: int | None
    groups: list[HarmfulGroup]  # most images first


class AttributionVerdict(Record):
    """How far one method's attribution can be trusted."""

    skill: Skill | None  # what the scores foretell of retrained models; None: none was retrained
    rule: str  # what they add to a rule that knows groups only, in a sentence; empty where not measured
    harmful_shares: list[ShareSize]  # parallel to `AttributionResult.shares`
    helpful_shares: list[ShareSize]
    # ranking -> whether minority images are taken for wrong labels
    suspects: dict[str, str] = Field(default_factory=dict)
    agreement: str = ""  # how far the two lists of suspects agree; empty without two
    sizes: list[str] = Field(default_factory=list)  # whether scores can be read as sizes
    # None: no model did without any of these images, so nothing says how their labels look
    harmful_labels: HarmfulLabels | None = None
