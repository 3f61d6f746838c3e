"""`export`: a report's tables, figures and cards as files for other programs, from its JSON alone."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from pipeline.artifacts.exports import save_export
from pipeline.artifacts.files import load_artifact
from pipeline.artifacts.paths import NAME_PATTERN, reports_dir
from pipeline.core.errors import InputError
from pipeline.records.report import Report
from pipeline.report.export.cards import write_dataset_card, write_model_card
from pipeline.report.export.figures import build_figures
from pipeline.report.export.readme import is_there, write_readme
from pipeline.report.export.tables import build_tables

_log = logging.getLogger(__name__)


def run(options: argparse.Namespace) -> None:
    """Read one report and write its export.

    Raises:
        InputError: names in the JSON cannot be file names, or the folder holds something else.
    """
    report = load_artifact(options.report, Report)
    _check_names(options.report, report)
    folder: Path = options.to or reports_dir() / "export" / report.dataset.name
    tables, figures = build_tables(report), build_figures(report)
    cards = {"DATASET_CARD.md": write_dataset_card(report)}
    cards |= {f"MODEL_CARD_{method}.md": write_model_card(report, method) for method in report.methods}
    texts = {
        "README.md": write_readme(report, tables, figures, cards),
        **cards,
        **{f"figures/{figure.name}.svg": figure.svg for figure in figures if figure.svg is not None},
    }
    written = save_export(folder, {t.name: t.frame() for t in tables if is_there(t)}, texts)
    _log.info("wrote %d files below %s; README.md lists them", len(written), folder)


def _check_names(path: Path, report: Report) -> None:
    """They become file names; a JSON from elsewhere must not choose others."""
    for name in [report.dataset.name, *report.methods, *report.attribution]:
        if not NAME_PATTERN.match(name):
            raise InputError(
                f"{path} names {name!r} where a dataset or method belongs: a-z, 0-9 and _ were expected. "
                "Is it a report that `dvc repro` wrote?"
            )
