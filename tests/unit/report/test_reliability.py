"""Pictures of how sure a model is and how often it is right: the record's numbers, no claim beyond."""

from __future__ import annotations

import math
import re
from functools import cache

import pytest

from pipeline.core.words import percent
from pipeline.records.report import Report
from pipeline.report.page.charts.reliability import reliability
from pipeline.report.page.html import render_report
from pipeline.report.page.pictures import Pictures
from tests.fixtures.charts import HOSTILE, edited, render
from tests.fixtures.report import build_report, photo_birds


@cache
def birds() -> Report:
    return build_report(photo_birds())


def with_indicator(report: Report, name: str, **changes: object) -> Report:
    """The report whose indicator of that name, of every method, has parts replaced."""
    known = {
        method: result.model_copy(
            update={
                "indicators": [
                    i.model_copy(update=changes) if i.name == name else i for i in result.indicators
                ]
            }
        )
        for method, result in report.indicators.items()
    }
    return edited(report, indicators=known)


def surer_by(report: Report, low: float, high: float) -> Report:
    """Confidence minus accuracy of the group that pays lies there; that of all images elsewhere."""
    found = report.indicators["erm"].find("overconfidence")
    harmed = report.verdict.harmed_group
    assert found is not None
    assert harmed is not None
    value = {"value": (low + high) / 2, "low": low, "high": high}
    groups = [g.model_copy(update=value) if g.index == harmed.index else g for g in found.groups]
    return with_indicator(report, "overconfidence", groups=groups)


def test_both_pictures_have_the_records_numbers() -> None:
    report = birds()
    chart = reliability(report)
    harmed = report.verdict.harmed_group
    assert chart is not None
    assert harmed is not None
    assert chart.group == harmed.name
    assert [figure.name for figure in chart.figures] == ["calibration", "selective"]
    for figure in chart.figures:
        assert [panel.method for panel in figure.panels] == ["erm", "group_dro"]
        for panel in figure.panels:
            assert [line.kind for line in panel.lines] == ["all", "group"]
            found = report.indicators[panel.method].find(figure.name)
            assert found is not None
            for line in panel.lines:
                index = harmed.index if line.kind == "group" else None
                own = next(c for c in found.curves if c.index == index)
                assert len(line.points.split()) == len(own.x)
                shown = [i for i, y in enumerate(own.y) if any(percent(y) in mark.tip for mark in line.marks)]
                assert shown[-1] == len(own.x) - 1
                assert f"n = {own.n[-1]:,}" in line.marks[-1].tip
                assert all(mark.y_high <= mark.y <= mark.y_low for mark in line.marks)
    html = render("reliability", chart)
    tips = re.findall(r'data-tip="([^"]*)"', html)
    marks = [mark for f in chart.figures for panel in f.panels for line in panel.lines for mark in line.marks]
    assert len(tips) == len(marks) == html.count('role="img" aria-label="')
    assert "nan" not in html.lower().replace("names", "")


def test_a_curve_of_planted_confidence_lies_on_the_diagonal() -> None:
    report = birds()
    found = report.indicators["erm"].find("calibration")
    assert found is not None
    x = [0.6, 0.8, 1.0]
    planted = [
        c.model_copy(update={"x": x, "y": x, "low": x, "high": x, "n": [50] * 3}) for c in found.curves
    ]
    chart = reliability(with_indicator(report, "calibration", curves=planted))
    assert chart is not None
    figure = chart.figures[0]
    (x0, y0), (x1, y1) = ([float(v) for v in p.split(",")] for p in figure.diagonal.split())
    for point in figure.panels[0].lines[0].points.split():
        at, up = (float(v) for v in point.split(","))
        assert up == pytest.approx(y0 + (y1 - y0) * (at - x0) / (x1 - x0), abs=0.11)


@pytest.mark.parametrize(
    ("low", "high", "title"),
    [
        (0.1, 0.3, "ERM is surer than it is right on “{}”"),
        (-0.1, 0.3, "ERM is not shown to be surer than it is right on “{}”"),
        (0.0, 0.3, "ERM is not shown to be surer than it is right on “{}”"),
        (-0.3, -0.1, "ERM is right more often than it says on “{}”"),
    ],
)
def test_the_title_claims_what_the_groups_interval_shows(low: float, high: float, title: str) -> None:
    chart = reliability(surer_by(birds(), low, high))
    assert chart is not None
    assert chart.figures[0].title == title.format(chart.group)


def test_without_the_difference_or_a_group_that_pays_the_title_says_no_more() -> None:
    report = birds()
    unknown = reliability(with_indicator(report, "overconfidence", why_not="no network"))
    assert unknown is not None
    assert unknown.figures[0].title == "How often ERM is right, by how sure it is"
    alone = reliability(edited(report, verdict__harmed_group=None))
    assert alone is not None
    assert alone.group == ""
    assert alone.figures[0].title.endswith("over all images")
    assert {line.kind for f in alone.figures for panel in f.panels for line in panel.lines} == {"all"}


def test_one_of_the_pictures_stands_alone() -> None:
    chart = reliability(with_indicator(birds(), "calibration", curves=[]))
    assert chart is not None
    assert [figure.name for figure in chart.figures] == ["selective"]


def test_a_report_of_before_has_no_such_picture() -> None:
    old = with_indicator(with_indicator(birds(), "calibration", curves=[]), "selective", curves=[])
    assert reliability(old) is None
    assert '<figure class="chart reliability"' not in render_report(old, Pictures())


def test_a_single_point_is_drawn_and_hostile_names_stay_text() -> None:
    report = birds()
    harmed = report.verdict.harmed_group
    found = report.indicators["erm"].find("calibration")
    assert harmed is not None
    assert found is not None
    one = {"x": [1.0], "y": [1.0], "low": [0.3], "high": [1.0], "n": [2]}
    report = with_indicator(report, "calibration", curves=[c.model_copy(update=one) for c in found.curves])
    report = edited(report, verdict__harmed_group=harmed.model_copy(update={"name": HOSTILE}))
    chart = reliability(report)
    assert chart is not None
    html = render("reliability", chart)
    assert "<script>" not in html
    assert all(math.isfinite(y) for y, _ in chart.figures[0].heights)
    assert all(point == "100.00,8.0" for point in (ln.points for ln in chart.figures[0].panels[0].lines))
