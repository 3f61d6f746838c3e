"""Groups that nobody named: what describes each, and its most central training images."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.records.report import Report
from pipeline.records.slices import GroupTrait
from pipeline.report.page.group_rows import order_groups

SHOWN = 12  # groups, those that the baseline gets wrong most first


@dataclass(frozen=True)
class TraitShown:
    trait: GroupTrait
    ids: list[int]  # of training images, the most central first


def find_traits(report: Report) -> list[TraitShown]:
    """In the order of the groups' table."""
    known, central = {trait.group: trait for trait in report.verdict.traits}, report.dataset.central
    order = [group for group, _ in order_groups(report) if group in known] if report.methods else [*known]
    return [TraitShown(known[g], central[g] if g < len(central) else []) for g in order[:SHOWN]]
