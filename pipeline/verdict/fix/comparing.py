"""Every method beside the baseline on the same test images: what they predict, and where they look.

Shape legend: S seeds, N test images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.artifacts.maps import SavedMaps
from pipeline.core.types import BoolArray, Split
from pipeline.records.data import DatasetInfo
from pipeline.records.evaluation import EvaluationResult, MethodComparison
from pipeline.records.gradcam import MapAgreement
from pipeline.records.verdict import Thresholds
from pipeline.statistics.accuracy.worst_group import worst_of
from pipeline.statistics.comparison.compare import Contender, Target, compare_all
from pipeline.statistics.maps import compare_maps
from pipeline.verdict.harm.paying import find_harm


def compare_predictions(
    correct: Mapping[str, BoolArray],
    test: Split,
    info: DatasetInfo,
    evaluations: Sequence[EvaluationResult],
    limits: Thresholds,
) -> list[MethodComparison]:
    """Every other method against the baseline, in the group that pays.

    Args:
        correct: method -> whether its seeds are right on the test images, S x N.
        evaluations: the baseline first.
    """
    first, *rest = (Contender(e.method, correct[e.method], worst_of(e.test)) for e in evaluations)
    return compare_all(
        first,
        rest,
        test.groups,
        [group.name for group in info.groups],
        target=compared_group(info, evaluations[0], limits),
        seed=0,
        sufficient=[g.sufficient for g in evaluations[0].test.groups],
        sources_N=test.sources,
    )


def compared_group(info: DatasetInfo, baseline: EvaluationResult, limits: Thresholds) -> Target:
    """The group that pays for the cue, else the worst, and from how many it was picked."""
    harm, worst = find_harm(info, baseline, limits), worst_of(baseline.test)
    return Target(harm.group.index, harm.n_candidates) if harm else Target(worst.group, len(worst.considered))


def compare_cams(maps: Mapping[str, SavedMaps]) -> list[MapAgreement]:
    """Maps of every method beside the first one's, on the same test images."""
    if not maps:
        return []
    baseline, *others = maps
    before = maps[baseline]
    compared = (
        compare_maps(
            before.maps_SNhw,
            maps[method].maps_SNhw,
            baseline=baseline,
            method=method,
            predicted=(before.predicted_SN, maps[method].predicted_SN),
        )
        for method in others
    )
    return [agreement for agreement in compared if agreement is not None]
