"""Cues that nobody annotated: the first rung names them, and no other rung clears the model of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.records.cues import CueFinding
from pipeline.report.page.charts.cue_ranking import cue_ranking
from tests.fixtures.cues import finding, found_cues
from tests.fixtures.report import ReportInputs, build_report, build_verdict, photo_birds


def with_cues(inputs: ReportInputs, *cues: CueFinding) -> ReportInputs:
    return replace(inputs, cues=found_cues(*cues))


def test_what_nobody_annotated_is_found_and_clears_nobody() -> None:
    told = build_verdict(with_cues(photo_birds(planted=False), finding()))
    available, used = told.rungs[:2]
    assert (available.status, used.status) == ("yes", "insufficient")
    assert told.brief.rungs[0].line == "“JPEG compression” gives the class away"
    assert "JPEG compression" in told.brief.title
    assert told.brief.decision != "Keep the model."
    assert told.brief.unnamed_cue == "jpeg"


@pytest.mark.parametrize(
    "changes",
    [
        {"found": False},
        {"may_be_content": True},
        {"is_visible": False},
        {"under": "color"},
        {"kind": "column"},
        {"name": "color"},
    ],
)
def test_what_no_model_can_misuse_or_what_others_judge_changes_no_answer(changes: dict[str, object]) -> None:
    null = photo_birds(planted=False)
    told, before = build_verdict(with_cues(null, finding(**changes))), build_verdict(null)
    assert [r.status for r in told.rungs] == [r.status for r in before.rungs]
    assert told.brief.unnamed_cue is None
    assert told.brief.decision == "Keep the model."


def test_a_named_cue_leads_and_the_other_is_said_beside_it() -> None:
    told = build_verdict(with_cues(photo_birds(), finding()))
    assert told.brief.rungs[0].line == "“place” gives the class away"
    assert "JPEG compression alone guesses" in told.rungs[0].evidence
    assert told.brief.unnamed_cue is None


def test_the_ranking_says_what_tells_no_more_and_what_may_be_content() -> None:
    report = build_report(
        with_cues(
            photo_birds(planted=False),
            finding(),
            finding("file_size", "file size", under="jpeg"),
            finding("texture", "texture", kind="pixels", may_be_content=True),
            finding("noise", "noise", found=False),
        )
    )
    chart = cue_ranking(report)
    assert chart is not None
    assert chart.title == "“JPEG compression” tells most of the class, of 4 cues that were tried alone"
    assert [(row.title, row.under, bool(row.note)) for row in chart.rows] == [
        ("JPEG compression", ["file size"], False),
        ("texture", [], True),
    ]


def test_where_nothing_tells_the_class_the_chart_says_so() -> None:
    report = build_report(with_cues(photo_birds(planted=False), finding(found=False)))
    chart = cue_ranking(report)
    assert chart is not None
    assert (chart.title, chart.rows) == ("None of 1 cues that were tried alone tells the class", [])
