"""From the stages' records and the verdict to one report."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pipeline.artifacts.results import Results
from pipeline.records.attribution import AttributionResult
from pipeline.records.report import EditExample, MethodSettings, Report, ReportProvenance
from pipeline.records.training import TrainHistory
from pipeline.records.verdict import Verdict
from pipeline.report.listing import Samples, describe_listed, list_images
from pipeline.report.page.pictures import SUSPECTS_SHOWN
from pipeline.report.page.test_images import MethodOutcomes, choose_images, describe_images
from pipeline.report.reading.explained import explain


def compose(
    found: Results,
    verdict: Verdict,
    provenance: ReportProvenance,
    *,
    samples: Samples,
    outcomes: Mapping[str, MethodOutcomes],
    method_settings: Mapping[str, MethodSettings],
    n_targets: int,
    edits: Sequence[EditExample] = (),
) -> Report:
    """The stages' records side by side, without what the page does not show and other files hold.

    Args:
        samples: what the packed data say of every image.
        outcomes: what each method predicts on the test images, where that is at hand.
        n_targets: test images to show one by one.
        edits: test images before and after an edit, of the baseline.
    """
    worst = {method: result.test.worst_group.index for method, result in found.evaluations.items()}
    chosen = choose_images(found.attributions, worst, n_targets)
    shown = {image.id for image in chosen}
    lists = list_images(found, outcomes, samples, list(shown))
    report = Report(
        provenance=provenance,
        verdict=verdict,
        dataset=found.info,
        color=found.color,
        hygiene=found.hygiene,
        cues=found.cues,
        methods=dict(found.evaluations),
        training={m: _without_listed(history) for m, history in found.histories.items()},
        method_settings=dict(method_settings),
        attribution={m: _only_shown(result, shown) for m, result in found.attributions.items()},
        gradcam=dict(found.gradcams),
        indicators=dict(found.indicators),
        images=describe_images(chosen, outcomes),
        lists=lists,
        listed=describe_listed(lists, samples),
        edits=list(edits),
    )
    return report.model_copy(update={"reading": explain(report)})


def _without_listed(history: TrainHistory) -> TrainHistory:
    removal = history.removal and history.removal.model_copy(update={"left_out": []})
    return history.model_copy(update={"epochs": [], "removal": removal})


def _only_shown(result: AttributionResult, shown: Collection[int]) -> AttributionResult:
    """Without the targets that are not shown and the suspects that are listed elsewhere."""
    errors = result.label_errors
    if errors is not None:
        lists = [s.model_copy(update={"suspects": s.suspects[:SUSPECTS_SHOWN]}) for s in errors.lists]
        errors = errors.model_copy(update={"lists": lists})
    targets = [target for target in result.targets if target.id in shown]
    return result.model_copy(update={"targets": targets, "label_errors": errors})
