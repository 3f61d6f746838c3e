"""The index page over all audited datasets, built from one small card per report."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from pipeline.records.base import Artifact, GroupEstimate, Provenance
from pipeline.report.page.html import load_template
from pipeline.report.records import ReportSummary
from pipeline.verdict.evidence import RungName, Status


class Card(Artifact):
    """`reports/cards/<dataset>.json`: what the index shows of one report."""

    name: str
    title: str
    headline: str
    worst_groups: dict[str, GroupEstimate]  # method -> its worst group on test
    verdict: dict[RungName, Status]
    n: dict[str, int]
    created: str
    href: str  # of the report, relative to the index page


def make_card(summary: ReportSummary) -> Card:
    """The index's share of a report."""
    provenance = {key: getattr(summary.provenance, key) for key in Provenance.model_fields}
    return Card.model_validate(
        {
            "provenance": provenance,
            "name": summary.dataset.name,
            "title": summary.dataset.title,
            "headline": summary.headline,
            "worst_groups": {name: m.test.worst_group for name, m in summary.methods.items()},
            "verdict": {rung.rung: rung.status for rung in summary.verdict},
            "n": summary.dataset.n,
            "created": summary.provenance.created,
            "href": f"{quote(summary.dataset.name)}.html",
        }
    )


def render_index(cards: Iterable[Card]) -> str:
    """The index page as one HTML document, cards in alphabetical order of their titles."""
    ordered = sorted(cards, key=lambda card: (card.title.casefold(), card.name))
    page: str = load_template("index.html.j2").render(cards=ordered)
    return page
