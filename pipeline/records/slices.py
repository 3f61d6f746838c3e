"""Parts of the images that nobody named and in which a model errs more."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Estimate, Record


class Slice(Record):
    """A part that validation mistakes pointed to, measured on test images.

    Intervals hold for all measured parts of the method at once, but for `rest`.
    """

    words: str  # which images: "Images among the darkest fifth and from camera “A”"
    conditions: list[str]  # that every one of them fulfills
    columns: list[str]  # what each condition is about: `class`, an attribute, a file fact, an image property
    n_val: int
    error_val: float  # share wrong there; picked for being high
    error: Estimate  # share of test images that are wrong
    rest: Estimate  # the share elsewhere
    beyond: Estimate  # `error` minus `rest`
    status: Literal["yes", "no", "insufficient"]  # whether it errs more than the rest
    is_grouped: bool = False  # nothing but what forms the groups says which images: their accuracy tells it
    sentence: str


class MethodSlices(Record):
    """What a search for parts with more mistakes found for one method."""

    status: Literal["found", "none", "insufficient"]
    finding: str  # what came of it, or why nothing can be said
    slices: list[Slice] = Field(default_factory=list)  # measured on test; those that hold first
    n_conditions: int = 0  # that were tried on validation images
    n_val: int = 0
    n_test: int = 0  # of no source that validation images are of
    n_shared: int = 0  # test images left out, since they share a source with validation images
    n_seeds: int = 0
    columns: list[str] = Field(default_factory=list)  # what the conditions were about


class GroupTrait(Record):
    """What describes a group that nobody named, inside its class."""

    group: int  # index
    name: str
    status: Literal["described", "none", "insufficient"]
    n_train: int  # images of the group
    n_test: int  # of no source that training images are of
    words: str = ""  # what was measured, whatever came of it: "images among the darkest third"
    conditions: list[str] = Field(default_factory=list)  # that they fulfill
    columns: list[str] = Field(default_factory=list)  # what each condition is about
    share: Estimate | None = None  # of the group's test images that are so; interval for all groups at once
    rest: Estimate | None = None  # the share of the rest of its class; interval for itself alone
    beyond: Estimate | None = None  # `share` minus `rest`
    sentence: str  # what follows the group's name
