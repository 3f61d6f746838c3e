"""`compare`: two reports, two revisions of one report, or two methods inside one."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.artifacts.files import load_artifact, save_artifact, write_text
from pipeline.artifacts.paths import evaluation_dir
from pipeline.artifacts.predictions import load_scored
from pipeline.artifacts.provenance import make_provenance
from pipeline.core.errors import InputError
from pipeline.core.words import join_names
from pipeline.methods.registry import name_method, parse_method
from pipeline.records.report import Report
from pipeline.report.compare.markdown import markdown_comparison
from pipeline.report.compare.page import render_comparison
from pipeline.report.compare.reports import compare_reports
from pipeline.report.compare.sides import Scored, Side
from pipeline.report.compare.text import format_comparison


def run(options: argparse.Namespace) -> None:
    """Print the comparison, and write it where asked."""
    (first, wanted), (second, other) = parse_target(options.first), parse_target(options.second)
    reports = [load_artifact(path, Report) for path in (first, second)]
    if first.resolve() == second.resolve() and wanted == other:
        raise InputError(
            f"{first} is compared with itself: name two of its methods, for example "
            + " ".join(f"{first}:{method}" for method in list(reports[0].methods)[:2])
        )
    pairs = [
        (make_side(first, reports[0], a), make_side(second, reports[1], b))
        for a, b in choose_methods(reports[0], reports[1], wanted, other)
    ]
    seeds = sorted({seed for pair in pairs for side in pair for seed in side.metrics.seeds})
    comparison = compare_reports(pairs, make_provenance("", seeds, dated=True))
    print(format_comparison(comparison), end="")
    if options.json is not None:
        save_artifact(options.json, comparison)
    if options.html is not None:
        write_text(options.html, render_comparison(comparison))
    if options.markdown is not None:
        write_text(options.markdown, markdown_comparison(comparison))


def parse_target(text: str) -> tuple[Path, str | None]:
    """`reports/a.json` or `reports/a.json:method`.

    Raises:
        InputError: there is no such file.
    """
    path, _, method = text.rpartition(":")
    for candidate, name in ((Path(text), None), (Path(path), method)):
        if str(candidate) != "." and candidate.is_file():
            return candidate, name
    raise InputError(
        f"{text}: there is no such report. Give the path of a reports/<dataset>.json, and :method behind it "
        "for one method; `dvc repro` writes the reports."
    )


def choose_methods(
    first: Report, second: Report, wanted: str | None, other: str | None
) -> list[tuple[str, str]]:
    """The named methods; one name serves both sides; without names all methods that both have.

    Raises:
        InputError: a report does not have the method, or the two have none in common.
    """
    if wanted is None and other is None:
        shared = [(method, method) for method in first.methods if method in second.methods]
        if not shared:
            raise InputError(
                f"the reports have no method in common ({_listed(first)}; {_listed(second)}): name one of "
                "each as report.json:method."
            )
        return shared
    return [(_find(first, wanted or other or ""), _find(second, other or wanted or ""))]


def _find(report: Report, wanted: str) -> str:
    try:
        method = parse_method(wanted, [*report.methods, *report.verdict.not_trained])
    except ValueError as error:
        raise InputError(f"the report of {report.dataset.name}: {error}.") from None
    if method not in report.methods:
        raise InputError(
            f"{name_method(method)} was not trained for the report of {report.dataset.name}: "
            f"{report.verdict.not_trained[method]} It has {_listed(report)}."
        )
    return method


def make_side(path: Path, report: Report, method: str) -> Side:
    """With the test predictions that lie beside the reports folder, where they do."""
    predictions = path.resolve().parent.parent / evaluation_dir(report.dataset.name, method)
    found = load_scored(predictions / "predictions.parquet", "test")
    scored = None
    if found is not None:
        scored = Scored(
            found.seeds,
            found.ids,
            found.labels,
            found.groups,
            found.predicted_SN == found.labels,
            found.sources,
        )
    return Side(str(path), report, method, scored)


def _listed(report: Report) -> str:
    return join_names(map(name_method, report.methods)) or "no method at all"
