"""From the stages' records and the verdict to one report."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.results import Results
from pipeline.records.report import MethodSettings, Report, ReportProvenance
from pipeline.records.verdict import Verdict
from pipeline.report.page.test_images import MethodOutcomes, choose_images, describe_images
from pipeline.report.reading.explained import explain


def compose(
    found: Results,
    verdict: Verdict,
    provenance: ReportProvenance,
    *,
    outcomes: Mapping[str, MethodOutcomes],
    method_settings: Mapping[str, MethodSettings],
    n_targets: int,
) -> Report:
    """The stages' records side by side, without what the page does not show and other files hold.

    Args:
        outcomes: what each method predicts on the test images, where that is at hand.
        n_targets: test images to show one by one.
    """
    worst = {method: result.test.worst_group.index for method, result in found.evaluations.items()}
    chosen = choose_images(found.attributions, worst, n_targets)
    shown = {image.id for image in chosen}
    report = Report(
        provenance=provenance,
        verdict=verdict,
        dataset=found.info,
        color=found.color,
        hygiene=found.hygiene,
        methods=dict(found.evaluations),
        training={m: history.model_copy(update={"epochs": []}) for m, history in found.histories.items()},
        method_settings=dict(method_settings),
        attribution={
            m: result.model_copy(update={"targets": [t for t in result.targets if t.id in shown]})
            for m, result in found.attributions.items()
        },
        gradcam=dict(found.gradcams),
        images=describe_images(chosen, outcomes),
    )
    return report.model_copy(update={"reading": explain(report)})
