"""Images left out on purpose against as many others left out, or some of them, on the same test images.

Shape legend: S seeds, N images.
"""

from __future__ import annotations

from pipeline.core.types import BoolArray, Int64Array
from pipeline.records.evaluation import RemovalComparison, RemovalControl, SplitMetrics
from pipeline.statistics.accuracy.worst_group import worst_of
from pipeline.statistics.comparison.compare import Contender, Target, compare_methods


def compare_removal(
    control: RemovalControl,
    control_SN: BoolArray,
    repaired_SN: BoolArray,
    groups_N: Int64Array,
    *,
    metrics: tuple[SplitMetrics, SplitMetrics],
    n_removed: int,
    seed: int,
    sources_N: Int64Array | None = None,
) -> RemovalComparison:
    """Gain of the repaired models over a control's, in the control's worst group and of the worst groups.

    Args:
        control_SN, repaired_SN: whether seed s is right on image n.
        metrics: of the control's and of the repaired models.
        sources_N: as `compare_methods`.

    Raises:
        InputError: as `compare_methods`.
    """
    of_control, of_repaired = metrics
    found = compare_methods(
        Contender(control, control_SN, worst_of(of_control)),
        Contender("repair", repaired_SN, worst_of(of_repaired)),
        groups_N,
        [group.name for group in of_control.groups],
        target=Target(of_control.worst_group.index, n_picked=len(of_control.considered)),
        seed=seed,
        sources_N=sources_N,
    )
    return RemovalComparison(
        control=control,
        n_removed=n_removed,
        n_seeds=min(len(control_SN), len(repaired_SN)),
        control_worst=of_control.worst_group,
        gain=found.gain,
        worst_group_gain=found.worst_group_gain,
        p_value=found.p_value,
    )
