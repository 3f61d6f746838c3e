"""A comparison as a page."""

from __future__ import annotations

from pipeline.report.compare.chart import draw_changes
from pipeline.report.compare.reports import LABELS, Comparison
from pipeline.report.compare.words import INTERVALS, heading, title, verdict_sentence
from pipeline.report.page.html import load_template


def render_comparison(comparison: Comparison) -> str:
    """One self-contained HTML page."""
    page: str = load_template("compare.html.j2").render(
        c=comparison,
        title=title(comparison),
        pairs=[(pair, heading(pair), draw_changes(pair)) for pair in comparison.pairs],
        verdict=verdict_sentence(comparison),
        labels=LABELS,
        intervals=INTERVALS,
    )
    return page
