"""The index page over all audited datasets, built from one small card per report."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from pipeline.records.base import Artifact, GroupEstimate, Provenance
from pipeline.records.report import Report
from pipeline.records.verdict import RungName, Status
from pipeline.report.page.html import load_template


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


def make_card(report: Report) -> Card:
    """The index's share of a report."""
    provenance = {key: getattr(report.provenance, key) for key in Provenance.model_fields}
    return Card.model_validate(
        {
            "provenance": provenance,
            "name": report.dataset.name,
            "title": report.dataset.title,
            "headline": report.verdict.headline,
            "worst_groups": {name: m.test.worst_group for name, m in report.methods.items()},
            "verdict": {rung.rung: rung.status for rung in report.verdict.rungs},
            "n": report.dataset.n,
            "created": report.provenance.created,
            "href": f"{quote(report.dataset.name)}.html",
        }
    )


def render_index(cards: Iterable[Card]) -> str:
    """The index page as one HTML document, cards in alphabetical order of their titles."""
    ordered = sorted(cards, key=lambda card: (card.title.casefold(), card.name))
    page: str = load_template("index.html.j2").render(cards=ordered)
    return page
