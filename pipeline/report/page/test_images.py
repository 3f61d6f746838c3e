"""Test images shown one by one: what every method makes of them, and which have what to look at.

Shape legend: S models (seeds), N test images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.core.types import Int64Array
from pipeline.records.attribution import AttributionResult, TargetAttribution
from pipeline.records.report import ImageOutcome, TestImage


@dataclass(frozen=True)
class MethodOutcomes:
    """What one method's models predict on the test split, and which images have a GradCAM map."""

    ids_N: Int64Array
    predicted_SN: Int64Array  # class
    map_classes: Mapping[int, int] = field(default_factory=dict)  # image id -> class the map is of


def choose_images(
    attributions: Mapping[str, AttributionResult], worst: Mapping[str, int | None], n_shown: int
) -> list[TargetAttribution]:
    """Images to show: every explained method adds its own failures in its own worst group.

    Methods take turns, so that each has its part of `n_shown`; an image is shown once.

    Args:
        worst: index of each method's worst group on test.
    """
    listed = {m: choose_targets(a.targets, worst.get(m), n_shown) for m, a in attributions.items()}
    chosen: dict[int, TargetAttribution] = {}
    for rank in range(n_shown):
        for targets in listed.values():
            if rank < len(targets) and len(chosen) < n_shown:
                chosen.setdefault(targets[rank].id, targets[rank])
    return list(chosen.values())


def choose_targets(
    targets: Sequence[TargetAttribution], worst: int | None, n_shown: int
) -> list[TargetAttribution]:
    """Targets to show: half from the worst group, the rest one group after the other.

    Within a group the ones most seeds get wrong come first.
    """
    by_group: dict[int, list[TargetAttribution]] = {}
    for target in sorted(targets, key=lambda t: (t.correct_share, t.id)):
        by_group.setdefault(target.group, []).append(target)
    first = by_group.pop(worst, []) if worst is not None else []
    n_first = max((n_shown + 1) // 2, n_shown - sum(map(len, by_group.values())))
    chosen = first[:n_first]
    queues = [by_group[group] for group in sorted(by_group)]
    rank = 0
    while len(chosen) < n_shown and any(rank < len(queue) for queue in queues):
        chosen += [queue[rank] for queue in queues if rank < len(queue)]
        rank += 1
    return chosen[:n_shown]


def describe_images(
    chosen: Sequence[TargetAttribution], outcomes: Mapping[str, MethodOutcomes]
) -> list[TestImage]:
    """The chosen images with what each method makes of them; methods without predictions are left out."""
    places = {m: {int(i): n for n, i in enumerate(found.ids_N)} for m, found in outcomes.items()}
    return [
        TestImage(
            id=target.id,
            label=target.label,
            group=target.group,
            methods={
                m: _outcome(found, places[m][target.id], target)
                for m, found in outcomes.items()
                if target.id in places[m]
            },
        )
        for target in chosen
    ]


def _outcome(found: MethodOutcomes, place: int, target: TargetAttribution) -> ImageOutcome:
    predicted_S = found.predicted_SN[:, place]
    return ImageOutcome(
        predicted=most_predicted(predicted_S),
        correct_share=float((predicted_S == target.label).mean()),
        n_seeds=len(predicted_S),
        map_class=found.map_classes.get(target.id),
    )


def most_predicted(predicted_S: Int64Array) -> int:
    """The class that most seeds predict; of a tie the one with the lower number.

    >>> most_predicted(np.array([2, 1, 2, 1]))
    1
    """
    classes, votes = np.unique(predicted_S, return_counts=True)
    return int(classes[votes.argmax()])
