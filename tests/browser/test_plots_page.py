"""The page of `dvc plots` in Chromium: it draws what it is given and asks for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.plots import tables, write_page
from tests.fixtures.report import hostile_birds, photo_birds, plain_hundred

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that fails the test where it complains or loads anything but its own file."""
    opened = browser.new_page(viewport={"width": 390, "height": 800})
    seen: list[str] = []
    opened.on("console", lambda message: seen.append(message.text))
    opened.on("pageerror", lambda error: seen.append(str(error)))
    opened.on("request", lambda request: seen.append(request.url))
    yield opened
    assert [line for line in seen if not line.startswith("file://")] == []
    assert len(seen) == 1
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    opened.close()


def test_curves_and_intervals_are_drawn(page: Any, tmp_path: Path) -> None:
    inputs = photo_birds()
    page.goto(write_page(inputs, tmp_path, ["HEAD", "workspace"]).as_uri())
    assert page.locator("figure, h2").all_inner_texts() == [
        "Worst group on validation, mean over seeds (${item})",
        "Test accuracy per group, mean over seeds (${item})",
    ]
    legend = page.locator(".legend li").all_inner_texts()
    assert [text.strip() for text in legend] == [
        f"{method}, {revision}" for method in inputs.histories for revision in ("HEAD", "workspace")
    ]
    rows = page.locator("div[aria-label=accuracy] tbody tr")
    assert rows.count() == 2 * len(tables(inputs)["groups.csv"])
    shown = " ".join(rows.all_inner_texts())
    for group in inputs.evaluations["erm"].test.groups:
        assert f"{group.value:.1%} [{group.low:.1%}, {group.high:.1%}]".replace("%", " %") in shown
    assert page.locator("div[aria-label=accuracy] svg path").count() == 2 * rows.count()


def test_thin_groups_say_so_and_other_plots_are_tables(page: Any, tmp_path: Path) -> None:
    more = [{"a": "1", "b": "<img src=x onerror=alert(1)>", "rev": "workspace"}]
    page.goto(write_page(plain_hundred(), tmp_path, confusion=more).as_uri())
    assert page.get_by_text("too few to decide").count() > 0
    assert page.get_by_text("draws the project's own plots only").count() == 1
    assert page.get_by_text("<img src=x onerror=alert(1)>").count() == 1


def test_hostile_names_are_text(page: Any, tmp_path: Path) -> None:
    page.goto(write_page(hostile_birds(), tmp_path).as_uri())
    assert page.get_by_text("‹script›alert(1)‹/script›").count() > 0
