"""The page: complete, self-contained, escaped, traceable to the summary, small."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from typing import Any, get_args

import numpy as np
import pytest

from benchmarks.drawn_mistakes import planted_slices
from pipeline.core import words
from pipeline.core.errors import InputError
from pipeline.records.base import Provenance
from pipeline.records.cues import CuesResult
from pipeline.records.report import Report
from pipeline.records.verdict import MissingPart
from pipeline.report.cards.index import make_card, render_index
from pipeline.report.export.cue_tables import cue_tables
from pipeline.report.guesses import list_guesses
from pipeline.report.page.html import MAX_BYTES, render_report
from pipeline.report.page.pictures import Pictures, build_pictures
from pipeline.report.page.view import View
from pipeline.verdict.phrases import missing_phrase
from tests.fixtures.cues import textures
from tests.fixtures.report import (
    HOSTILE_CLASS,
    SECTIONS,
    ReportInputs,
    bare,
    build_report,
    hostile_birds,
    photo_birds,
    picture_source,
    plain_hundred,
    repaired_birds,
    withheld_birds,
)
from tests.fixtures.sources import N, mostly_of_its_camera, probed, tinted

VOID = {"meta", "link", "img", "input", "br", "wbr", "circle", "path", "rect", "line", "use"}
VARIANTS: list[Callable[[], ReportInputs]] = [
    photo_birds,
    repaired_birds,
    plain_hundred,
    hostile_birds,
    withheld_birds,
    bare,
]


@cache
def rendered(make: Callable[[], ReportInputs]) -> tuple[Report, str]:
    inputs = make()
    summary = build_report(inputs)
    return summary, render_report(summary, build_pictures(summary, picture_source(inputs), inputs.settings))


class Page(HTMLParser):
    """Tags, attributes and visible text; fails on tags that do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.data: list[tuple[str, str]] = []
        self.tips: list[str] = []  # what charts say under the pointer
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._keep(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._keep(tag, attrs)

    def _keep(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.tips += [f" {value} " for name, value in attrs if name == "data-tip" and value]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style", "svg"} & set(self.open):
            self.text.append(data)
            if self.open and self.open[-1] == "data":
                self.data.append((str(self.tags[-1][1]["value"]), data))


def walk(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)
    else:
        yield node


@pytest.mark.parametrize("make", VARIANTS)
def test_sections_come_in_order_and_tags_nest(make: Callable[[], ReportInputs]) -> None:
    page = Page(rendered(make)[1])
    assert [a["id"] for tag, a in page.tags if tag == "section"] == SECTIONS
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = {str(a["href"])[1:] for tag, a in page.tags if tag == "a" and str(a["href"]).startswith("#")}
    assert links <= set(ids)
    labelled = {a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a}
    assert labelled <= set(ids)
    assert all(a.get("alt") for tag, a in page.tags if tag == "img")
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(headings))


@pytest.mark.parametrize("make", VARIANTS)
def test_every_number_comes_from_the_summary(make: Callable[[], ReportInputs]) -> None:
    summary, html = rendered(make)
    leaves = list(walk(json.loads(summary.model_dump_json())))
    floats = [v for v in leaves if isinstance(v, float | int) and not isinstance(v, bool)]
    # balanced accuracies have kappa's interval on their own scale
    floats += [
        end for guess in list_guesses(summary.color) for end in (guess.accuracy.low, guess.accuracy.high)
    ]
    known = {repr(v) for v in floats} | {repr(float(v)) for v in floats} | {"None"}
    written = {text for v in floats for text in all_formats(float(v))}
    sentences = " ".join(v for v in leaves if isinstance(v, str))
    page = Page(html)
    assert {value for value, _ in page.data} <= known
    visible = "".join(page.text + page.tips).replace("\N{NO-BREAK SPACE}", " ")
    for token in re.findall(r"[+−]?\d+\.\d+%?", visible):
        assert token in written or token in sentences or token in known, token  # settings print as they are


def all_formats(v: float) -> set[str]:
    shares = {words.percent(v), words.percent(v, 0), words.percent(v).removesuffix("%")}
    return shares | {
        words.points(v), words.number(v), words.number(v, 3), words.score(v),
        words.per_thousand(v), words.signed(v), words.significant(v),
        words.p_text(v).split()[-1], words.duration(v).split()[0],
    }  # fmt: skip


@pytest.mark.parametrize("make", VARIANTS)
def test_nothing_is_loaded_from_anywhere(make: Callable[[], ReportInputs]) -> None:
    html = rendered(make)[1]
    assert len(html.encode()) < MAX_BYTES
    followed = re.sub(
        r'<a href="https://(doi\.org|arxiv\.org/abs)/[^"<>]+" rel="noopener noreferrer">', "", html
    )
    assert "http://" not in followed
    assert "https://" not in followed
    assert "@import" not in html
    page = Page(html)
    for tag, attributes in page.tags:
        assert str(attributes.get("src", "data:")).startswith("data:image/webp") if tag == "img" else True
        assert not any(name.startswith("on") for name in attributes)
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in str(policy)
    assert html.count("<script>") == 1


def test_hostile_names_are_text() -> None:
    page = Page(rendered(hostile_birds)[1])
    visible = "".join(page.text)
    assert HOSTILE_CLASS in visible
    assert '"quo\'ted" & <b>bold</b>' in visible
    assert "x" * 300 in visible
    assert "🦆 café" in visible
    assert sum(tag == "script" and "type" not in attrs for tag, attrs in page.tags) == 1, "others hold data"
    assert not any(tag == "b" for tag, _ in page.tags)


def test_accuracy_comes_with_interval_and_count() -> None:
    summary, html = rendered(photo_birds)
    visible = re.sub(r"\s+", " ", "".join(Page(html).text))
    for method, right in (("erm", "62.0"), ("group_dro", "84.0")):
        worst = summary.methods[method].test.worst_group
        assert f"{right}% [{100 * worst.low:.1f}, {100 * worst.high:.1f}] n = 200" in visible


def test_thin_groups_say_so_beside_their_accuracy() -> None:
    summary, html = rendered(plain_hundred)
    thin = [g for g in summary.methods["erm"].test.groups if not g.sufficient]
    assert thin
    rows = re.findall(
        r"<tr>.*?</tr>", html[html.index('id="groups-table-h"') : html.index('id="averages-h"')], re.S
    )
    for group in thin:
        row = next(r for r in rows if group.name in r)
        assert "too few to decide" in row
        assert f"{100 * group.value:.1f}%" in re.sub(r"<svg.*?</svg>", "", row, flags=re.S)


def test_labels_used_and_inferred_groups_are_said() -> None:
    assert "group labels (train)" in rendered(photo_birds)[1]
    assert "not annotated: read them as a hint" not in rendered(photo_birds)[1]
    assert "not annotated: read them as a hint" in rendered(plain_hundred)[1]


def test_the_page_says_whose_code_made_the_scores() -> None:
    summary, html = rendered(photo_birds)
    assert f"Computed by {summary.attribution['erm'].engine}: TRAK," in html
    assert "traker" not in html, "it did not run"
    theirs = {"engine": "traker 0.3.2", "estimator": "traker", "in_margin_units": False, "ridge": 0.25}
    found = {name: a.model_copy(update=theirs) for name, a in summary.attribution.items()}
    by_traker = summary.model_copy(update={"attribution": found})
    page = render_report(
        by_traker, build_pictures(by_traker, picture_source(photo_birds()), photo_birds().settings)
    )
    assert "Computed by traker 0.3.2: TRAK by the library traker," in page
    assert "lambda_reg 0.25" in page
    assert "Scores have no unit" in page


def test_without_masks_no_claim_about_the_foreground() -> None:
    html = rendered(plain_hundred)[1]
    assert "Heat on the object" not in html
    assert "of heat on the object" not in html
    assert "Without masks" in html


def test_every_shown_image_has_one_anchor() -> None:
    summary, html = rendered(photo_birds)
    for shown in summary.attribution["erm"].targets:
        assert html.count(f'id="image-{shown.id}"') == 1


def test_page_without_pictures_is_complete() -> None:
    summary = rendered(photo_birds)[0]
    assert "no picture" in render_report(summary, Pictures())


def test_too_large_a_page_names_the_settings() -> None:
    summary = rendered(photo_birds)[0]
    huge = Pictures(
        images={summary.attribution["erm"].targets[0].id: "data:image/webp;base64," + "A" * MAX_BYTES}
    )
    with pytest.raises(InputError, match=r"photo_birds has .* MB.*report\.thumbnail"):
        render_report(summary, huge)


@pytest.mark.parametrize(
    "part", ["histories", "attributions", "gradcams", "comparisons", "outcomes", "method_settings", "hygiene"]
)
def test_any_part_may_be_missing(part: str) -> None:
    inputs = replace(photo_birds(), **{part: {"comparisons": [], "hygiene": None}.get(part, {})})
    Page(render_report(build_report(inputs), Pictures()))


def test_a_method_without_attribution_is_left_out_there() -> None:
    inputs = photo_birds()
    inputs = replace(inputs, attributions={"group_dro": inputs.attributions["group_dro"]})
    summary = build_report(inputs)
    assert {r.rung: r.status for r in summary.verdict.rungs}["caused_by"] == "insufficient"
    Page(render_report(summary, Pictures()))


def test_same_input_gives_the_same_page() -> None:
    inputs = photo_birds()
    summary = build_report(inputs)
    pictures = build_pictures(summary, picture_source(inputs), inputs.settings)
    assert render_report(summary, pictures) == render_report(summary, pictures)


def test_index_shows_every_card_as_text() -> None:
    cards = [make_card(rendered(make)[0], Pictures()) for make in VARIANTS]
    html = render_index(cards)
    page = Page(html)
    assert sum(tag == "li" and a.get("class") == "card" for tag, a in page.tags) == len(VARIANTS)
    assert "https://" not in html
    assert '"quo\'ted" & <b>bold</b>' in "".join(page.text)
    assert "plain_hundred.html" in {a.get("href") for _, a in page.tags}
    assert "No audit has been run yet" in render_index([])


def test_missing_parts_are_named_with_what_makes_them() -> None:
    attribute, hygiene = "dvc repro attribute@photo_birds-group_dro", "dvc repro hygiene@photo_birds"
    missing = [
        MissingPart(stage="attribute", method="group_dro", remedy=attribute),
        MissingPart(stage="hygiene", method=None, remedy=hygiene),
    ]
    summary = build_report(replace(photo_birds(), missing=missing, hygiene=None))
    text = "".join(Page(render_report(summary, Pictures())).text)
    assert "Parts of this report are missing." in text
    assert f"The training images behind Group DRO were not looked for: {attribute}" in text
    assert f"The images were not checked for duplicates and odd ones: {hygiene}" in text
    assert "Parts of this report" not in "".join(Page(rendered(photo_birds)[1]).text)


def test_what_a_model_cannot_be_asked_stands_with_it_and_is_no_missing_part() -> None:
    why = "mine is a table of predictions, and without a network nothing can be shown of it."
    missing = [MissingPart(stage=s, method="group_dro", remedy="", why=why) for s in ("attribute", "gradcam")]
    text = "".join(
        Page(render_report(build_report(replace(photo_birds(), missing=missing)), Pictures())).text
    )
    assert "Parts of this report are missing." not in text
    said = (
        "the training images behind Group DRO were not looked for and no GradCAM maps were made of Group DRO"
    )
    assert f"{said[0].upper()}{said[1:]}: {why}" in text


@pytest.mark.parametrize("stage", get_args(MissingPart.model_fields["stage"].annotation))
def test_every_part_that_may_be_missing_has_words(stage: str) -> None:
    assert missing_phrase(stage, "erm")


def test_parts_with_more_mistakes_are_listed_and_groups_are_not_told_twice() -> None:
    drawn = planted_slices(lambda images: np.where(images.width == 64, 0.4, 0.1)).slices
    told = drawn.model_copy(
        update={"slices": [one.model_copy(update={"is_grouped": True}) for one in drawn.slices]}
    )
    for found, is_listed in ((drawn, True), (told, False)):
        summary = build_report(replace(photo_birds(), slices={"erm": found}))
        text = "".join(Page(render_report(summary, Pictures())).text).replace("\xa0", " ")
        assert (drawn.slices[0].sentence in text) is is_listed
        assert ("told by the groups above" in text) is not is_listed
        assert "Where else it errs" in text


def test_inferred_groups_are_described_and_shown() -> None:
    summary, html = rendered(plain_hundred)
    text = "".join(Page(html).text).replace("\xa0", " ")
    worst = next(t for t in summary.verdict.traits if t.group == summary.verdict.harmed_group.index)
    assert text.count(words.isolated(worst.name)) > 1
    assert {t.status for t in summary.verdict.traits} == {"described"}
    assert f"which nobody named: {worst.sentence}" in text, "beside the harmed group"
    assert worst.sentence[0].upper() + worst.sentence[1:] in text, "and in the list"
    shown = View(summary, Pictures()).traits
    assert len(shown) == 12 < len(summary.verdict.traits)
    assert f"12 of {len(summary.verdict.traits)} groups" in text
    for one in shown:
        assert len(one.ids) == 6
        assert all(f'alt="Training image {image}, {one.trait.name}' in html for image in one.ids)
    assert "What the inferred groups are" not in rendered(photo_birds)[1]


def test_groups_with_few_validation_images_were_not_learned_at_a_time() -> None:
    inputs = photo_birds()
    few = [g.model_copy(update={"n_val": 5}) if i else g for i, g in enumerate(inputs.info.groups)]
    summary = build_report(replace(inputs, info=inputs.info.model_copy(update={"groups": few})))
    assert [group for group, _ in View(summary, Pictures()).paces] == [0]
    assert "3 groups with fewer than 30 validation images are left out." in render_report(summary, Pictures())
    none = [g.model_copy(update={"n_val": 5}) for g in inputs.info.groups]
    summary = build_report(replace(inputs, info=inputs.info.model_copy(update={"groups": none})))
    assert "No group has the 30 validation images that this asks for." in render_report(summary, Pictures())


def test_page_and_tables_tell_of_sources() -> None:
    cameras_N, labels_N = mostly_of_its_camera(0)
    probe = probed(cameras_N, labels_N, tinted(textures(N, 0), cameras_N))["camera"]
    about = {"absent": [], "n_train": N, "n_train_total": N, "n_tests": 1, "seconds": 0.0}
    cues = CuesResult(provenance=Provenance(), cues=[], sources=[probe], **about)
    report = build_report(replace(photo_birds(), cues=cues))
    assert "Knowing the camera inflates accuracy" in render_report(report, Pictures())
    rows = next(table.rows for table in cue_tables(report) if table.name == "sources")
    assert [row["measure"] for row in rows] == ["seen", "unseen", "inflation"]
    assert probe.inflation is not None
    assert rows[2]["low"] == probe.inflation.low
