"""What the other stages left for a report; parts that are not there are named, with what makes them.

Under `dvc repro` nothing is missing: the report waits for all. By hand it is also made of what is there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.files import load_artifact
from pipeline.artifacts.maps import SavedMaps, load_maps
from pipeline.artifacts.not_trained import why_not_trained
from pipeline.artifacts.paths import (
    attribution_dir,
    color_dir,
    dataset_dir,
    evaluation_dir,
    gradcam_dir,
    model_dir,
)
from pipeline.artifacts.predictions import load_predictions
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.core.errors import InputError
from pipeline.core.method_settings import MethodName
from pipeline.core.results import (
    Artifact,
    AttributionResult,
    ColorResult,
    DatasetInfo,
    EvaluationResult,
    GradcamResult,
    HygieneResult,
    MapAgreement,
    MethodComparison,
    TrainHistory,
)
from pipeline.core.settings import DatasetSettings, Params
from pipeline.core.types import Int64Array, Split
from pipeline.metrics.comparison import compare_all
from pipeline.metrics.maps import compare_maps
from pipeline.report.evidence import Thresholds
from pipeline.report.harm import find_harm
from pipeline.report.records import MethodSettings, MissingPart
from pipeline.report.summary import ReportInputs
from pipeline.report.test_images import MethodOutcomes
from pipeline.stages.origins import trace_report

_log = logging.getLogger(__name__)
A = TypeVar("A", bound=Artifact)


@dataclass
class Parts:
    """Reads what is there and notes what is not."""

    dataset: str
    missing: list[MissingPart] = field(default_factory=list)

    def has(self, path: Path, stage: str, method: str | None = None) -> bool:
        if path.exists():
            return True
        target = f"{stage}@{self.dataset}" + (f"-{method}" if method else "")
        self.missing.append(MissingPart(stage=stage, method=method, remedy=f"dvc repro {target}"))
        _log.warning("%s does not exist: the report goes without it. To add it: dvc repro %s", path, target)
        return False

    def load(self, path: Path, kind: type[A], stage: str, method: str | None = None) -> A | None:
        """The record, or None where there is none; a damaged one is an error."""
        return load_artifact(path, kind) if self.has(path, stage, method) else None


def gather(dataset: str, params: Params) -> tuple[ReportInputs, dict[str, SavedMaps]]:
    """Everything the report says, and the GradCAM maps that its pictures show.

    Raises:
        ArtifactError: data, colors or the baseline's evaluation are missing, or any file is damaged.
    """
    settings, parts = params.dataset(dataset), Parts(dataset)
    data, baseline = dataset_dir(dataset), params.active_methods[0]
    info, test = load_info(data), load_split(data, "test")
    not_trained = _not_trained(dataset, params)
    methods: list[MethodName] = [
        m
        for m in params.active_methods
        if m not in not_trained
        if m == baseline or parts.has(evaluation_dir(dataset, m) / "evaluation.json", "evaluate", m)
    ]
    explained = [m for m in methods if m in params.explained_methods]
    evaluations: dict[str, EvaluationResult] = {
        m: load_artifact(evaluation_dir(dataset, m) / "evaluation.json", EvaluationResult) for m in methods
    }
    predicted: dict[str, Int64Array] = {
        m: load_predictions(evaluation_dir(dataset, m) / "predictions.parquet", test)[1] for m in methods
    }
    maps = _load_maps(parts, explained)
    params_hash = settings_hash(settings, *methods, "explained", *explained)
    seeds = sorted({seed for evaluation in evaluations.values() for seed in evaluation.seeds})
    inputs = ReportInputs(
        info=info,
        color=load_artifact(color_dir(dataset) / "color.json", ColorResult),
        histories={m: load_artifact(model_dir(dataset, m) / "history.json", TrainHistory) for m in methods},
        evaluations=evaluations,
        attributions=_load_attributions(parts, explained),
        gradcams={m: load_artifact(gradcam_dir(dataset, m) / "gradcam.json", GradcamResult) for m in maps},
        cam_agreement=_compare_cams(maps),
        outcomes=_outcomes(test, predicted, maps),
        hygiene=parts.load(color_dir(dataset) / "hygiene.json", HygieneResult, "hygiene"),
        comparisons=_compare(test, predicted, info, evaluations, settings),
        missing=parts.missing,
        not_trained=not_trained,
        settings=settings.report,
        color_settings=settings.color,
        evaluate_settings=settings.evaluate,
        method_settings={m: settings_of(settings, m) for m in methods},
        params_hash=params_hash,
        command=f"dvc repro report@{dataset}",
        provenance=trace_report(
            make_provenance(params_hash, seeds, dated=True),
            dataset=dataset,
            methods=list(methods),
            params=_used_params(settings, methods, explained),
        ),
    )
    return inputs, maps


def _not_trained(dataset: str, params: Params) -> dict[str, str]:
    """Active methods that these data do not allow to train, with the reasons.

    Raises:
        InputError: the baseline is one of them.
    """
    found = {m: why_not_trained("train", dataset, m) for m in params.active_methods}
    reasons: dict[str, str] = {m: reason for m, reason in found.items() if reason is not None}
    baseline = params.active_methods[0]
    if baseline in reasons:
        raise InputError(
            f"{baseline}, the first of active_methods and so the baseline, was not trained: "
            f"{reasons[baseline]} Or put another method first."
        )
    return reasons


def _load_attributions(parts: Parts, methods: list[MethodName]) -> dict[str, AttributionResult]:
    found = {
        m: parts.load(
            attribution_dir(parts.dataset, m) / "attribution.json", AttributionResult, "attribute", m
        )
        for m in methods
    }
    return {m: result for m, result in found.items() if result is not None}


def _load_maps(parts: Parts, methods: list[MethodName]) -> dict[str, SavedMaps]:
    """Every explained method's GradCAM maps, of the same test images."""
    maps: dict[str, SavedMaps] = {}
    for method in methods:
        folder = gradcam_dir(parts.dataset, method)
        if parts.has(folder / "gradcam.json", "gradcam", method):
            maps[method] = load_maps(folder / "maps.npz", like=next(iter(maps.values()), None))
    return maps


