"""Titles and notes of charts claim what is planted, and nothing where it is not."""

from __future__ import annotations

import re

import pytest

from pipeline.core.words import percent
from pipeline.records.base import Estimate
from pipeline.report.page.charts.cause_curve import cause_curve
from pipeline.report.page.charts.chosen import losses
from pipeline.report.page.charts.color_dots import color_dots
from pipeline.report.page.charts.cost_frontier import cost_frontier
from pipeline.report.page.charts.group_slope import group_slope
from pipeline.report.page.charts.picture_matrix import picture_matrix
from pipeline.report.page.pictures import Pictures
from pipeline.settings.plans.report import ReportPlan
from pipeline.settings.report import ReportSettings
from tests.fixtures.charts import LOSS, edited, render, sample, with_gains, with_suspects

UP = Estimate(value=0.3, low=0.2, high=0.4, n=300)
FLAT = Estimate(value=0.01, low=-0.05, high=0.07, n=300)


def test_a_cost_is_named_only_where_it_shows() -> None:
    sure = group_slope(with_gains(sample(), UP, 0))
    assert sure is not None
    assert "by 30 points and costs “digits 0-4 / temple” 3 points" in sure.title
    assert [line.name for line in sure.lines if line.note == "costs 3 points"] == ["digits 0-4 / temple"]
    two = group_slope(with_gains(sample(), UP, 0, 3))
    assert two is not None
    assert "costs two groups 3 points each" in two.title
    none = group_slope(with_gains(sample(), UP))
    assert none is not None
    assert none.title.endswith("no group is shown to lose")
    assert not any(line.note for line in none.lines)


def test_a_method_that_was_not_chosen_loses_by_its_intervals() -> None:
    found = sample().verdict.comparisons[0]
    gains = [LOSS, FLAT, UP, FLAT]
    groups = [g.model_copy(update={"gain": gain}) for g, gain in zip(found.groups, gains, strict=True)]
    report = edited(sample(), verdict__recommendation__chosen=None, verdict__rungs=[])
    assert [g.index for g in losses(report, found.model_copy(update={"groups": groups}))] == [0]
    chart = group_slope(report)
    assert chart is not None
    assert chart.after == found.method, "the first of the settings: test images choose no method"


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


def test_the_frontier_marks_what_validation_chose_and_its_ties() -> None:
    told = sample().verdict.recommendation.model_copy(
        update={"action": "use", "method": "repair", "chosen": "repair", "tied": ["repair", "subg"]}
    )
    chart = cost_frontier(edited(sample(), verdict__recommendation=told))
    assert chart is not None
    notes = {row.method: row.note for band in chart.bands for row in band.rows}
    assert {method for method, note in notes.items() if note == "recommended"} == {"repair"}
    assert {method for method, note in notes.items() if note == "tied"} == {"subg"}
    assert notes["dfr"] == "not compared: validation images trained it", "they cannot judge it"
    assert chart.title.endswith("do not tell it from SUBG")
    keep = told.model_copy(update={"action": "keep", "method": None, "tied": ["repair"]})
    chart = cost_frontier(edited(sample(), verdict__recommendation=keep))
    assert chart is not None
    assert [row.method for band in chart.bands for row in band.rows if row.is_recommended] == ["erm"]
    none = told.model_copy(update={"action": "cannot_tell", "method": None, "chosen": None, "tied": []})
    chart = cost_frontier(edited(sample(), verdict__recommendation=none))
    assert chart is not None
    assert not any(row.is_recommended for band in chart.bands for row in band.rows)


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


def test_a_removal_curve_that_falls_is_the_reason_why_nothing_was_left_out() -> None:
    trained, judged = sample().training["repair"], sample().verdict.methods["repair"]
    assert trained.removal is not None
    assert judged.removal is not None
    own = next(curve for curve in judged.removal.curves if curve.kind == "repair")
    fallen = own.model_copy(update={"mean": [0.96, *[0.9] * (len(own.mean) - 2), 0.87]})
    curves = [fallen if curve.kind == "repair" else curve for curve in judged.removal.curves]
    found = judged.model_copy(update={"removal": judged.removal.model_copy(update={"curves": curves})})
    none = trained.model_copy(update={"removal": trained.removal.model_copy(update={"chosen": 0})})
    report = edited(sample(), training=sample().training | {"repair": none})
    chart = cause_curve(edited(report, verdict__methods=report.verdict.methods | {"repair": found}))
    assert chart is not None
    assert chart.title.startswith("Leaving out the 600 images ranked most harmful")
    assert "from 96% down to 87%" in chart.title


def test_no_line_leads_from_a_curve_that_ends_early_to_its_label() -> None:
    chart = cause_curve(sample())
    assert chart is not None
    assert {line.kind: line.leads for line in chart.lines}["suspected"] is False
    assert render("cause_curve", chart).count('class="leader"') == len(chart.lines) - 1


def test_the_title_of_the_cause_has_the_numbers_at_the_chosen_size() -> None:
    chart, judged = cause_curve(sample()), sample().verdict.methods["repair"].removal
    assert chart is not None
    assert judged is not None
    found = {curve.kind: curve for curve in judged.curves}
    at = found["repair"].n_removed.index(chart.chosen)
    for value in (found["repair"].mean[0], found["repair"].mean[at], found["suspected"].mean[-1]):
        assert percent(value, 0) in chart.title


def test_wrong_looking_labels_stand_beside_what_they_explain() -> None:
    chart = cause_curve(with_suspects(sample(), [60, 0, 0, 25]))
    assert chart is not None
    assert chart.title.endswith("leaving out only the 85 whose label looks wrong, to 50%")
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
    assert chart.title.endswith("none of them carries over to test images")
    held = [f.model_copy(update={"holds_on_test": True}) for f in findings]
    assert color_dots(edited(sample(), color__findings=held)).title.endswith("too")  # type: ignore[union-attr]
    some = [*held[:2], *findings[2:]]
    assert "2 of them carry over" in color_dots(edited(sample(), color__findings=some)).title  # type: ignore[union-attr]


def test_failing_groups_are_called_rare_only_where_each_is_rarer_than_all_others() -> None:
    report = sample()

    def title(n_train: list[int]) -> str:
        groups = [
            g.model_copy(update={"n_train": n}) for g, n in zip(report.dataset.groups, n_train, strict=True)
        ]
        dataset = report.dataset.model_copy(update={"groups": groups})
        found = picture_matrix(report.model_copy(update={"dataset": dataset}), Pictures())
        assert found is not None
        return found.title

    assert [g.name for g in report.dataset.groups][1:3] == ["digits 0-4 / flower", "digits 5-9 / temple"]
    assert title([1425, 75, 75, 1425]) == "It fails where training images were rare"
    assert title([2735, 33, 636, 137]).startswith("Where it fails"), (
        "137 images were enough for another group"
    )
