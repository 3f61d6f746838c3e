"""Images left out on purpose against as many others left out, on the same test images.

Shape legend: S seeds, N images.
"""

from __future__ import annotations

from typing import Literal

from pipeline.core.types import BoolArray, Int64Array
from pipeline.records.evaluation import RemovalComparison, SplitMetrics
from pipeline.statistics.comparison.compare import Target, compare_methods


def compare_removal(
    control: Literal["random", "balanced"],
    control_SN: BoolArray,
    repaired_SN: BoolArray,
    groups_N: Int64Array,
    *,
    control_metrics: SplitMetrics,
    n_removed: int,
    seed: int,
    sources_N: Int64Array | None = None,
) -> RemovalComparison:
    """Gain of the repaired models over a control's, in the control's worst group and of the worst groups.

    Args:
        control_SN, repaired_SN: whether seed s is right on image n.
        control_metrics: those of `control_SN`: its worst group is one with enough images.
        sources_N: as `compare_methods`.

    Raises:
        InputError: as `compare_methods`.
    """
    names = [group.name for group in control_metrics.groups]
    found = compare_methods(
        control_SN,
        repaired_SN,
        groups_N,
        names,
        baseline_name=control,
        method_name="repair",
        target=Target(
            names.index(control_metrics.worst_group.name),
            n_picked=sum(group.n > 0 for group in control_metrics.groups),
        ),
        seed=seed,
        sources_N=sources_N,
    )
    return RemovalComparison(
        control=control,
        n_removed=n_removed,
        n_seeds=min(len(control_SN), len(repaired_SN)),
        control_worst=control_metrics.worst_group,
        gain=found.gain,
        worst_group_gain=found.worst_group_gain,
        p_value=found.p_value,
    )
