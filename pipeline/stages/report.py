"""Stage `report`: one self-contained page and its JSON per dataset."""

from __future__ import annotations

import logging

from pipeline.artifacts.files import save_artifact, write_text
from pipeline.artifacts.paths import card_path, plots_dir, reports_dir
from pipeline.artifacts.plans import read_plan
from pipeline.artifacts.running import exclusive
from pipeline.artifacts.tables import group_table, mean_curves
from pipeline.report.cards.index import make_card
from pipeline.report.inputs import gather
from pipeline.report.page.html import render_report
from pipeline.report.page.picture_source import picture_source
from pipeline.report.page.pictures import build_pictures
from pipeline.report.summary import build_summary
from pipeline.settings.plans.report import ReportPlan

_log = logging.getLogger(__name__)


def run(dataset: str) -> None:
    plan = read_plan(ReportPlan, "report", dataset)
    page, plots = reports_dir() / f"{dataset}.html", plots_dir(dataset)
    with exclusive("report", dataset):
        inputs, maps = gather(dataset, plan)
        summary = build_summary(inputs)
        pictures = build_pictures(summary, picture_source(dataset, maps, summary.settings.thumbnail))
        html = render_report(summary, pictures)
        save_artifact(page.with_suffix(".json"), summary)
        save_artifact(card_path(dataset), make_card(summary))
        write_text(page, html)
        # dfr's curves are ERM's
        trained = [history for history in inputs.histories.values() if not history.last_layers]
        write_text(plots / "curves.csv", mean_curves(trained).to_csv(index=False))
        write_text(plots / "groups.csv", group_table(inputs.evaluations.values()).to_csv(index=False))
    _log.info("wrote %s (%.1f MB)", page, len(html.encode()) / 1e6)
