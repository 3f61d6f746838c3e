"""Charts show the report's own numbers, state what is planted, and stand what data come as."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from pipeline.core.words import percent
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.report import Report
from pipeline.records.verdict import RemovalCurve
from pipeline.report.page.charts.cause_curve import cause_curve
from pipeline.report.page.charts.color_dots import color_dots
from pipeline.report.page.charts.cost_frontier import cost_frontier
from pipeline.report.page.charts.group_slope import LABEL, MOST_LINES, VALUE, group_slope
from pipeline.report.page.charts.index_bars import MOST_BARS, index_bars
from pipeline.report.page.charts.layout import Height, dodge
from pipeline.report.page.charts.learning_panels import MOST_PANELS, learning_panels
from pipeline.report.page.html import load_template
from pipeline.settings.plans.report import ReportPlan
from pipeline.settings.report import ReportSettings
from tests import ROOT

HOSTILE = '"><script>alert(1)</script> طائر \u202e ' + "x" * 300


@cache
def sample() -> Report:
    return Report.model_validate_json((ROOT / "docs/sample/photo_digits.json").read_text(encoding="utf-8"))


def worst_groups(report: Report) -> dict[str, GroupEstimate]:
    return {name: found.test.worst_group for name, found in report.methods.items()}


MAKERS: dict[str, Callable[[Report], Any]] = {
    "group_slope": group_slope,
    "cost_frontier": cost_frontier,
    "cause_curve": cause_curve,
    "color_dots": color_dots,
    "learning_panels": learning_panels,
    "index_bars": lambda report: index_bars(worst_groups(report)),
}


def render(name: str, chart: Any) -> str:
    html: str = load_template(f"charts/{name}.html.j2").module.chart(chart)
    return html


def numbers(value: Any) -> Iterator[float]:
    """Every number of a JSON document."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from numbers(part)
    elif isinstance(value, int | float):
        yield float(value)


def edited(report: Report, **changes: Any) -> Report:
    """The report with parts of its JSON replaced: `verdict__rungs=[...]`."""
    for path, value in changes.items():
        *parents, last = path.split("__")
        owners = [report]
        for name in parents:
            owners.append(getattr(owners[-1], name))
        made = owners.pop().model_copy(update={last: value})
        for owner, name in zip(reversed(owners), reversed(parents), strict=True):
            made = owner.model_copy(update={name: made})
        report = made
    return report


def with_gains(report: Report, gain: Estimate, **losses: float | None) -> Report:
    """Every comparison with this gain, and groups ("g1") that lose 3 points with these p-values."""

    def changed(index: int, own: Any) -> Any:
        p = losses.get(f"g{index}", 0.9)
        shift = Estimate(value=-0.03, low=-0.05, high=-0.01, n=300) if f"g{index}" in losses else own.gain
        return own.model_copy(update={"gain": shift, "p_holm": p})

    comparisons = [
        c.model_copy(update={"gain": gain, "groups": [changed(g.index, g) for g in c.groups]})
        for c in report.verdict.comparisons
    ]
    return edited(report, verdict__comparisons=comparisons)


def with_groups(report: Report, n: int) -> Report:
    """The same audit with so many groups, accuracies and changes repeated."""
    old = report.dataset.groups

    def grown(found: list[Any]) -> list[Any]:
        return [
            found[i % len(old)].model_copy(update={"index": i, "name": f"{old[i % len(old)].name} {i}"})
            for i in range(n)
        ]

    methods = {
        name: found.model_copy(
            update={"test": found.test.model_copy(update={"groups": grown(found.test.groups)})}
        )
        for name, found in report.methods.items()
    }
    comparisons = [c.model_copy(update={"groups": grown(c.groups)}) for c in report.verdict.comparisons]
    groups = [
        old[i % len(old)].model_copy(update={"name": f"{old[i % len(old)].name} {i}"}) for i in range(n)
    ]
    judged = {
        name: found.model_copy(
            update={
                "curves": found.curves.model_copy(
                    update={"groups": [found.curves.groups[i % len(old)] for i in range(n)]}
                )
                if found.curves
                else None
            }
        )
        for name, found in report.verdict.methods.items()
    }
    return edited(
        report,
        methods=methods,
        dataset__groups=groups,
        verdict__comparisons=comparisons,
        verdict__methods=judged,
    )


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


