"""How many of the images that do most harm have a wrong label."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pipeline.core.words import count, join_names, quoted
from pipeline.records.attribution import Influence
from pipeline.records.cause import HarmfulGroup, HarmfulLabels
from pipeline.records.data import GroupInfo
from pipeline.records.training import Removal

GROUPS_NAMED = 2


def count_wrong_labels(
    harmful: Sequence[Influence],
    removal: Removal | None,
    groups: Sequence[GroupInfo],
    known_wrong: Collection[int] | None,
) -> HarmfulLabels | None:
    """Suspected and known wrong labels among the listed harmful images, by training group.

    Args:
        known_wrong: ids of all training images whose label is known to be wrong; None where nothing is known.

    Returns:
        None where no model did without any of them, so that nothing says how their labels look.
    """
    left_out = (
        {found.kind: set(found.ids) for found in removal.left_out if found.seed is None} if removal else {}
    )
    judged = left_out.get("repair", set[int]()) & {one.id for one in harmful}
    if not judged:
        return None
    suspected, wrong = left_out.get("suspected", set[int]()), set(known_wrong or ())
    by_group: dict[int, list[int]] = {}
    for one in harmful:
        by_group.setdefault(one.group, []).append(one.id)
    found = [
        HarmfulGroup(
            index=group,
            name=groups[group].name,
            n=len(ids),
            n_suspected=len(suspected.intersection(ids)),
            n_known_wrong=None if known_wrong is None else len(wrong.intersection(ids)),
        )
        for group, ids in by_group.items()
    ]
    return HarmfulLabels(
        n=len(harmful),
        n_judged=len(judged),
        n_suspected=sum(group.n_suspected for group in found),
        n_known_wrong=None if known_wrong is None else sum(group.n_known_wrong or 0 for group in found),
        groups=sorted(found, key=lambda group: -group.n),
    )


def wrong_labels_text(found: HarmfulLabels) -> str:
    """The counts in a sentence: all, and the groups with most suspected ones."""
    known = "" if found.n_known_wrong is None else f" ({count(found.n_known_wrong)} are known to be wrong)"
    unasked = found.n - found.n_judged
    rest = f"; {count(unasked)} were not asked about" if unasked else ""
    told = sorted((g for g in found.groups if g.n_suspected), key=lambda group: -group.n_suspected)
    where = [f"{count(g.n_suspected)} of {count(g.n)} in {quoted(g.name)}" for g in told[:GROUPS_NAMED]]
    named = f": {join_names(where)}" if len(found.groups) > 1 and where else ""
    return (
        f"Of the {count(found.n)} most harmful training images {count(found.n_suspected)} have a label that "
        f"looks wrong{known}{named}{rest}."
    )
