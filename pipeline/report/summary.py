"""From what the stages found to one typed summary. Rendering adds no number of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pipeline.records.attribution import AttributionResult
from pipeline.records.base import Estimate, Provenance
from pipeline.records.color import ColorResult, Predictability
from pipeline.records.data import DatasetInfo
from pipeline.records.evaluation import EvaluationResult, MethodComparison
from pipeline.records.gradcam import GradcamResult, MapAgreement
from pipeline.records.hygiene import HygieneResult
from pipeline.records.training import TrainHistory
from pipeline.report.method_summary import shared_fields, summarize_method
from pipeline.report.page.test_images import MethodOutcomes, choose_images, describe_images
from pipeline.report.provenance import ReportProvenance
from pipeline.report.reading.explained import explain
from pipeline.report.records import (
    AttributionSummary,
    ColorSummary,
    DatasetSummary,
    GradcamSummary,
    Guess,
    HygieneSummary,
    MethodSettings,
    MissingPart,
    ReportSummary,
)
from pipeline.settings.audit import ColorSettings
from pipeline.settings.evaluation import EvaluateSettings
from pipeline.settings.report import ReportSettings
from pipeline.verdict.advice import list_next_steps
from pipeline.verdict.askable import why_not_asked
from pipeline.verdict.evidence import Thresholds
from pipeline.verdict.ladder import Case, climb_ladder, write_headline
from pipeline.verdict.reliance import color_reliance, compare_reliance
from pipeline.verdict.trust import describe_suspects

__all__ = ["ReportInputs", "ReportSummary", "build_summary"]

R = TypeVar("R")


@dataclass(frozen=True)
class ReportInputs:
    """What the stages found about one dataset; a missing method or part is simply absent."""

    info: DatasetInfo
    color: ColorResult
    settings: ReportSettings
    evaluate_settings: EvaluateSettings  # for the least number of images
    color_settings: ColorSettings  # for the least color-only kappa of a finding
    params_hash: str
    command: str
    provenance: Provenance  # or the richer `ReportProvenance`
    histories: Mapping[str, TrainHistory] = field(default_factory=dict)
    evaluations: Mapping[str, EvaluationResult] = field(default_factory=dict)
    attributions: Mapping[str, AttributionResult] = field(default_factory=dict)
    gradcams: Mapping[str, GradcamResult] = field(default_factory=dict)
    cam_agreement: Sequence[MapAgreement] = ()
    missing: Sequence[MissingPart] = ()
    not_trained: Mapping[str, str] = field(default_factory=dict)
    outcomes: Mapping[str, MethodOutcomes] = field(default_factory=dict)
    hygiene: HygieneResult | None = None
    comparisons: Sequence[MethodComparison] = ()
    method_settings: Mapping[str, MethodSettings] = field(default_factory=dict)


# --- building --------------------------------------------------------------------------------


def build_summary(inputs: ReportInputs) -> ReportSummary:
    """Gather what the stages found, judge the ladder and write the sentences."""
    baseline = choose_baseline(inputs.evaluations)
    limits = Thresholds.from_settings(inputs.evaluate_settings, inputs.settings, inputs.color_settings)
    case = Case(
        info=inputs.info,
        color=inputs.color,
        baseline=inputs.evaluations[baseline] if baseline else None,
        others=[e for name, e in inputs.evaluations.items() if name != baseline],
        attribution=inputs.attributions.get(baseline) if baseline else None,
        comparisons=[
            c for c in inputs.comparisons if why_not_asked(inputs.evaluations.get(c.method), limits) is None
        ],
        hygiene=inputs.hygiene,
        limits=limits,
    )
    rungs = climb_ladder(case)
    ordered = sorted(inputs.evaluations, key=lambda name: name != baseline)
    explained = dict(_in_order(inputs.attributions, ordered))
    chosen = choose_images(explained, _worst_groups(inputs), inputs.settings.targets_shown)
    made = {**inputs.provenance.model_dump(), "params_hash": inputs.params_hash, "command": inputs.command}
    summary = ReportSummary(
        headline=write_headline(case, rungs),
        baseline=baseline,
        worst_group=case.worst,
        harmed_group=case.harmed,
        dataset=_summarize_dataset(inputs.info),
        color=_summarize_color(inputs.color),
        methods={
            name: summarize_method(
                inputs.evaluations[name],
                inputs.histories.get(name),
                inputs.info.groups,
                inputs.method_settings.get(name),
            )
            for name in ordered
        },
        attribution={
            name: _summarize_attribution(result, {image.id for image in chosen})
            for name, result in explained.items()
        },
        gradcam={name: _summarize_gradcam(result) for name, result in _in_order(inputs.gradcams, ordered)},
        images=describe_images(chosen, {m: inputs.outcomes[m] for m in ordered if m in inputs.outcomes}),
        cam_agreement=list(inputs.cam_agreement),
        color_reliance=color_reliance(inputs.color, inputs.info, case.baseline, case.limits),
        reliance=compare_reliance(inputs.evaluations, inputs.gradcams, baseline=baseline, limits=case.limits),
        hygiene=HygieneSummary(**shared_fields(inputs.hygiene, HygieneSummary)) if inputs.hygiene else None,
        comparisons=list(inputs.comparisons),
        verdict=rungs,
        next_steps=list_next_steps(case, rungs),
        missing=list(inputs.missing),
        not_trained=dict(inputs.not_trained),
        thresholds=case.limits,
        settings=inputs.settings,
        provenance=ReportProvenance(**made),
    )
    return summary.model_copy(update={"reading": explain(summary)})


def choose_baseline(evaluations: Mapping[str, EvaluationResult]) -> str | None:
    """The method the ladder judges: the first of `active_methods`, which the others are compared with."""
    return next(iter(evaluations), None)


def _in_order(results: Mapping[str, R], order: Sequence[str]) -> list[tuple[str, R]]:
    known = {name: i for i, name in enumerate(order)}
    return sorted(results.items(), key=lambda item: known.get(item[0], len(known)))


def _summarize_dataset(info: DatasetInfo) -> DatasetSummary:
    return DatasetSummary(**{**shared_fields(info, DatasetSummary), "provenance": info.source_info})


def _summarize_color(color: ColorResult) -> ColorSummary:
    return ColorSummary(
        **shared_fields(color, ColorSummary),
        guesses=[
            Guess(source=source, found=found, accuracy=accuracy_interval(found))
            for source, found in _questions(color)
        ],
    )


def _questions(color: ColorResult) -> list[tuple[str, Predictability]]:
    """What was guessed from what, the label first."""
    asked: list[tuple[str, Predictability | None]] = [
        ("color, linear", color.color_only),
        ("color, linear", color.color_only_test),
        ("color, boosted trees", color.color_only_boosted_train),
        ("color, boosted trees", color.color_only_boosted),
        ("the background's color, linear", color.background_only),
        ("detail, not color: sharpness, noise, contrast, ink", color.detail_only),
    ]
    for audited in color.attributes:
        asked += [
            ("color, linear", audited.to_attribute),
            ("color, linear", audited.to_attribute_test),
            ("color, linear", audited.label_given_attribute),
            ("color, linear", audited.label_given_attribute_test),
        ]
    # a split that shows one class asks nothing
    return [(source, found) for source, found in asked if found is not None and found.n_classes > 1]


def accuracy_interval(found: Predictability) -> Estimate:
    """Balanced accuracy with the interval of kappa, which is the same number on another scale."""
    chance = 1 / max(found.n_classes, 1)
    low, high = (chance + kappa * (1 - chance) for kappa in (found.low, found.high))
    return Estimate(value=found.balanced_accuracy, low=low, high=high, n=found.n)


def _worst_groups(inputs: ReportInputs) -> dict[str, int | None]:
    """Index of each method's worst group on test."""
    names = [group.name for group in inputs.info.groups]
    worst = {method: evaluation.test.worst_group.name for method, evaluation in inputs.evaluations.items()}
    return {method: names.index(name) if name in names else None for method, name in worst.items()}


def _summarize_attribution(result: AttributionResult, shown: Collection[int]) -> AttributionSummary:
    targets = [target for target in result.targets if target.id in shown]
    lists = result.label_errors.lists if result.label_errors else []
    return AttributionSummary(
        **{**shared_fields(result, AttributionSummary), "targets": targets},
        suspect_notes={found.ranking: describe_suspects(found) for found in lists if found.groups},
    )


def _summarize_gradcam(result: GradcamResult) -> GradcamSummary:
    energy = result.energy_in_mask
    kept = shared_fields(result, GradcamSummary)
    return GradcamSummary(
        **{**kept, "energy_in_mask": energy.value if energy else None, "energy_interval": energy}
    )
