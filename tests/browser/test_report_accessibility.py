"""axe-core on the real pages: nothing serious or critical, in light and in dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.pages import RUN_AXE, Visit

pytestmark = pytest.mark.browser

# every view beside the others, and nothing folded
SHOW_ALL = """() => {
  for (const part of document.querySelectorAll("details")) part.open = true;
  for (const view of document.querySelectorAll(".view")) view.classList.add("shown");
}"""
# of hundreds of cards and rows that one loop writes, the first: axe looks at each of them for as long
THIN_OUT = """() => {
  const alike = ".strip > :nth-child(n+5), #gallery-images > :nth-child(n+7), tbody > tr:nth-child(n+7)";
  for (const more of document.querySelectorAll(alike)) more.remove();
}"""

# every kind of page once, half of them dark on a phone: with all views shown one takes seconds
PAGES = [("repaired", False), ("hundred", True), ("bare", False), ("sample", True)]


@pytest.mark.parametrize(("name", "dark"), [*PAGES, ("index", False), ("index", True)])
def test_axe_finds_nothing_serious(browser: Any, reports: Path, axe: str, name: str, dark: bool) -> None:
    width = 390 if dark else 1440
    with Visit(browser, reports / f"{name}.html", width=width, dark=dark, bypass_csp=True) as visit:
        visit.page.evaluate(SHOW_ALL)
        visit.page.evaluate(THIN_OUT)
        visit.page.evaluate(axe)
        assert visit.page.evaluate(RUN_AXE) == []


def test_axe_would_find_a_fault(browser: Any, reports: Path, axe: str) -> None:
    with Visit(browser, reports / "birds.html", width=1440, bypass_csp=True) as visit:
        visit.page.evaluate(SHOW_ALL)
        visit.page.evaluate("document.querySelector('.target summary img').removeAttribute('alt')")
        visit.page.evaluate(axe)
        visit.page.evaluate("[...document.querySelectorAll('#fixed td')].at(-1).style.color = '#bbb'")
        visit.page.evaluate(THIN_OUT)
        found = visit.page.evaluate(RUN_AXE.replace("{ ...options, rules }", '{ runOnly: ["image-alt"] }'))
        assert any(fault.startswith("image-alt") for fault in found)
        assert any(fault.startswith("color-contrast") for fault in found)


def test_the_closer_look_is_accessible_too(browser: Any, reports: Path, axe: str) -> None:
    with Visit(browser, reports / "birds.html", width=390, bypass_csp=True) as visit:
        visit.page.locator("button.look:visible").first.click()
        visit.page.evaluate(axe)
        assert visit.page.evaluate(RUN_AXE) == []


def test_reduced_motion_is_respected(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440) as visit:
        visit.page.emulate_media(reduced_motion="reduce")
        assert visit.page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
