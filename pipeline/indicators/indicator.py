"""What an indicator is: one number of each image, or of each network, and how people read it.

Shape legend: S networks (seeds), R images looked at, C columns that one image's number is made of, B points.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array, Int64Array
from pipeline.indicators.subject import Subject
from pipeline.records.indicators import Better, Unit

Statistic = Callable[[Float64Array], float]  # of S x n x C, the images of one group


class Curve(NamedTuple):
    """What is drawn of some images; the interval takes every image as one, however many networks answered."""

    x_B: Float64Array
    y_B: Float64Array
    low_B: Float64Array  # of y, 95 %
    high_B: Float64Array
    n_B: Int64Array  # images


class UnmeasuredError(InputError):
    """An indicator says nothing of this model or these data; the message is the reason, for people."""


@dataclass(frozen=True)
class Words:
    """How an indicator is told."""

    title: str  # such as `calibration error`
    sees: str  # one plain sentence: what the number says
    unit: Unit
    better: Better
    source: str  # the publication that it is defined in
    holds_accuracy: bool = False  # a group that is right less often is worse by it whatever else is true


@dataclass(frozen=True)
class ByImage:
    """What `ImageIndicator.per_image` measured, S x R x C; NaN in all columns: not measured of this image."""

    values_SRC: Float64Array
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ByModel:
    """What `ModelIndicator.per_model` measured: named numbers, each of S networks; the first one leads."""

    parts: Mapping[str, list[float]]
    titles: Mapping[str, str] = field(default_factory=dict)  # of the parts, for people
    thresholds: Mapping[str, float] = field(default_factory=dict)  # of a part: chance alone reaches it in 5 %
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageIndicator:
    """A number of every image; a group's is the mean over its images, or a statistic of them."""

    name: str  # its file's name
    words: Words
    per_image: Callable[[Subject], ByImage]
    images: Literal["all", "sample"]  # of test: all, or `Subject.sample` where it is expensive
    statistic: Statistic | None = None  # None: mean over images and networks of the only column
    least: float = 0.0  # smallest and largest value that the number can have
    most: float = float("inf")
    curve: Callable[[Float64Array], Curve] | None = None  # of S x n x C, the images of one group


@dataclass(frozen=True)
class ModelIndicator:
    """A number of a network as a whole, which belongs to no group."""

    name: str
    words: Words
    per_model: Callable[[Subject], ByModel]
    least: float = float("-inf")  # smallest and largest value that its numbers can have
    most: float = float("inf")


Indicator = ImageIndicator | ModelIndicator
