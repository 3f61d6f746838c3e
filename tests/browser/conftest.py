"""Chromium, and the pages that tests open in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from pipeline.report.cards.index import make_card, render_index
from pipeline.report.page.html import render_report
from pipeline.report.page.pictures import build_pictures
from tests.browser.pages import CHROMIUM, FLAGS, SAMPLE, VARIANTS
from tests.fixtures.report import build_report, picture_source


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"Chromium is not installed at {CHROMIUM}")
    with playwright.sync_playwright() as run:
        chromium = run.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def axe() -> str:
    package = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    return resources.files(package).joinpath("axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    cards = []
    for name, make in VARIANTS.items():
        inputs = make()
        summary = build_report(inputs)
        pictures = build_pictures(summary, picture_source(inputs), inputs.settings)
        html = render_report(summary, pictures)
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
        cards.append(make_card(summary, pictures))
    shutil.copy(SAMPLE, folder / "sample.html")
    (folder / "index.html").write_text(render_index(cards), encoding="utf-8")
    return folder
