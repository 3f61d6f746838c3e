"""The index page over all audited datasets, built from one small card per report."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from pipeline.records.base import Artifact, GroupEstimate, Provenance, Record
from pipeline.records.report import Report
from pipeline.records.verdict import BriefRung
from pipeline.report.page.charts.index_bars import index_bars
from pipeline.report.page.charts.picture_matrix import Cell, picture_matrix
from pipeline.report.page.html import load_template
from pipeline.report.page.pictures import Pictures


class CardCell(Record):
    """One group in the small picture matrix."""

    name: str
    image: str | None  # a data URI
    fails: bool


class Card(Artifact):
    """`reports/cards/<dataset>.json`: what the index shows of one report."""

    name: str
    title: str
    headline: str  # the finding
    rungs: list[BriefRung]
    matrix: list[list[CardCell | None]]  # classes by values of the cue; empty without groups
    worst_groups: dict[str, GroupEstimate]  # method -> its worst group on test
    chosen: str | None  # the method that validation chose
    n: dict[str, int]
    created: str
    href: str  # of the report, relative to the index page


def make_card(report: Report, pictures: Pictures) -> Card:
    """The index's share of a report."""
    provenance = {key: getattr(report.provenance, key) for key in Provenance.model_fields}
    return Card.model_validate(
        {
            "provenance": provenance,
            "name": report.dataset.name,
            "title": report.dataset.title,
            "headline": report.verdict.brief.title,
            "rungs": report.verdict.brief.rungs,
            "matrix": _small_matrix(report, pictures),
            "worst_groups": {name: m.test.worst_group for name, m in report.methods.items()},
            "chosen": report.verdict.recommendation.chosen,
            "n": report.dataset.n,
            "created": report.provenance.created,
            "href": f"{quote(report.dataset.name)}.html",
        }
    )


def _small_matrix(report: Report, pictures: Pictures) -> list[list[CardCell | None]]:
    """One picture of each cell of the page's matrix."""
    found = picture_matrix(report, pictures)
    return [[_small(cell, pictures) for cell in row.cells] for row in found.rows] if found else []


def _small(cell: Cell | None, pictures: Pictures) -> CardCell | None:
    if cell is None:
        return None
    shown = [pictures.images[i] for i in cell.ids if i in pictures.images]
    return CardCell(name=cell.name, image=shown[0] if shown else None, fails=cell.fails)


def render_index(cards: Iterable[Card]) -> str:
    """The index page as one HTML document, cards in alphabetical order of their titles."""
    ordered = sorted(cards, key=lambda card: (card.title.casefold(), card.name))
    bars = {card.name: index_bars(card.worst_groups, card.chosen) for card in ordered}
    page: str = load_template("index.html.j2").render(cards=ordered, bars=bars)
    return page
