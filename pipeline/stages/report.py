"""Stage `report`: one self-contained page and its JSON per dataset, from the verdict; it decides nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from pipeline.artifacts.datasets import load_split
from pipeline.artifacts.edited import load_edited
from pipeline.artifacts.files import save_artifact, write_text
from pipeline.artifacts.maps import SavedMaps
from pipeline.artifacts.packing import load_current
from pipeline.artifacts.paths import (
    card_path,
    data_folders,
    evaluation_dir,
    plots_dir,
    reports_dir,
    verdict_dir,
)
from pipeline.artifacts.plans import read_plan
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.results import gather_judged, load_all_maps, load_predicted
from pipeline.artifacts.running import exclusive
from pipeline.artifacts.tables import group_table, mean_curves
from pipeline.artifacts.titled import with_titles
from pipeline.core.types import SPLIT_NAMES, Split
from pipeline.records.report import MethodSettings, ReportProvenance
from pipeline.records.verdict import Verdict
from pipeline.report.cards.index import make_card
from pipeline.report.compose import compose
from pipeline.report.listing import Samples
from pipeline.report.origins import trace_report
from pipeline.report.page.edit_examples import describe_edits
from pipeline.report.page.html import render_report
from pipeline.report.page.picture_source import picture_source
from pipeline.report.page.pictures import build_pictures
from pipeline.report.page.test_images import MethodOutcomes
from pipeline.settings.plans.report import ReportPlan

_log = logging.getLogger(__name__)


def run(dataset: str) -> None:
    plan = read_plan(ReportPlan, "report", dataset)
    page, plots = reports_dir() / f"{dataset}.html", plots_dir(dataset)
    with exclusive("report", dataset):
        splits = [load_split(data_folders(dataset), name) for name in SPLIT_NAMES]
        test = splits[-1]
        verdict = load_current(verdict_dir(dataset) / "verdict.json", Verdict, test.digest)
        found, methods = gather_judged(dataset, verdict), list(verdict.methods)
        found = with_titles(found, verdict.titles, audits=False)
        maps = load_all_maps(dataset, list(found.gradcams))
        edited = load_edited(evaluation_dir(dataset, methods[0]) / "edited.npz", test.digest)
        report = compose(
            found,
            verdict,
            _trace(dataset, plan, verdict),
            samples=Samples.of(splits),
            outcomes=_outcomes(dataset, test, methods, maps),
            method_settings={
                m: MethodSettings(**told.model_dump()) for m, told in plan.methods.items() if m in methods
            },
            n_targets=plan.report.targets_shown,
            edits=describe_edits(edited, test),
        )
        source = picture_source(dataset, maps, edited, plan.report.thumbnail)
        pictures = build_pictures(report, source, plan.report)
        html = render_report(report, pictures)
        save_artifact(page.with_suffix(".json"), report)
        save_artifact(card_path(dataset), make_card(report, pictures))
        write_text(page, html)
        # dfr's curves are ERM's
        trained = [history for history in found.histories.values() if not history.last_layers]
        write_text(plots / "curves.csv", mean_curves(trained).to_csv(index=False))
        write_text(plots / "groups.csv", group_table(found.evaluations.values()).to_csv(index=False))
    _log.info("wrote %s (%.1f MB)", page, len(html.encode()) / 1e6)


def _trace(dataset: str, plan: ReportPlan, verdict: Verdict) -> ReportProvenance:
    """What made the report, with everything that decided the results it shows."""
    methods = list(verdict.methods)
    explained = [m for m in methods if m in plan.explained_methods]
    made = make_provenance(
        settings_hash(plan, *methods, "explained", *explained),
        verdict.provenance.seeds,
        data=verdict.provenance.data,
        dated=True,
    )
    return trace_report(made, dataset=dataset, methods=methods, params=plan.shown())


def _outcomes(
    dataset: str, test: Split, methods: Sequence[str], maps: Mapping[str, SavedMaps]
) -> dict[str, MethodOutcomes]:
    """What every method predicts on the test split, and what its first model's maps are of."""
    mapped = {
        method: dict(zip(found.ids_N.tolist(), found.predicted_SN[0].tolist(), strict=True))
        for method, found in maps.items()
    }
    predicted = load_predicted(dataset, methods, test)
    return {m: MethodOutcomes(test.ids, found, mapped.get(m, {})) for m, found in predicted.items()}
