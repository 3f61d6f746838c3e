"""How a model generalizes beyond accuracy: indicators with intervals, over all images and by group."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Artifact, Estimate, GroupEstimate, Record

Unit = Literal["share", "number"]  # share: shown in percent
Better = Literal["lower", "higher", "neither"]


class IndicatorPart(Record):
    """One of the numbers that an indicator of whole networks is made of."""

    name: str
    title: str
    estimate: Estimate  # over networks; `n` counts these
    threshold: float | None = None  # chance alone reaches it in 5 %


class IndicatorCurve(Record):
    """The picture behind a number, of all images or of one group; lists are point by point."""

    name: str  # `all`, or the group's
    index: int | None = None  # of the group in its dataset, or of the class where classes are the groups
    x: list[float]  # rising
    y: list[float]
    low: list[float]
    high: list[float]
    n: list[int]  # images, however many networks answered


class Indicator(Record):
    """One indicator of one method; `why_not` where it could not be measured."""

    name: str
    title: str
    sees: str  # one plain sentence
    unit: Unit
    better: Better
    source: str
    holds_accuracy: bool = False  # a group that is right less often is worse by it whatever else is true
    n_models: int = 0
    # how one number is made of several images, one of `statistics.generalization.named`; of an image's number
    statistic: str = "mean"
    least: float = 0.0
    most: float | None = None  # None: unbounded
    overall: Estimate | None = None  # over the images looked at, which have as many of each group if few
    groups: list[GroupEstimate] = Field(default_factory=list)  # those with images, in the dataset's order
    curves: list[IndicatorCurve] = Field(default_factory=list)  # all images, then groups with enough of them
    parts: list[IndicatorPart] = Field(default_factory=list)  # the first one leads
    notes: list[str] = Field(default_factory=list)
    why_not: str = ""


class IndicatorsResult(Artifact):
    """`indicators/<dataset>/<method>/indicators.json`."""

    method: str
    indicators: list[Indicator]

    def find(self, name: str) -> Indicator | None:
        """The indicator of that name, where it was measured."""
        return next((i for i in self.indicators if i.name == name and not i.why_not), None)