def _used_params(
    settings: DatasetSettings, methods: list[MethodName], explained: list[MethodName]
) -> dict[str, Any]:
    """The dataset's settings with its defaults filled in, without the methods that did not run."""
    used = settings.model_dump(mode="json")
    used["methods"] = {name: kept for name, kept in used["methods"].items() if name in methods}
    return {"active_methods": methods, "explained_methods": explained, **used}


def settings_of(settings: DatasetSettings, method: MethodName) -> MethodSettings:
    own = getattr(settings.methods, method).model_dump(mode="json", exclude={"train"})
    return MethodSettings(train=settings.train_for(method).model_dump(mode="json"), method=own)


def _compare(
    test: Split,
    predicted: Mapping[str, Int64Array],
    info: DatasetInfo,
    evaluations: Mapping[str, EvaluationResult],
    settings: DatasetSettings,
) -> list[MethodComparison]:
    """Every method against the first one, on the same test images, in the group that pays."""
    correct = {method: found == test.labels for method, found in predicted.items()}
    baseline, *others = evaluations
    names = [g.name for g in info.groups]
    limits = Thresholds.from_settings(settings.evaluate, settings.report, settings.color)
    test_metrics = evaluations[baseline].test
    harm = find_harm(info, evaluations[baseline], limits)
    group = harm.group if harm else test_metrics.worst_group
    return compare_all(
        correct[baseline],
        {method: correct[method] for method in others},
        test.groups,
        names,
        baseline_name=baseline,
        worst_group_index=names.index(group.name),
        n_picked=harm.n_candidates if harm else sum(g.n > 0 for g in test_metrics.groups),
        seed=0,
        sufficient=[g.sufficient for g in test_metrics.groups],
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
