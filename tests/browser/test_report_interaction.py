"""What a reader can do with the page: filter, look closer, follow links, point at charts; by keyboard too."""

from __future__ import annotations

import csv
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
        assert ",".join(rows[0].split(",")[:5]) == "image,file,split,label,group"
        table = list(csv.DictReader(rows))
        for card, row in zip(cards.all(), table, strict=True):
            words = card.locator("figcaption .tag").all_inner_texts()
            assert (row["image"], row["lists"]) == (card.get_attribute("data-id"), "; ".join(words))
            assert row["group"].startswith(row["label"]), "a group is named after its class"
        known = [card.get_attribute("data-known-wrong") for card in cards.all()]
        assert [row["known_wrong"] for row in table] == known
        assert set(known) <= {"true", "false"}
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


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("image-99999", "Image 99999 has no card in this report; its lists are under Images."),
        ("glossary-zzz", "This report has no place called “glossary-zzz”."),
        ("word-zzz", "This report has no place called “word-zzz”."),
        ("gallery?outcome=foo", "This report has no choice called “outcome=foo”: nothing is filtered by it."),
    ],
)
def test_a_link_to_nothing_says_so(browser: Any, reports: Path, width: int, name: str, said: str) -> None:
    with Visit(browser, reports / "birds.html", width=width, fragment=name) as visit:
        page, note = visit.page, visit.page.locator(".notice [role=status]")
        # it is there without words first: a change is what a reader of screens tells
        assert note.evaluate("e => getComputedStyle(e).display") != "none"
        note.filter(has_text=said).wait_for()
        top, bottom = note.evaluate("e => [e.getBoundingClientRect().top, e.getBoundingClientRect().bottom]")
        assert page.locator("header.bar").bounding_box()["height"] <= top < bottom < 300
        page.evaluate("location.hash = 'methods'")
        page.locator(".tile").first.wait_for()
        assert note.inner_text() == ""
        assert visit.complaints == []


def test_the_note_can_be_closed(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440, fragment="image-99999") as visit:
        visit.page.get_by_label("Close this note").click()
        visit.page.wait_for_timeout(300)
        assert not visit.page.locator(".notice.told").is_visible()
        assert visit.page.locator(".notice [role=status]").inner_text() == ""


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("width", [390, 1440])
def test_whatever_a_link_leads_to_lies_below_the_bar(
    browser: Any, reports: Path, width: int, scripts: bool
) -> None:
    for name in ("word-shortcut", "term-ladder", "groups"):
        page = reports / "birds.html"
        with Visit(browser, page, width=width, fragment=name, scripts=scripts, still=True) as visit:
            target, bar = visit.page.locator(f"#{name}"), visit.page.locator("header.bar").bounding_box()
            tops = [-1, target.bounding_box()["y"]]
            while tops[-1] != tops[-2]:  # until nothing moves any more
                visit.page.wait_for_timeout(150)
                tops.append(target.bounding_box()["y"])
            assert bar["y"] + bar["height"] <= tops[-1] < 900, name


@pytest.mark.parametrize("width", [390, 1440])
def test_a_known_image_lands_with_its_whole_card(browser: Any, reports: Path, width: int) -> None:
    with Visit(browser, reports / "birds.html", width=width, fragment="gallery") as visit:
        ids = visit.page.locator("#gallery-pictures figure[id^=image-]").evaluate_all(
            "f => f.map((e) => e.id)"
        )
    for name in (ids[0], ids[len(ids) // 2]):
        with Visit(browser, reports / "birds.html", width=width, fragment=name) as visit:
            box = visit.page.locator(f".shot:has(#{name})").bounding_box()
            bar = visit.page.locator("header.bar").bounding_box()
            assert bar["height"] <= box["y"]
            assert box["y"] + box["height"] <= 900
            assert not visit.page.locator(".notice.told").is_visible()


def test_two_methods_to_compare_are_two(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440, fragment="methods") as visit:
        one, other = visit.page.locator(".pair-filter select").all()
        said = visit.page.locator(".pair-filter output")
        one.select_option("group_dro")
        assert said.inner_text() == "Choose two different methods."
        other.select_option("erm")
        assert said.inner_text() == ""
        one.select_option("")
        assert said.inner_text() == ""


def test_what_shows_no_method_is_hidden(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440, fragment="methods") as visit:
        page = visit.page
        curves = page.locator("#dynamics [data-tip][data-method]:visible")
        both = curves.count()
        page.locator("[data-filter=erm]").uncheck()
        assert 0 < curves.count() < both
        assert {mark.get_attribute("data-method") for mark in curves.all()} == {"group_dro"}
        page.locator("[data-filter=group_dro]").uncheck()
        assert page.locator(".none-shown").is_visible()
        for shell in ("table", "figure", "h3", "details", "#dynamics", ".need"):
            assert page.locator(f"#methods {shell}:visible").count() == 0, shell
        page.evaluate("location.hash = 'dynamics'")
        page.locator("#dynamics table").first.wait_for()
        assert curves.count() == both
        assert not page.locator(".none-shown").is_visible()
        assert visit.complaints == []


def test_a_link_that_was_cut_short_is_quiet(browser: Any, reports: Path) -> None:
    with Visit(browser, reports / "birds.html", width=1440, fragment="image-%") as visit:
        assert visit.page.locator("#verdict").is_visible()
        assert visit.complaints == []
