"""What the other stages left for a report; parts that are not there are named, with what makes them.

Under `dvc repro` nothing is missing: the report waits for all. By hand it is also made of what is there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.hygiene_tables import fold_copies, load_odd_images
from pipeline.artifacts.maps import SavedMaps, load_maps
from pipeline.artifacts.not_trained import why_not_trained
from pipeline.artifacts.packing import StaleError, load_current
from pipeline.artifacts.paths import (
    attribution_dir,
    color_dir,
    data_folders,
    evaluation_dir,
    gradcam_dir,
    model_dir,
)
from pipeline.artifacts.predictions import load_predictions
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.audit.by_group import tell_color_by_group, tell_hygiene_by_group
from pipeline.core.errors import InputError
from pipeline.core.types import SPLIT_NAMES, Int64Array, Split
from pipeline.records.attribution import AttributionResult
from pipeline.records.base import Artifact
from pipeline.records.color import ColorResult
from pipeline.records.data import DatasetInfo
from pipeline.records.evaluation import EvaluationResult, MethodComparison
from pipeline.records.gradcam import GradcamResult, MapAgreement
from pipeline.records.hygiene import HygieneResult
from pipeline.records.training import TrainHistory
from pipeline.report.origins import trace_report
from pipeline.report.page.test_images import MethodOutcomes
from pipeline.report.records import MethodSettings, MissingPart
from pipeline.report.summary import ReportInputs
from pipeline.settings.methods import MethodName
from pipeline.settings.plans.report import ReportPlan
from pipeline.statistics.accuracy.worst_group import worst_of
from pipeline.statistics.comparison.compare import Contender, Target, compare_all
from pipeline.statistics.maps import compare_maps
from pipeline.verdict.evidence import Thresholds
from pipeline.verdict.harm import find_harm

_log = logging.getLogger(__name__)
A = TypeVar("A", bound=Artifact)


@dataclass
class Parts:
    """Reads what is there and notes what is not."""

    dataset: str
    info: DatasetInfo
    missing: list[MissingPart] = field(default_factory=list)

    def load(self, path: Path, kind: type[A], stage: str, method: str | None = None) -> A | None:
        """The record; None where there is none or one of other data. A damaged one is an error."""
        reason, is_stale = "does not exist", path.exists()
        if is_stale:
            try:
                return load_current(path, kind, self.info.packing if stage == "hygiene" else self.info.digest)
            except StaleError:
                reason = "was made from other data or groups than there are now"
        target = f"{stage}@{self.dataset}" + (f"-{method}" if method else "")
        self.missing.append(
            MissingPart(stage=stage, method=method, remedy=f"dvc repro {target}", is_stale=is_stale)
        )
        _log.warning("%s %s: the report goes without it. To add it: dvc repro %s", path, reason, target)
        return None

    def load_all(self, paths: Mapping[str, Path], kind: type[A], stage: str) -> dict[str, A]:
        """By method, without those that are not there."""
        found = {method: self.load(path, kind, stage, method) for method, path in paths.items()}
        return {method: record for method, record in found.items() if record is not None}


def gather(dataset: str, plan: ReportPlan) -> tuple[ReportInputs, dict[str, SavedMaps]]:
    """Everything the report says, and the GradCAM maps that its pictures show.

    Raises:
        ArtifactError: data, colors or the baseline's evaluation are missing or of other data, a method's
            training is of other data, or any file is damaged.
    """
    data = data_folders(dataset)
    info, splits = load_info(data), [load_split(data, name) for name in SPLIT_NAMES]
    test = splits[-1]
    parts, not_trained = Parts(dataset, info), _not_trained(dataset, plan)
    evaluations = _load_evaluations(parts, [m for m in plan.active_methods if m not in not_trained])
    methods: list[MethodName] = [m for m in plan.active_methods if m in evaluations]
    explained = [m for m in methods if m in plan.explained_methods]
    predicted: dict[str, Int64Array] = {
        m: load_predictions(evaluation_dir(dataset, m) / "predictions.parquet", test)[1] for m in methods
    }
    gradcams = parts.load_all(
        {m: gradcam_dir(dataset, m) / "gradcam.json" for m in explained}, GradcamResult, "gradcam"
    )
    maps = _load_maps(dataset, list(gradcams))
    params_hash = settings_hash(plan, *methods, "explained", *explained)
    seeds = sorted({seed for evaluation in evaluations.values() for seed in evaluation.seeds})
    inputs = ReportInputs(
        info=info,
        color=_color(dataset, splits, info, plan),
        histories={
            m: load_current(model_dir(dataset, m) / "history.json", TrainHistory, info.digest)
            for m in methods
        },
        evaluations=evaluations,
        attributions=parts.load_all(
            {m: attribution_dir(dataset, m) / "attribution.json" for m in explained},
            AttributionResult,
            "attribute",
        ),
        gradcams=gradcams,
        cam_agreement=_compare_cams(maps),
        outcomes=_outcomes(test, predicted, maps),
        hygiene=_hygiene(parts, splits, plan),
        comparisons=_compare(test, predicted, info, evaluations, plan),
        missing=parts.missing,
        not_trained=not_trained,
        settings=plan.report,
        color_settings=plan.color,
        evaluate_settings=plan.evaluate,
        method_settings={m: MethodSettings(**plan.methods[m].model_dump()) for m in methods},
        params_hash=params_hash,
        command=f"dvc repro report@{dataset}",
        provenance=trace_report(
            make_provenance(params_hash, seeds, data=info.digest, dated=True),
            dataset=dataset,
            methods=list(methods),
            params=plan.shown(),
        ),
    )
    return inputs, maps


def _color(dataset: str, splits: Sequence[Split], info: DatasetInfo, plan: ReportPlan) -> ColorResult:
    color = load_current(color_dir(dataset) / "color.json", ColorResult, info.packing)
    train, _, test = splits
    if info.attributes[0].origin == "derived":  # its association is tested as color tests the annotated ones'
        train, test = fold_copies(dataset, train, test)
    return tell_color_by_group(color, train, test, info, plan.color)


def _hygiene(parts: Parts, splits: Sequence[Split], plan: ReportPlan) -> HygieneResult | None:
    folder = color_dir(parts.dataset)
    hygiene = parts.load(folder / "hygiene.json", HygieneResult, "hygiene")
    if hygiene is None:
        return None
    is_odd = load_odd_images(folder / "odd_images.parquet", parts.info.packing)
    return tell_hygiene_by_group(hygiene, is_odd, splits, parts.info, plan.hygiene)


def _not_trained(dataset: str, plan: ReportPlan) -> dict[str, str]:
    """Active methods that these data do not allow to train, with the reasons.

    Raises:
        InputError: the baseline is one of them.
    """
    found = {m: why_not_trained("train", dataset, m) for m in plan.active_methods}
    reasons: dict[str, str] = {m: reason for m, reason in found.items() if reason is not None}
    baseline = plan.active_methods[0]
    if baseline in reasons:
        raise InputError(
            f"{baseline}, the first of active_methods and so the baseline, was not trained: "
            f"{reasons[baseline]} Or put another method first."
        )
    return reasons


def _load_evaluations(parts: Parts, methods: Sequence[MethodName]) -> dict[str, EvaluationResult]:
    """Of the first method, without which there is no report, and of those of the others that are there."""
    paths: dict[str, Path] = {m: evaluation_dir(parts.dataset, m) / "evaluation.json" for m in methods}
    baseline = methods[0]
    first: dict[str, EvaluationResult] = {
        baseline: load_current(paths.pop(baseline), EvaluationResult, parts.info.digest)
    }
    return first | parts.load_all(paths, EvaluationResult, "evaluate")


def _load_maps(dataset: str, methods: Sequence[str]) -> dict[str, SavedMaps]:
    """Every explained method's GradCAM maps, of the same test images."""
    maps: dict[str, SavedMaps] = {}
    for method in methods:
        path = gradcam_dir(dataset, method) / "maps.npz"
        maps[method] = load_maps(path, like=next(iter(maps.values()), None))
    return maps