# --- what the titles state -------------------------------------------------------------------

UP = Estimate(value=0.3, low=0.2, high=0.4, n=300)
FLAT = Estimate(value=0.01, low=-0.05, high=0.07, n=300)


def test_a_cost_is_named_only_where_it_shows() -> None:
    sure = group_slope(with_gains(sample(), UP, g0=0.01))
    assert sure is not None
    assert "by 30 points and costs “digits 0-4 / temple” 3 points" in sure.title
    assert [line.note for line in sure.lines if line.name == "digits 0-4 / temple"] == ["costs 3 points"]
    two = group_slope(with_gains(sample(), UP, g0=0.01, g3=0.02))
    assert two is not None
    assert "costs 2 groups, at most 3 points" in two.title
    unsure = group_slope(with_gains(sample(), UP, g0=0.4))
    assert unsure is not None
    assert unsure.title.endswith("no group is shown to lose")
    assert not any(line.note for line in unsure.lines)


def test_a_gain_is_claimed_only_where_it_shows() -> None:
    chart = group_slope(with_gains(sample(), FLAT))
    assert chart is not None
    assert "is not shown to lift" in chart.title
    once = [c.model_copy(update={"p_value": None}) for c in with_gains(sample(), UP).verdict.comparisons]
    chart = group_slope(edited(sample(), verdict__comparisons=once))
    assert chart is not None
    assert chart.title.startswith("Too few trainings to tell whether")


def test_methods_stand_under_what_they_need() -> None:
    chart = cost_frontier(sample())
    assert chart is not None
    placed = {row.method: band.need for band in chart.bands for row in band.rows}
    expected = {"erm": "nothing", "dfr": "validation", "repair": "validation", "group_dro": "training"}
    assert expected.items() <= placed.items()
    assert [band.need for band in chart.bands] == ["nothing", "validation", "training"]
    inferred = ["class labels (train)", "inferred groups (train)", "derived group labels (train)"]
    methods = dict(sample().methods)
    methods["group_dro"] = methods["group_dro"].model_copy(update={"labels_used": inferred})
    chart = cost_frontier(edited(sample(), methods=methods))
    assert chart is not None
    assert "group_dro" in [row.method for row in chart.bands[0].rows]


def test_the_gate_is_drawn_where_the_report_knows_it() -> None:
    assert cost_frontier(sample()).gate is None  # type: ignore[union-attr]
    settings = ReportSettings(examples_per_group=6, targets_shown=6, thumbnail=96, min_effect=0.05)
    plan = ReportPlan.model_construct(
        active_methods=[], explained_methods=[], sections={}, report=settings, min_worst_group=0.15
    )
    chart = cost_frontier(edited(sample(), provenance__params=plan.shown()))
    assert chart is not None
    assert chart.scale.low <= 0.15
    assert "gate 15%" in render("cost_frontier", chart)
    assert 'class="gate"' in render("cost_frontier", chart)


def test_nothing_left_out_is_said() -> None:
    trained = sample().training["repair"]
    assert trained.removal is not None
    none = trained.model_copy(update={"removal": trained.removal.model_copy(update={"chosen": 0})})
    chart = cause_curve(edited(sample(), training=sample().training | {"repair": none}))
    assert chart is not None
    assert chart.title.startswith("No number of images left out is shown to help")
    assert not chart.removed
    assert "chosen" not in re.sub(r"\{.*?\}", "", render("cause_curve", chart))


