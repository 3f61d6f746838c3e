"""Stage `index`: one page over all reports."""

from __future__ import annotations

import logging

from pipeline.artifacts.files import load_artifact, write_text
from pipeline.artifacts.paths import card_path, reports_dir
from pipeline.artifacts.running import exclusive
from pipeline.report.cards.index import Card, render_index

_log = logging.getLogger(__name__)


def run() -> None:
    page = reports_dir() / "index.html"
    with exclusive("index"):
        cards = [load_artifact(path, Card) for path in sorted(card_path("x").parent.glob("[!.]*.json"))]
        write_text(page, render_index(cards))
    _log.info("wrote %s, reports: %d", page, len(cards))
