"""The page of a comparison in Chromium: nothing is clipped, whatever the names are and however wide it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts.provenance import make_provenance
from pipeline.report.compare.page import render_comparison
from pipeline.report.compare.reports import compare_reports
from pipeline.report.compare.sides import Side
from tests.browser.pages import RUN_AXE, Visit
from tests.fixtures.report import build_report, hostile_birds, plain_hundred

pytestmark = pytest.mark.browser

CLIPPED = """() => [...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect(), hidden = e.closest('.visually-hidden, thead');
  const says = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  return says && !hidden && box.width && (box.left < 0 || box.right > innerWidth + 1);
}).map(e => e.textContent)"""
SMALL = """() => [...document.querySelectorAll('.changes text, .changes p')].filter(
  e => parseFloat(getComputedStyle(e).fontSize) < 12).map(e => e.textContent)"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    for name, make, methods in (
        ("methods", hostile_birds, ("erm", "group_dro")),
        ("reports", plain_hundred, ("erm", "erm")),
    ):
        report = build_report(make())
        long = report.dataset.model_copy(update={"title": "a title that goes on and on " * 5})
        other = report if len(set(methods)) == 2 else report.model_copy(update={"dataset": long})
        files = ("a.json", "a.json" if other is report else "b.json")
        first, second = (
            Side(file, found, method, None)
            for file, found, method in zip(files, (report, other), methods, strict=True)
        )
        page = render_comparison(compare_reports([(first, second)], make_provenance("")))
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", ["methods", "reports"])
@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)])
def test_nothing_is_clipped(browser: Any, pages: Path, axe: str, name: str, width: int, dark: bool) -> None:
    with Visit(browser, pages / f"{name}.html", width=width, dark=dark, bypass_csp=True) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        assert visit.page.evaluate(CLIPPED) == []
        assert visit.page.evaluate(SMALL) == []
        assert visit.page.locator(".changes svg[role=img]").count() >= 6
        visit.page.evaluate(axe)
        assert visit.page.evaluate(RUN_AXE) == []
        assert visit.complaints == []
        assert len(visit.requests) == 1, "the page itself"
