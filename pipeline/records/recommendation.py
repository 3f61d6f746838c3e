"""Which method to use instead of the baseline: chosen on validation images, with its price on test images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Estimate, GroupEstimate, Record

# images whose groups somebody must have annotated; who needs those of training needs those of validation, too
Need = Literal["nothing", "validation", "training", "unknown"]
Action = Literal["use", "keep", "cannot_tell"]  # keep: the baseline


class Candidate(Record):
    """What validation images say of one method."""

    method: str
    needs: Need
    why_not: str = ""  # why they cannot judge it, as the end of a sentence; empty where they can
    worst: GroupEstimate | None = None  # its lowest validation group, of those that are compared
    # by how much that lies below the leader's, paired; allows for the number of methods. None of the leader
    behind: Estimate | None = None
    n_falling: int = 0  # validation groups that clearly lose against the baseline


class Validation(Record):
    """What validation images say of all methods; the test split has no say here."""

    candidates: list[Candidate] = Field(default_factory=list)  # all but the baseline, the leader first
    lead: Estimate | None = (
        None  # of the leader's lowest group over the baseline's; None: nobody can be judged
    )
    groups: list[int] = Field(default_factory=list)  # that are compared


class Recommendation(Record):
    """What to do, and its price on test images."""

    action: Action
    method: str | None  # what to use instead of the baseline; None unless `action` is "use"
    reason: str  # in a sentence or two
    chosen: str | None = None  # what validation chose, whether or not test images confirm it
    tied: list[str] = Field(
        default_factory=list
    )  # not shown to be worse than the leader; the chosen one first
    needs: Need | None = None  # of `chosen`, as all that follows
    gain: Estimate | None = None  # test, in `Verdict.harmed_group`: the comparison's own
    average: Estimate | None = None  # test: change of the average, paired; negative: it costs
    falls: list[GroupEstimate] = Field(
        default_factory=list
    )  # test: changes of groups that lose, largest first
    price: str = ""  # needs, average and falls in a sentence
    validation: Validation = Validation()
