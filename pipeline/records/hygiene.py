"""Whether the images themselves are in order: duplicates, leakage, outliers, balance.

Hygiene runs before there are groups: `audit.by_group` fills in what is told by group.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Artifact, Estimate, GroupEstimate, Record


class DuplicateSet(Record):
    """Images that show the same thing; parallel lists, in the order of the ids."""

    ids: list[int]
    splits: list[str]
    labels: list[int]
    similarity: float  # the weakest of the links that join the set, 1 = identical


class DuplicateSummary(Record):
    """Exact or near duplicates over all splits."""

    kind: Literal["exact", "near"]  # near sets hold images that are not all identical
    rule: str  # in words, with its threshold
    n_sets: int
    n_images: int  # images that belong to a set
    n_leaking: int  # test images with a twin in train or val
    leaking: Estimate  # their share of the test images
    n_conflicting: int  # sets whose images carry different labels
    sets: list[DuplicateSet]  # all, leaking and conflicting ones first


class ImageIssue(Record):
    """One kind of odd image."""

    name: Literal["dark", "bright", "blurry", "low_information", "grey"]
    rule: str  # in words, with its threshold
    n: int
    share: Estimate  # of all images
    ids: list[int]  # all, most extreme first
    # told by group
    groups: list[GroupEstimate] = Field(default_factory=list)  # share per group over all splits
    p_value: float | None = None  # that the share is the same in all groups; None where too few to say
    q_value: float | None = None  # Benjamini-Hochberg over the kinds

    @property
    def most_affected(self) -> GroupEstimate | None:
        """The group with the largest share, None where no group with enough images has any."""
        known = [group for group in self.groups if group.sufficient and group.value > 0]
        return max(known, key=lambda group: group.value, default=None)


class Balance(Record):
    """How evenly a split's images spread over classes or groups."""

    over: Literal["classes", "groups"]
    split: str
    n_cells: int
    n_empty: int
    smallest: int  # images in the smallest cell that is not empty
    smallest_name: str
    largest: int
    largest_name: str
    effective_cells: float  # exp of the entropy: how many equal cells would be as uneven


class HygieneResult(Artifact):
    """`audit/<dataset>/hygiene.json`."""

    n_images: int
    duplicates: list[DuplicateSummary]
    issues: list[ImageIssue]
    balance: list[Balance] = Field(default_factory=list)  # told by group
    seconds: float
