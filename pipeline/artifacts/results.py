"""What the other stages found about one dataset; parts that are not there are named, with what makes them.

Under `dvc repro` nothing is missing: the verdict waits for all. By hand it is also made of what is there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pipeline.artifacts.datasets import load_info
from pipeline.artifacts.maps import SavedMaps, load_maps
from pipeline.artifacts.not_trained import why_not_trained
from pipeline.artifacts.packing import StaleError, load_current
from pipeline.artifacts.paths import (
    attribution_dir,
    color_dir,
    data_folders,
    evaluation_dir,
    gradcam_dir,
    indicators_dir,
    model_dir,
    verdict_dir,
)
from pipeline.artifacts.predictions import load_control, load_predictions
from pipeline.artifacts.provenance import file_digest
from pipeline.core.errors import ArtifactError, InputError
from pipeline.core.types import Int64Array, Split
from pipeline.records.attribution import AttributionResult
from pipeline.records.base import Artifact
from pipeline.records.color import ColorResult
from pipeline.records.cues import CuesResult
from pipeline.records.data import DatasetInfo
from pipeline.records.evaluation import EvaluationResult
from pipeline.records.gradcam import GradcamResult
from pipeline.records.hygiene import HygieneResult
from pipeline.records.indicators import IndicatorsResult
from pipeline.records.training import TrainHistory
from pipeline.records.verdict import MissingPart, Verdict

_log = logging.getLogger(__name__)
A = TypeVar("A", bound=Artifact)


@dataclass(frozen=True)
class Results:
    """The stages' records; a missing method or part is simply absent. Methods have the baseline first."""

    info: DatasetInfo
    color: ColorResult
    histories: Mapping[str, TrainHistory] = field(default_factory=dict)
    evaluations: Mapping[str, EvaluationResult] = field(default_factory=dict)
    attributions: Mapping[str, AttributionResult] = field(default_factory=dict)
    gradcams: Mapping[str, GradcamResult] = field(default_factory=dict)
    indicators: Mapping[str, IndicatorsResult] = field(default_factory=dict)
    hygiene: HygieneResult | None = None
    cues: CuesResult | None = None
    missing: Sequence[MissingPart] = ()
    not_trained: Mapping[str, str] = field(default_factory=dict)
    made_from: Mapping[str, str] = field(default_factory=dict)  # record that was read -> its sha256


@dataclass
class _Reader:
    """Reads what is there, and notes what is not and what was read."""

    dataset: str
    info: DatasetInfo
    missing: list[MissingPart] = field(default_factory=list)
    made_from: dict[str, str] = field(default_factory=dict)

    def load(self, path: Path, kind: type[A]) -> A:
        """Raises: ArtifactError (missing, damaged, or of other data)."""
        is_of_packing = kind in (ColorResult, HygieneResult, CuesResult)  # which know of no groups
        found = load_current(path, kind, self.info.packing if is_of_packing else self.info.digest)
        self.made_from[path.as_posix()] = file_digest(path)
        return found

    def find(self, path: Path, kind: type[A], stage: str, method: str | None = None) -> A | None:
        """The record; None where there is none or one of other data. A damaged one is an error."""
        why = why_not_trained(stage, self.dataset, method) if method and path.exists() else None
        if why is not None:
            self.missing.append(
                MissingPart.model_validate({"stage": stage, "method": method, "remedy": "", "why": why})
            )
            return None
        reason, is_stale = "does not exist", path.exists()
        if is_stale:
            try:
                return self.load(path, kind)
            except StaleError:
                reason = "was made from other data or groups than there are now"
        target = f"{stage}@{self.dataset}" + (f"-{method}" if method else "")
        self.missing.append(
            MissingPart.model_validate(
                {"stage": stage, "method": method, "remedy": f"dvc repro {target}", "is_stale": is_stale}
            )
        )
        _log.warning("%s %s: the report goes without it. To add it: dvc repro %s", path, reason, target)
        return None

    def find_all(self, paths: Mapping[str, Path], kind: type[A], stage: str) -> dict[str, A]:
        """By method, without those that are not there."""
        found = {method: self.find(path, kind, stage, method) for method, path in paths.items()}
        return {method: record for method, record in found.items() if record is not None}


