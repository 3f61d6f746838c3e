"""What describes a group that nobody named: what holds of most of it, and not of the rest of its class.

Shape legend: N images, C conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.core.types import BoolArray, Int64Array
from pipeline.core.words import count, join_names, percent
from pipeline.records.data import GroupInfo
from pipeline.records.slices import GroupTrait
from pipeline.statistics.slices import Measured, Mistakes, Part, find_parts, inside, measure_parts
from pipeline.verdict.harm.conditions import Condition, Described, make_conditions
from pipeline.verdict.harm.telling import columns_of, holds, tell
from pipeline.verdict.phrases import percent_interval

MOST_CONDITIONS = 2  # of a name: a third is no plain word any more
MOST_READ = 5_000  # training images of a class: what they cannot name is no name
LEAST = 10  # training and test images of a group, and of the rest of its class
MOSTLY = 0.5  # of a group
LEAST_APART = 0.2  # share of the group beyond the share of the rest, which a name says at least


@dataclass(frozen=True)
class Grouped:
    """What is known of a split's images, and the group of each."""

    described: Described
    groups_N: Int64Array
    sources_N: Int64Array | None = None

    def take(self, rows: BoolArray) -> Grouped:
        """The same of some images."""
        kept = np.flatnonzero(rows)
        sources_N = None if self.sources_N is None else self.sources_N[kept]
        return Grouped(self.described.take(kept), self.groups_N[kept], sources_N)

    @property
    def rest(self) -> str:
        """What a group is beside, of these images: a superclass has several classes."""
        return "the rest of its class" if len(set(self.described.labels)) <= 1 else "the rest of its classes"


def name_groups(groups: Sequence[GroupInfo], train: Grouped, test: Grouped) -> list[GroupTrait]:
    """Of every group beside another one of its class: found on training images, measured on test images.

    Test images of a source that training images are of are left out: they would repeat them.
    """
    if train.sources_N is not None and test.sources_N is not None:
        test = test.take(~np.isin(test.sources_N, train.sources_N))
    labels = {int(g): groups[g].label for g in np.unique(train.groups_N)}
    shared = [g for g, label in labels.items() if [*labels.values()].count(label) > 1]
    found = list[GroupTrait]()
    for label in dict.fromkeys(labels[g] for g in shared):
        members = [g for g in shared if labels[g] == label]
        own_train, own_test = (part.take(np.isin(part.groups_N, members)) for part in (train, test))
        found += _name_within(groups, members, own_train, own_test, len(shared))
    return found


def _name_within(
    groups: Sequence[GroupInfo],
    members: Sequence[int],
    train: Grouped,
    test: Grouped,
    n_named: int,
) -> list[GroupTrait]:
    """The groups of one class, of which only its own images are given."""
    n_train = {g: int((train.groups_N == g).sum()) for g in members}
    if len(train.groups_N) > MOST_READ:
        chosen = np.zeros(len(train.groups_N), bool)
        chosen[np.random.default_rng(0).permutation(len(chosen))[:MOST_READ]] = True
        train = train.take(chosen)
    conditions = make_conditions(train.described, test.described, LEAST)
    named = [_name(g, groups[g].name, conditions, train, test, n_named) for g in members]
    return [trait.model_copy(update={"n_train": n_train[trait.group]}) for trait in named]


def _name(
    group: int,
    name: str,
    conditions: Sequence[Condition],
    train: Grouped,
    test: Grouped,
    n_named: int,
) -> GroupTrait:
    is_own_train, is_own_test = train.groups_N == group, test.groups_N == group
    n_train = int(is_own_train.sum())
    blank = GroupTrait(
        group=group,
        name=name,
        status="insufficient",
        n_train=n_train,
        n_test=int(is_own_test.sum()),
        sentence="",
    )
    if min(n_train, len(is_own_train) - n_train) < LEAST:
        return _said(blank, _too_few("training", is_own_train, train.rest))
    found_on_NC = holds(conditions, "val_N")  # of the split that conditions are made on, here train
    own = Mistakes(is_own_train[None], found_on_NC, train.sources_N)
    parts = find_parts(own, least=LEAST, min_effect=0.0, depth=MOST_CONDITIONS)
    if not parts:
        return _said(blank, _NOTHING, "none")
    if min(blank.n_test, len(is_own_test) - blank.n_test) < LEAST:
        return _said(blank, _too_few("test", is_own_test, train.rest))
    return _measured(blank, parts[0], conditions, is_own_test, test, train.rest, n_named)


def _too_few(split: str, is_own_N: BoolArray, rest: str) -> str:
    n = int(is_own_N.sum())
    return (
        f"too few {split} images to describe it: {count(n)}, and {count(len(is_own_N) - n)} of {rest}, "
        f"of which {count(LEAST)} each are needed"
    )


_NOTHING = "nothing that was measured describes it: see its pictures"


def _measured(
    blank: GroupTrait,
    part: Part,
    conditions: Sequence[Condition],
    is_own_N: BoolArray,
    test: Grouped,
    rest: str,
    n_named: int,
) -> GroupTrait:
    """How much of the group, and of the rest of its class, is as the training images say."""
    holds_N = inside(part.literals, holds(conditions, "test_N"))
    shares = Mistakes(holds_N[None], is_own_N[:, None], test.sources_N)
    found: Measured = measure_parts([((0, True),)], shares, n_named)[0]
    told = tell(part, conditions)
    status: Literal["described", "none", "insufficient"] = "insufficient"
    if found.beyond.low > LEAST_APART:
        status = "described"
    elif found.beyond.value < LEAST_APART:
        status = "none"
    size = (
        f"{percent(found.error.value, 0)} of it {percent_interval(found.error)}, "
        f"{percent(found.rest.value, 0)} of {rest} (n = {count(found.error.n)})"
    )
    words = f"images {join_names(told)}"
    how = "mostly" if found.error.value >= MOSTLY else "more often"
    sentence = {
        "described": f"{how} {words}: {size}",
        "none": _NOTHING,
        "insufficient": f"perhaps {words}, which too few test images show: {size}",
    }[status]
    return blank.model_copy(
        update={
            "status": status,
            "words": words,
            "conditions": told,
            "columns": columns_of([conditions[c] for c, _ in part.literals]),
            "share": found.error,
            "rest": found.rest,
            "beyond": found.beyond,
            "sentence": sentence,
        }
    )


def _said(
    blank: GroupTrait, why: str, status: Literal["none", "insufficient"] = "insufficient"
) -> GroupTrait:
    return blank.model_copy(update={"status": status, "sentence": why})