def test_the_title_of_the_cause_has_the_numbers_at_the_chosen_size() -> None:
    chart, judged = cause_curve(sample()), sample().verdict.methods["repair"].removal
    assert chart is not None
    assert judged is not None
    found = {curve.kind: curve for curve in judged.curves}
    at = found["repair"].n_removed.index(chart.chosen)
    for value in (found["repair"].mean[0], found["repair"].mean[at], found["random"].mean[at]):
        assert percent(value, 0) in chart.title


def with_suspects(report: Report, counts: list[int]) -> Report:
    """So many wrong-looking labels among the removed images of each group, left out alone as a control."""
    methods = dict(report.verdict.methods)
    judged = methods["repair"].removal
    assert judged is not None
    start = judged.curves[0].mean[0]
    alone = RemovalCurve(
        kind="suspected",
        n_removed=[0, sum(counts)],
        mean=[start, 0.5],
        low=[start, 0.45],
        high=[start, 0.55],
        n_seeds=[2, 2],
    )
    removed = [g.model_copy(update={"n_suspected": counts[g.index]}) for g in judged.removed]
    update = {
        "curves": [*(c for c in judged.curves if c.kind != "suspected"), alone],
        "removed": removed,
        "n_suspected": sum(counts),
    }
    methods["repair"] = methods["repair"].model_copy(update={"removal": judged.model_copy(update=update)})
    return edited(report, verdict__methods=methods)


def test_wrong_looking_labels_stand_beside_what_they_explain() -> None:
    chart = cause_curve(with_suspects(sample(), [60, 0, 0, 25]))
    assert chart is not None
    assert chart.title.endswith("without only the 85 of them whose label looks wrong, to 50%")
    assert chart.removed_title == "The 600 images left out: 85 have a label that looks wrong"
    assert {row.name: row.n_wrong for row in chart.removed}["digits 0-4 / temple"] == 60
    for row in chart.removed:
        parts = [float(width.rstrip("%")) for width in (row.right, row.wrong)]
        assert sum(parts) / 50 == pytest.approx(row.n / max(r.n for r in chart.removed), abs=1e-3)
        assert parts[1] == pytest.approx(sum(parts) * (row.n_wrong or 0) / row.n, abs=0.02)
    alone = next(line for line in chart.lines if line.kind == "suspected")
    assert alone.value == 0.5
    none = cause_curve(with_suspects(sample(), [0, 0, 0, 0]))
    assert none is not None
    assert none.removed_title.endswith("no label looks wrong")


def test_color_that_holds_on_test_is_told_from_color_that_does_not() -> None:
    findings = sample().color.findings
    chart = color_dots(sample())
    assert chart is not None
    assert chart.title.endswith("none of them on test images")
    held = [f.model_copy(update={"holds_on_test": True}) for f in findings]
    assert color_dots(edited(sample(), color__findings=held)).title.endswith("too")  # type: ignore[union-attr]
    some = [*held[:2], *findings[2:]]
    assert ", 2 of them on" in color_dots(edited(sample(), color__findings=some)).title  # type: ignore[union-attr]


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
    panels, frontier, bars = learning_panels(alone), cost_frontier(alone), index_bars(worst_groups(alone))
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
    methods = dict(sample().methods)
    test = methods["erm"].test
    gone = test.groups[3].model_copy(update={"value": math.nan, "low": math.nan, "high": math.nan, "n": 0})
    methods["erm"] = methods["erm"].model_copy(
        update={"test": test.model_copy(update={"groups": [*test.groups[:3], gone]})}
    )
    chart = group_slope(edited(sample(), methods=methods))
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
    bars = index_bars(worst | {f"own{i}": worst["erm"] for i in range(8)})
    assert bars is not None
    assert len(bars.bars) == MOST_BARS
    assert bars.bars[0].method == "erm"
    assert bars.rest == f"and {len(worst) + 8 - MOST_BARS} lower methods"
    thin = worst["erm"].model_copy(update={"sufficient": False})
    assert "too few to decide" in render("index_bars", index_bars({"erm": thin}))


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
