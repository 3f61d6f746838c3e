"""The filmstrip and the panels of reliance: what they draw is what the records say."""

from __future__ import annotations

import re

import pytest

from pipeline.core.words import percent
from pipeline.records.report import Report
from pipeline.report.page.charts.film import Film, Mark, film
from pipeline.report.page.charts.reliance import reliance
from pipeline.report.page.html import load_template, render_report
from pipeline.report.page.pictures import Pictures, build_pictures
from pipeline.verdict.phrases import points_phrase
from tests.fixtures.report import (
    HOSTILE_CLASS,
    ReportInputs,
    bare,
    build_report,
    hostile_birds,
    photo_birds,
    picture_source,
    plain_hundred,
)


def shown(inputs: ReportInputs) -> tuple[Report, Pictures, Film]:
    report = build_report(inputs)
    pictures = build_pictures(report, picture_source(inputs), inputs.settings)
    found = film(report, pictures)
    assert found is not None
    return report, pictures, found


def marks_of(found: Film, edit: str) -> list[Mark]:
    return next(row.marks for block in found.blocks for row in block.rows if row.edit == edit)


def test_every_edit_has_a_row_and_every_mark_its_record() -> None:
    report, _, found = shown(photo_birds())
    baseline = report.methods["erm"]
    rows = [row.edit for block in found.blocks for row in block.rows]
    assert sorted(rows) == sorted(i.name for i in baseline.interventions)
    assert rows[0] == "background_swap"
    assert {row.edit for row in found.blocks[1].rows} == {"patch_shuffle", "foreground_removal"}
    for name, method in report.methods.items():
        for i in method.interventions:
            (dot,) = [m for m in marks_of(found, i.name) if m.method == name and not m.is_control]
            assert percent(i.flip_rate.value) in dot.tip
            ticks = [m for m in marks_of(found, i.name) if m.method == name and m.is_control]
            assert len(ticks) == (i.flip_rate_control is not None)
            assert all(percent(i.flip_rate_control.value) in t.tip for t in ticks if i.flip_rate_control)
            assert float(dot.low[:-1]) <= float(dot.at[:-1]) <= float(dot.high[:-1])
    assert report.verdict.edits is not None
    assert found.title == report.verdict.edits.finding


def test_labels_keep_off_the_pictures_beside_the_axis() -> None:
    """The control's tick lies at the left end here: its name goes to the right of it."""
    _, _, found = shown(photo_birds())
    (tick,) = [m for m in marks_of(found, "background_swap") if m.is_control and m.label]
    assert float(tick.at[:-1]) < 20
    assert (tick.label, tick.label_side) == ("same place", "right")
    right = [m for m in marks_of(found, "foreground_removal") if m.label]
    assert {m.label_side for m in right if float(m.at[:-1]) > 60} <= {"left"}


def test_pairs_are_of_one_image_and_say_whether_it_flips() -> None:
    report, pictures, found = shown(photo_birds())
    examples = {(e.edit, e.id): e for e in report.edits}
    for block in found.blocks:
        for row in block.rows:
            assert row.pairs
            for pair in row.pairs:
                own = examples[row.edit, pair.id]
                assert pair.flips == (own.before != own.after)
                assert pair.before == pictures.images[pair.id]
                assert pair.after == pictures.edits[row.edit, pair.id]
                assert f"Test image {pair.id}" in pair.before_alt
                assert ("another class" in pair.after_alt) == pair.flips
    swap = found.blocks[0].rows[0]
    assert swap.pairs[0].flips, "of a planted shortcut some image flips"


def test_the_null_shows_images_that_stay() -> None:
    report, pictures, found = shown(photo_birds(planted=False))
    assert any(not row.pairs[0].flips for row in found.blocks[0].rows)
    page = render_report(report, pictures)
    assert "stays</bdi>" in page
    assert {m.method for row in found.blocks[0].rows for m in row.marks} == {"erm"}


def test_without_anything_to_draw_there_is_no_chart() -> None:
    report = build_report(bare())
    assert film(report, Pictures()) is None
    assert reliance(report) is None
    assert 'class="chart film"' not in render_report(report, Pictures())


def test_without_pictures_or_masks_the_dots_stay() -> None:
    report = build_report(plain_hundred())
    found = film(report, Pictures())
    assert found is not None
    assert not found.has_pictures
    assert found.blocks[0].rows[0].edit == "greyscale"
    page = render_report(report, Pictures())
    assert 'class="chart film"' in page
    assert "film-pair" not in re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL)


def test_hostile_names_are_text() -> None:
    report, pictures, _ = shown(hostile_birds())
    strip = render_report(report, pictures)
    part = strip[
        strip.index('class="chart film"') : strip.index("</figure>", strip.index('class="chart film"'))
    ]
    assert HOSTILE_CLASS not in part
    assert "&lt;script&gt;" in part


def test_edited_pictures_are_in_the_budget() -> None:
    inputs = photo_birds()
    report = build_report(inputs)
    full = build_pictures(report, picture_source(inputs), inputs.settings)
    assert set(full.edits) == {(e.edit, e.id) for e in report.edits}
    assert not full.is_reduced
    used = sum(map(len, full.images.values())) + sum(map(len, full.edits.values()))
    small = build_pictures(report, picture_source(inputs), inputs.settings, budget=used // 3)
    assert small.is_reduced
    assert sum(map(len, small.edits.values())) < sum(map(len, full.edits.values()))


def test_panels_have_one_axis_and_every_method() -> None:
    report = build_report(photo_birds())
    found = reliance(report)
    assert found is not None
    assert found.title == "Group DRO relies less on the cue than ERM"
    assert [len(panel.dots) for panel in found.panels] == [2] * len(report.methods["erm"].interventions)
    printed = report.verdict.methods["erm"].overall_changes
    for panel, i in zip(found.panels, report.methods["erm"].interventions, strict=True):
        assert points_phrase(printed.get(i.name, i.accuracy_change)) in panel.dots[0].tip


@pytest.mark.parametrize("points", ["yes", "no", "insufficient"])
def test_heat_that_proves_nothing_is_folded(points: str) -> None:
    inputs = photo_birds()
    report = build_report(inputs)
    heat = {m: h.model_copy(update={"points": points}) for m, h in report.verdict.heat.items()}
    report = report.model_copy(update={"verdict": report.verdict.model_copy(update={"heat": heat})})
    page = render_report(report, build_pictures(report, picture_source(inputs), inputs.settings))
    opened = re.findall(r'<details class="cams" data-method="\w+"( open)?>', page)
    assert opened == ([" open"] if points == "yes" else [""]) * 2
    lead, pictures = page.index("the heat points better than a blob"), page.index('<details class="cams"')
    assert lead < pictures, "the finding leads"
    captions = re.findall(r'<figure class="cam">.*?<figcaption>(.*?)</figcaption>', page, flags=re.DOTALL)
    assert captions
    assert all(re.match(r"#\d+, (ERM|Group DRO): heat for ", caption) for caption in captions)


def test_the_template_stands_alone() -> None:
    """Another page can show the strip with the macros alone."""
    _, _, found = shown(photo_birds())
    macros = load_template("macros.html.j2").module
    module = load_template("charts/film.html.j2").make_module({"m": macros})
    assert found.title.split(";")[0] in module.chart(found)
