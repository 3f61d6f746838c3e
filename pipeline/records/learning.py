"""What the epochs of a method say: what it learned first, jumps, delays, and where to stop."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Estimate, GroupEstimate, Record


class Followed(Record):
    """What conflicting validation images are given, epoch by epoch: means over seeds."""

    epochs: list[int]  # from 0, at most 150 evenly spaced ones
    label: list[float]  # share given its label
    cue: list[float]  # share given the class that its cue speaks for
    n_images: int


class FirstLearned(Record):
    first: Literal["cue first", "label first", "cannot tell"]
    lead: Estimate | None  # label's share minus the cue's while the fit is made; `n` counts seeds
    n_epochs: float  # over which, mean over seeds
    sentence: str


class LevelCrossing(Record):
    """From when on accuracy stays at or above a level."""

    split: Literal["train", "val"]
    of: Literal["accuracy", "best"]  # the level is an accuracy, or a share of the curve's own best
    level: float
    n_crossed: int  # seeds that get there
    steps: Estimate | None  # None: not all do, or there is one; `n` counts seeds


class DelayedGeneralization(Record):
    steps: Estimate | None  # from training's crossing to validation's; None: a curve falls again, or one seed
    is_delayed: bool
    sentence: str


class Jumps(Record):
    """An abrupt change of the validation average, in more than half of the seeds."""

    n_seeds: int  # that jump; 0 with fewer than eight epochs, too
    epoch: int | None  # from 0, median; None: it learned smoothly
    size: float | None
    sentence: str


class EarlyStop(Record):
    epoch: int  # after which to stop, from 0
    fall: GroupEstimate  # of the group's accuracy on validation from there to the end; `n` counts seeds


class StepSizes(Record):
    """The monitor of the learning rate at one epoch: means over seeds."""

    epoch: int
    gradient_norm: float
    parameter_norm: float
    update_norm: float
    moved: dict[str, float]  # by part of the network: way of the epoch as a share of its norm


class LearningDynamics(Record):
    n_steps: int  # of an epoch
    followed: Followed | None  # None: no annotated attribute speaks for another class
    first: FirstLearned | None
    crossings: list[LevelCrossing]
    delay: DelayedGeneralization
    jumps: Jumps
    stops: list[EarlyStop] = Field(default_factory=list)  # groups that fall clearly, the largest fall first
    stop_sentence: str
    sizes: list[StepSizes]  # of the first and the last epoch
