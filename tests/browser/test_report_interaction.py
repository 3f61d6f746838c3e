"""What a reader can do with the page: filter, look closer, follow links, point at charts; by keyboard too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.pages import Visit

pytestmark = pytest.mark.browser


def test_images_are_filtered_by_group_and_outcome(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440, fragment="gallery") as visit:
        page = visit.page
        cards, filters = page.locator("#gallery-images > .target"), page.locator("#images .gallery-filter")
        n = cards.count()
        groups = [int(card.get_attribute("data-group")) for card in cards.all()]
        assert filters.locator("output").inner_text() == f"{n} of {n}"
        filters.locator("select").nth(0).select_option(str(groups[0]))
        shown = page.locator("#gallery-images > .target:visible")
        assert shown.count() == groups.count(groups[0]) < n
        assert filters.locator("output").inner_text() == f"{shown.count()} of {n}"
        filters.locator("select").nth(0).select_option("")
        filters.locator("select").nth(1).select_option("erm-wrong")
        assert 0 < shown.count() < n
        for card in shown.all():
            assert "✕ ERM" in card.locator(".outcomes").inner_text()
        assert visit.complaints == []


def test_training_images_are_filtered_by_group(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440, fragment="attribution") as visit:
        filters = visit.page.locator("#attribution .gallery-filter").first
        gallery = visit.page.locator(f"#{filters.get_attribute('data-for')} > .shot:visible")
        before = gallery.count()
        option = filters.locator("option").nth(1).get_attribute("value")
        filters.locator("select").select_option(option)
        assert 0 < gallery.count() < before
        assert {shot.get_attribute("data-group") for shot in gallery.all()} == {option}


def test_rows_of_a_long_table_are_filtered(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "hundred.html", width=1440, fragment="groups") as visit:
        box = visit.page.locator("#groups .rowfilter").first
        box.locator("input").fill("superclass 07 / DARK")
        assert visit.page.locator("#groups table.sortable").first.locator("tbody tr:visible").count() == 1
        assert box.locator("output").inner_text() == "1 of 60"
        box.locator("input").fill("")
        assert visit.page.locator("#groups table.sortable").first.locator("tbody tr:visible").count() == 60


def test_a_picture_is_looked_at_by_keyboard(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440, fragment="gallery") as visit:
        page, zoom = visit.page, visit.page.locator("dialog.zoom")
        first = page.locator("#gallery-images .target[open] .strip.four").first.locator("button.look").first
        alt = first.locator("img").get_attribute("alt")
        first.focus()
        page.keyboard.press("Enter")
        assert zoom.is_visible()
        assert zoom.locator("img").get_attribute("alt") == alt
        assert zoom.locator("img").evaluate("i => i.naturalWidth") > 0
        page.keyboard.press("ArrowRight")
        second = zoom.locator("img").get_attribute("alt")
        assert second != alt
        page.keyboard.press("Escape")
        assert not zoom.is_visible()
        assert page.evaluate("document.activeElement.querySelector('img').alt") == second
        page.keyboard.press("ArrowLeft")
        assert page.evaluate("document.activeElement.querySelector('img').alt") == alt
        assert visit.complaints == []


def test_the_tab_key_stops_once_in_a_row_of_pictures(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440) as visit:
        stops = visit.page.evaluate(
            "[...document.querySelectorAll('.strip')].map(s => "
            "[...s.querySelectorAll('button.look')].filter(b => b.tabIndex === 0).length)"
        )
        assert max(stops) == 1


def test_a_link_to_an_image_lands_and_opens_what_hides_it(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440) as visit:
        closed = visit.page.locator("#gallery-images .target:not([open]) figure[id^=image-]").first
        name = closed.get_attribute("id")
    with Visit(browser, reports / "birds.html", width=1440, fragment=name) as visit:
        target = visit.page.locator(f"#{name}")
        assert target.is_visible()
        top = target.evaluate("e => e.getBoundingClientRect().top")
        assert 0 <= top < 900
        assert visit.complaints == []


def test_marks_of_charts_say_their_values(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440) as visit:
        page, tip = visit.page, visit.page.locator(".tip")
        for selector in (".matrix [data-tip]", "#harmful .dots [data-tip]"):
            mark = page.locator(selector).first
            mark.scroll_into_view_if_needed()
            mark.dispatch_event("pointerover", {"bubbles": True})
            assert tip.inner_text() == mark.get_attribute("data-tip")
            assert "%" in tip.inner_text()
        page.locator("#verdict h1").dispatch_event("pointerover", {"bubbles": True})
        assert not tip.is_visible()


def test_marks_of_charts_are_reached_by_keyboard(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440) as visit:
        page, tip = visit.page, visit.page.locator(".tip")
        marks = page.locator("#harmful .dots [data-tip]")
        assert [mark.get_attribute("tabindex") for mark in marks.all()] == ["0", "-1", "-1", "-1"]
        marks.first.focus()
        assert tip.inner_text() == marks.first.get_attribute("data-tip")
        page.keyboard.press("ArrowDown")
        assert tip.inner_text() == marks.nth(1).get_attribute("data-tip")
        page.keyboard.press("Escape")
        assert not tip.is_visible()


def test_listed_images_are_ticked_and_their_ids_copied(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440, fragment="pictures?kind=suspected") as visit:
        page, cards = visit.page, visit.page.locator("#gallery-pictures > .shot:visible")
        assert 0 < cards.count() < page.locator("#gallery-pictures > .shot").count()
        assert all("suspected label" in text for text in cards.all_inner_texts())
        page.locator(".ticks [data-do=copy]").click()
        assert page.locator(".ticks output").inner_text() == "Nothing is ticked."
        page.locator(".ticks [data-do=tick]").click()
        n = cards.count()
        assert page.locator(".ticks output").inner_text() == f"{n} ticked"
        with page.expect_download() as download:
            page.locator(".ticks [data-do=csv]").click()
        rows = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
        assert rows[0] == "image,file,split,label,lists"
        ids = [card.get_attribute("data-id") for card in cards.all()]
        assert [row.split(",")[0] for row in rows[1:]] == ids
        assert visit.complaints == []


def test_a_filter_lives_in_the_address(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440, fragment="images?outcome=erm-wrong") as visit:
        cards = visit.page.locator("#gallery-images > .target:visible")
        assert 0 < cards.count() < visit.page.locator("#gallery-images > .target").count()
        assert visit.page.locator("#images select").nth(1).input_value() == "erm-wrong"
        assert visit.complaints == []


def test_every_image_can_be_read_without_scripts(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440, scripts=False) as visit:
        cards = visit.page.locator("#gallery-images > .target")
        assert cards.count() == visit.page.locator("#gallery-images > .target:visible").count() > 0
        last = cards.last
        last.locator("summary").click()
        assert last.locator(".strip.four").first.is_visible()
        assert visit.page.locator(".filter:visible").count() == 0


def test_a_link_lets_go_of_what_hides_its_image(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440, fragment="gallery") as visit:
        page, cards = visit.page, visit.page.locator("#gallery-images > .target")
        groups = [card.get_attribute("data-group") for card in cards.all()]
        page.locator("#images select").nth(0).select_option(groups[0])
        hidden = page.locator("#gallery-images > .target.off figure[id^=image-]").first.get_attribute("id")
        page.evaluate(f"location.hash = '{hidden}'")
        page.locator(f"#{hidden}").wait_for(state="visible")
        assert page.locator("#images select").nth(0).input_value() == ""
        assert (
            page.locator("#images .gallery-filter output").inner_text() == f"{len(groups)} of {len(groups)}"
        )
        assert visit.complaints == []


def test_a_link_that_was_cut_short_is_quiet(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440, fragment="image-%") as visit:
        assert visit.page.locator("#verdict").is_visible()
        assert visit.complaints == []
