"""The export's own README: what each file holds, and what is missing for which reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.records.report import Report
from pipeline.report.export.rows import Table
from pipeline.report.export.svg_file import FigureFile
from pipeline.report.markdown import bullets, code, escape, write_table


def write_readme(
    s: Report, tables: Sequence[Table], figures: Sequence[FigureFile], cards: Mapping[str, str]
) -> str:
    """Markdown with one line a file."""
    every: list[Table | FigureFile] = [*tables, *figures]
    missing = [f"{part.name}: {part.missing}" for part in every if not is_there(part)]
    made = code(s.provenance.created) if s.provenance.created else "on a day that is not recorded"
    parts = [
        f"# Export of {escape(s.dataset.title)}",
        escape(s.verdict.headline),
        f"The report was made {made} with settings {code(s.provenance.params_hash)}.",
        "## Tables",
        "`tables/*.csv` and `*.parquet` hold the same rows, one number a row: value with its 95% interval "
        "(low, high) and n. Accuracies are fractions. In the CSV files an apostrophe stands before text that "
        "a spreadsheet would take for a formula.",
        _listing("Table", tables),
        "## Figures",
        _listing("Figure", figures),
        "## Cards",
        "\n".join(f"- [{name}]({name})" for name in cards),
    ]
    if missing:
        parts += ["## Not in this export", bullets(missing)]
    return "\n\n".join(parts) + "\n"


def is_there(part: Table | FigureFile) -> bool:
    """Whether there is something to write."""
    return bool(part.rows) if isinstance(part, Table) else part.svg is not None


def _listing(what: str, parts: Sequence[Table | FigureFile]) -> str:
    rows = [[code(part.name), escape(part.about)] for part in parts if is_there(part)]
    return (
        write_table([what, "What it holds"], rows) if rows else "None could be made; the reasons are below."
    )
