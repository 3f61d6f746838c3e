"""What the section on training says of planted methods: the record's own numbers, for every reader."""

from __future__ import annotations

import re

from pipeline.core.words import percent
from pipeline.report.page.charts.followed import followed
from pipeline.report.page.html import render_report
from pipeline.report.page.pictures import Pictures
from tests.fixtures.charts import HOSTILE, edited, render, sample
from tests.fixtures.report import build_report, photo_birds


def test_the_chart_has_the_records_numbers_and_tells_each_line() -> None:
    report = build_report(photo_birds())
    chart = followed(report)
    assert chart is not None
    assert [panel.method for panel in chart.panels] == ["erm", "group_dro"]
    html = render("followed", chart)
    tips = re.findall(r'data-tip="([^"]*)"', html)
    assert len(tips) == 4 == html.count('role="img" aria-label="')
    for panel in chart.panels:
        judged = report.verdict.methods[panel.method].dynamics
        assert judged is not None
        assert judged.followed is not None
        for line, own in zip(panel.lines, (judged.followed.cue, judged.followed.label), strict=True):
            assert line.last == own[-1]
            assert percent(own[0]) in line.tip
            assert line.points.startswith("0.00,")
            assert line.points.split()[-1].startswith("100.00,")


def test_the_section_tells_decisions_and_norms() -> None:
    report = build_report(photo_birds())
    html = render_report(report, Pictures())
    found = report.verdict.methods["erm"].dynamics
    assert found is not None
    assert found.first is not None
    for sentence in (found.first.sentence, found.delay.sentence, found.jumps.sentence, found.stop_sentence):
        assert sentence in html
    assert '<data value="1.5">1.5</data>' in html, "of the gradient"


def test_trainings_of_before_have_no_such_part() -> None:
    judged = {m: v.model_copy(update={"dynamics": None}) for m, v in sample().verdict.methods.items()}
    before = edited(sample(), verdict__methods=judged)
    assert followed(before) is None
    assert "monitor-h" not in render_report(before, Pictures())
    assert "monitor-h" in render_report(sample(), Pictures())


def test_names_of_methods_cannot_attack_the_chart() -> None:
    report = build_report(photo_birds())
    judged = report.verdict.methods["erm"]
    hostile = edited(report, verdict__methods={HOSTILE: judged})
    chart = followed(hostile, [HOSTILE])
    assert chart is not None
    assert "<script>" not in render("followed", chart)