def _compare(
    test: Split,
    predicted: Mapping[str, Int64Array],
    info: DatasetInfo,
    evaluations: Mapping[str, EvaluationResult],
    plan: ReportPlan,
) -> list[MethodComparison]:
    """Every method against the first one, on the same test images, in the group that pays."""
    correct = {method: found == test.labels for method, found in predicted.items()}
    baseline, *others = evaluations
    names = [g.name for g in info.groups]
    limits = Thresholds.from_settings(plan.evaluate, plan.report, plan.color)
    test_metrics = evaluations[baseline].test
    harm = find_harm(info, evaluations[baseline], limits)
    worst = worst_of(test_metrics)
    first, *rest = (Contender(m, correct[m], worst_of(evaluations[m].test)) for m in (baseline, *others))
    return compare_all(
        first,
        rest,
        test.groups,
        names,
        target=Target(harm.group.index, harm.n_candidates)
        if harm
        else Target(worst.group, len(worst.considered)),
        seed=0,
        sufficient=[g.sufficient for g in test_metrics.groups],
        sources_N=test.sources,
    )


def _outcomes(
    test: Split, predicted: Mapping[str, Int64Array], maps: Mapping[str, SavedMaps]
) -> dict[str, MethodOutcomes]:
    """What every method predicts on the test split, and what its first model's maps are of."""
    mapped = {
        method: dict(zip(found.ids_N.tolist(), found.predicted_SN[0].tolist(), strict=True))
        for method, found in maps.items()
    }
    return {m: MethodOutcomes(test.ids, found, mapped.get(m, {})) for m, found in predicted.items()}


def _compare_cams(maps: Mapping[str, SavedMaps]) -> list[MapAgreement]:
    """Maps of every method beside the first one's, on the same test images."""
    if not maps:
        return []
    baseline, *others = maps
    before = maps[baseline]
    found = []
    for method in others:
        after = maps[method]
        agreement = compare_maps(
            before.maps_SNhw,
            after.maps_SNhw,
            baseline=baseline,
            method=method,
            predicted=(before.predicted_SN, after.predicted_SN),
        )
        if agreement is not None:
            found.append(agreement)
    return found
