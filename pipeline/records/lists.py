"""Every list of images that a report speaks of, complete: what people open, copy and act on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Record

ListKind = Literal[
    "harmful",  # training images that hurt the worst group
    "helpful",  # those that help it
    "behind",  # those behind single test images
    "suspected",  # training images whose label looks wrong
    "removed",  # training images that a method left out
    "leaking",  # test images with a twin in training or validation
    "contradicting",  # images of sets of duplicates whose labels differ
    "duplicates",  # images of all sets of duplicates
    "odd",  # dark, bright, blurry, of little information, grey
    "failures",  # test images that most seeds get wrong
]
Cell = int | float | bool | str | None
CLASS_COLUMNS = ("suggested", "predicted")  # an index into the classes


class ListedImages(Record):
    """Every image that any list holds, once, by rising id; the columns run in parallel."""

    ids: list[int] = Field(default_factory=list)
    files: list[str] = Field(default_factory=list)
    splits: list[str] = Field(default_factory=list)
    labels: list[int] = Field(default_factory=list)  # index into the classes
    groups: list[int] = Field(default_factory=list)  # index into the groups
    known_wrong: list[bool] | None = None  # of the label; None where nothing is known of any


class ImageList(Record):
    """The images of one list, all of them and in its order; an image may stand in it more than once."""

    kind: ListKind
    name: str  # in two to five words, where what it is about is known
    title: str
    rule: str  # what puts an image here
    method: str | None = None  # whose models say so; None: the images themselves
    order: str  # in words, from the first image to the last
    ids: list[int]
    # beside the ids, one entry each: `score`, `seed`, `set`, `target`, ...; `CLASS_COLUMNS` hold classes
    columns: dict[str, list[Cell]] = Field(default_factory=dict)


def list_key(kind: ListKind, *parts: str) -> str:
    """A list's name in the JSON, of its exported table and on the page: "suspected_erm_aum".

    >>> list_key("suspected", "erm", "aum")
    'suspected_erm_aum'
    """
    return "_".join((kind, *parts))
