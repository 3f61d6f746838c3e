"""Lists of images: ids are copied and files saved by the page alone, opened from a disk."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.report.export.tables import build_tables
from tests.browser.pages import Visit
from tests.fixtures.report import build_report, hostile_birds

pytestmark = pytest.mark.browser


def test_a_csv_file_has_every_row_of_the_list(browser: Any, reports: Path, tmp_path: Path) -> None:
    """Of hostile names, which a spreadsheet must not run: the same cells as the exported table."""
    report = build_report(hostile_birds())
    expected = {table.name: table.frame() for table in build_tables(report)}["list_suspected_erm_attribution"]
    with Visit(browser, reports / "hostile.html", width=1000) as visit:
        page = visit.page
        assert page.evaluate("typeof window.auditLists.load") == "function"
        rows = page.evaluate(
            "async () => { const { load, table } = window.auditLists; const data = await load(); "
            "return table(data, data.lists.suspected_erm_attribution); }"
        )
        tools = page.locator('.list-tools[data-list="suspected_erm_attribution"]').first
        page.evaluate(
            "tools => { for (let part = tools; part; part = part.parentElement) "
            "{ part.hidden = false; if (part.tagName === 'DETAILS') part.open = true; } }",
            tools.element_handle(),
        )
        with page.expect_download() as download:
            tools.locator("[data-do=csv]").dispatch_event("click")
        saved = tmp_path / "list.csv"
        download.value.save_as(saved)
        assert download.value.suggested_filename.endswith("_suspected_erm_attribution.csv")
        assert visit.complaints == []
        assert all(url.startswith(("file:", "data:", "blob:")) for url in visit.requests)
    with saved.open(encoding="utf-8-sig", newline="") as file:
        written = list(csv.reader(file))
    assert written[0] == list(expected.columns)
    assert len(written) == len(expected) + 1 == len(rows)
    assert [row[1] for row in written[1:]] == [str(image) for image in expected["image"]]
    assert [row[2] for row in written[1:]] == expected["file"].tolist()
    assert [row[4] for row in written[1:]] == expected["label"].tolist(), "quotes and commas survive"


def test_cells_that_a_spreadsheet_would_run_are_text(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1000) as visit:
        cells = ["=1+1", "  =1", "+2", "@x", "＝1", 'a "b"', "x,y", "-0.5", "plain", -0.5, None]
        text = visit.page.evaluate("cells => window.auditLists.csv([cells])", cells)
    assert text == ('\'=1+1,\'  =1,\'+2,\'@x,\'＝1,"a ""b""","x,y",\'-0.5,plain,-0.5,\r\n'), json.dumps(text)


def test_without_scripts_the_page_says_where_the_lists_are(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1000, scripts=False) as visit:
        assert visit.page.locator(".list-tools:visible").count() == 0
        notes = visit.page.locator(".list-note").all_inner_texts()
        assert any("lists.suspected_erm_attribution" in note for note in notes)
        assert any("shortcut-audit export reports/photo_birds.json" in note for note in notes)
