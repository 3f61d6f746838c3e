"""Charts show the report's own numbers and stand what data come as."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest

from pipeline.core.words import percent
from pipeline.records.report import Report
from pipeline.report.page.charts.cause_curve import cause_curve
from pipeline.report.page.charts.color_dots import color_dots
from pipeline.report.page.charts.cost_frontier import cost_frontier
from pipeline.report.page.charts.group_slope import LABEL, MOST_LINES, VALUE, group_slope
from pipeline.report.page.charts.index_bars import MOST_BARS, index_bars
from pipeline.report.page.charts.layout import Height, dodge
from pipeline.report.page.charts.learning_panels import MOST_PANELS, learning_panels
from tests.fixtures.charts import HOSTILE, MAKERS, edited, numbers, render, sample, with_groups, worst_groups

# --- the report's own numbers ----------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_every_number_is_the_reports(name: str) -> None:
    known = set(numbers(sample().model_dump(mode="json")))
    html = render(name, MAKERS[name](sample()))
    shown = re.findall(r'<data value="([^"]+)">([^<]+)</data>', html)
    assert 3 <= len(shown) <= 13
    for value, text in shown:
        assert float(value) in known, (name, value)
        assert text in {percent(float(value), 0), f"{float(value):,.0f}", f"{float(value):.2f}"}


@pytest.mark.parametrize("name", MAKERS)
def test_every_mark_tells_its_value_and_interval(name: str) -> None:
    html = render(name, MAKERS[name](sample()))
    tips = re.findall(r'data-tip="([^"]*)"', html)
    assert len(tips) >= 3
    assert all(re.search(r"\d", tip) for tip in tips)
    assert html.count('role="img" aria-label="') == len(tips), "the same words without a pointer"


def test_lines_of_groups_go_from_the_baselines_accuracy_to_the_methods() -> None:
    chart = group_slope(sample())
    assert chart is not None
    for line in chart.lines:
        before, after = line.before.estimate, line.after.estimate
        rises = after.value > before.value
        assert (line.after.y < line.before.y) == rises
        assert line.before.y_high <= line.before.y <= line.before.y_low
        assert percent(after.value) in line.after.tip
        assert percent(after.low).rstrip("%") in line.after.tip


# --- whatever data come as -------------------------------------------------------------------


def test_nothing_trained_leaves_color_alone() -> None:
    bare = edited(
        sample(),
        methods={},
        training={},
        verdict__methods={},
        verdict__comparisons=[],
        verdict__baseline=None,
        verdict__harmed_group=None,
    )
    assert [name for name, make in MAKERS.items() if make(bare) is not None] == ["color_dots"]
    assert color_dots(edited(bare, color__findings=[])) is None


def test_one_method_is_compared_with_nothing() -> None:
    methods = {"erm": sample().methods["erm"]}
    alone = edited(sample(), methods=methods, verdict__comparisons=[])
    assert group_slope(alone) is None
    assert cause_curve(edited(alone, training={})) is None
    panels, frontier, bars = (
        learning_panels(alone),
        cost_frontier(alone),
        index_bars(worst_groups(alone), None),
    )
    assert panels is not None
    assert frontier is not None
    assert bars is not None
    assert [line.method for line in panels.panels[0].lines] == ["erm"]
    assert [row.method for band in frontier.bands for row in band.rows] == ["erm"]
    assert [bar.method for bar in bars.bars] == ["erm"]


def test_of_many_groups_those_that_matter_are_drawn_and_none_covers_another() -> None:
    many = with_groups(sample(), 60)
    chart = group_slope(many)
    assert chart is not None
    assert len(chart.lines) == MOST_LINES
    assert chart.lines[0].name.startswith(many.verdict.comparisons[0].group)
    assert chart.rest.startswith("Not drawn: 54 groups, ")
    for gap, places in (
        (LABEL, [line.after.y_label for line in chart.lines]),
        (VALUE, [line.before.y_label for line in chart.lines]),
    ):
        ordered = sorted(places)
        assert all(b - a >= gap - 0.2 for a, b in pairwise(ordered))
        assert ordered[0] >= 0
        assert ordered[-1] <= chart.height
    panels = learning_panels(many)
    assert panels is not None
    assert len(panels.panels) == MOST_PANELS
    assert panels.rest == "Not drawn: 56 other groups."


def test_a_group_without_images_and_a_curve_without_values_are_left_out() -> None:
    methods = dict(sample().verdict.methods)
    groups = methods["erm"].groups
    gone = groups[3].model_copy(update={"value": math.nan, "low": math.nan, "high": math.nan, "n": 0})
    methods["erm"] = methods["erm"].model_copy(update={"groups": [*groups[:3], gone]})
    chart = group_slope(edited(sample(), verdict__methods=methods))
    assert chart is not None
    assert gone.name not in [line.name for line in chart.lines]
    judged = dict(sample().verdict.methods)
    curves = judged["erm"].curves
    assert curves is not None
    empty = curves.groups[0].model_copy(
        update={"mean": [None] * len(curves.epochs), "best": None, "learned_epoch": None}
    )
    judged["erm"] = judged["erm"].model_copy(
        update={"curves": curves.model_copy(update={"groups": [empty, *curves.groups[1:]]})}
    )
    panels = learning_panels(edited(sample(), verdict__methods=judged), ["erm"])
    assert panels is not None
    assert empty.name not in [panel.name for panel in panels.panels]
    assert "NaN" not in render("learning_panels", panels)
    assert "nan" not in render("group_slope", chart)


def test_an_index_card_keeps_the_baseline_and_says_how_many_are_left() -> None:
    worst = worst_groups(sample())
    bars = index_bars(worst | {f"own{i}": worst["erm"] for i in range(8)}, "own7")
    assert bars is not None
    assert len(bars.bars) == MOST_BARS
    assert [bar.method for bar in bars.bars[:2]] == ["erm", "own7"]
    assert bars.title.endswith("with own7")
    assert bars.rest == f"and {len(worst) + 8 - MOST_BARS} other methods"
    thin = worst["erm"].model_copy(update={"sufficient": False})
    assert "too few to decide" in render("index_bars", index_bars({"erm": thin}, None))


@pytest.mark.parametrize("name", MAKERS)
def test_names_cannot_attack_the_page(name: str) -> None:
    text = sample().model_dump_json()
    for own in [*(g.name for g in sample().dataset.groups), *sample().dataset.classes]:
        text = text.replace(
            f'"{own}"', f'"{HOSTILE}{own}"'.replace('">', '\\">').replace("\u202e", "\\u202e")
        )
    hostile = Report.model_validate_json(text)
    html = render(name, MAKERS[name](hostile))
    assert "script&gt;" in html
    assert "<script" not in html


# --- where labels go -------------------------------------------------------------------------


def test_labels_keep_off_each_other_and_stay_where_they_belong() -> None:
    assert dodge([10, 50, 90], 20, 0, 100) == [10, 50, 90]
    assert dodge([50, 50], 20, 0, 100) == [40, 60]
    assert dodge([90, 95, 20], 20, 0, 100) == [80, 100, 20]
    assert dodge([0, 0, 0], 20, 0, 10) == [0, 20, 40], "no room: the gap is kept"
    assert dodge([], 20, 0, 10) == []


def test_heights_are_upside_down_and_clipped() -> None:
    height = Height(0.5, 1.0, 10, 110)
    assert [height.at(v) for v in (1.0, 0.75, 0.5, 0.2)] == [10, 60, 110, 110]