def gather(dataset: str, active: Sequence[str], explained: Sequence[str]) -> Results:
    """Everything that is there of the methods that were asked for, `active` with the baseline first.

    Raises:
        ArtifactError: data, colors or the baseline's evaluation are missing or of other data, a method's
            training is of other data, or any file is damaged.
        InputError: these data do not allow to train the baseline.
    """
    info = load_info(data_folders(dataset))
    reader, not_trained = _Reader(dataset, info), _not_trained(dataset, active)
    evaluations = _find_evaluations(reader, [m for m in active if m not in not_trained])
    shown = [m for m in evaluations if m in explained]
    return Results(
        info=info,
        color=reader.load(color_dir(dataset) / "color.json", ColorResult),
        histories={m: reader.load(model_dir(dataset, m) / "history.json", TrainHistory) for m in evaluations},
        evaluations=evaluations,
        attributions=reader.find_all(
            {m: attribution_dir(dataset, m) / "attribution.json" for m in shown},
            AttributionResult,
            "attribute",
        ),
        gradcams=reader.find_all(
            {m: gradcam_dir(dataset, m) / "gradcam.json" for m in shown}, GradcamResult, "gradcam"
        ),
        indicators=reader.find_all(
            {m: indicators_dir(dataset, m) / "indicators.json" for m in evaluations},
            IndicatorsResult,
            "indicators",
        ),
        hygiene=reader.find(color_dir(dataset) / "hygiene.json", HygieneResult, "hygiene"),
        cues=reader.find(color_dir(dataset) / "cues.json", CuesResult, "cues"),
        missing=reader.missing,
        not_trained=not_trained,
        made_from=reader.made_from,
    )


def gather_judged(dataset: str, verdict: Verdict) -> Results:
    """The very records that a verdict was made from, those of color and hygiene as it told them by group.

    Raises:
        ArtifactError: one of them is gone, was made again since, or is of other data.
    """
    info, kept = load_info(data_folders(dataset)), set(verdict.made_from)
    for name, digest in verdict.made_from.items():
        if file_digest(Path(name)) != digest:
            raise ArtifactError(
                f"{name} was made again after the verdict on {dataset}, so that the two would not fit. "
                f"Run `dvc repro verdict@{dataset}`."
            )

    def load(kind: type[A], path: Path) -> A:
        return load_current(path, kind, info.digest)

    def load_all(kind: type[A], paths: Mapping[str, Path]) -> dict[str, A]:
        return {method: load(kind, path) for method, path in paths.items() if path.as_posix() in kept}

    methods, told = list(verdict.methods), verdict_dir(dataset)
    return Results(
        info=info,
        color=load(ColorResult, told / "color.json"),
        histories=load_all(TrainHistory, {m: model_dir(dataset, m) / "history.json" for m in methods}),
        evaluations=load_all(
            EvaluationResult, {m: evaluation_dir(dataset, m) / "evaluation.json" for m in methods}
        ),
        attributions=load_all(
            AttributionResult, {m: attribution_dir(dataset, m) / "attribution.json" for m in methods}
        ),
        gradcams=load_all(GradcamResult, {m: gradcam_dir(dataset, m) / "gradcam.json" for m in methods}),
        indicators=load_all(
            IndicatorsResult, {m: indicators_dir(dataset, m) / "indicators.json" for m in methods}
        ),
        hygiene=load(HygieneResult, told / "hygiene.json")
        if (color_dir(dataset) / "hygiene.json").as_posix() in kept
        else None,
        cues=load(CuesResult, told / "cues.json")
        if (color_dir(dataset) / "cues.json").as_posix() in kept
        else None,
        missing=verdict.missing,
        not_trained=verdict.not_trained,
        made_from=verdict.made_from,
    )


def load_predicted(dataset: str, methods: Sequence[str], split: Split) -> dict[str, Int64Array]:
    """Predicted classes of validation or test images, S x N, by method."""
    return {
        m: load_predictions(evaluation_dir(dataset, m) / "predictions.parquet", split)[1] for m in methods
    }


def load_controls(dataset: str, found: Results, test: Split, control: str) -> dict[str, Int64Array]:
    """What models predict that were trained without a control's images, S x N, by method that has it."""
    paths = {m: evaluation_dir(dataset, m) / "predictions.parquet" for m in found.evaluations}
    having = [m for m, e in found.evaluations.items() if control in [c.control for c in e.removal_controls]]
    return {m: load_control(paths[m], test, control) for m in having}


def load_all_maps(dataset: str, methods: Sequence[str]) -> dict[str, SavedMaps]:
    """Every explained method's GradCAM maps, of the same test images."""
    maps: dict[str, SavedMaps] = {}
    for method in methods:
        path = gradcam_dir(dataset, method) / "maps.npz"
        maps[method] = load_maps(path, like=next(iter(maps.values()), None))
    return maps


def _not_trained(dataset: str, active: Sequence[str]) -> dict[str, str]:
    """Active methods that these data do not allow to train, with the reasons."""
    found = {m: why_not_trained("train", dataset, m) for m in active}
    reasons = {m: reason for m, reason in found.items() if reason is not None}
    baseline = active[0]
    if baseline in reasons:
        raise InputError(
            f"{baseline}, the first of active_methods and so the baseline, was not trained: "
            f"{reasons[baseline]} Or put another method first."
        )
    return reasons


def _find_evaluations(reader: _Reader, methods: Sequence[str]) -> dict[str, EvaluationResult]:
    """Of the first method, without which there is no verdict, and of those of the others that are there."""
    baseline, *others = methods
    paths = {m: evaluation_dir(reader.dataset, m) / "evaluation.json" for m in methods}
    first = {baseline: reader.load(paths[baseline], EvaluationResult)}
    return first | reader.find_all({m: paths[m] for m in others}, EvaluationResult, "evaluate")
