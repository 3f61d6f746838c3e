"""Cues that nobody annotated: the first rung names them, and no other rung clears the model of them."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.records.evaluation import CueUseFound
from pipeline.report.page.charts.cue_ranking import cue_ranking
from pipeline.report.page.html import render_report
from pipeline.report.page.pictures import build_pictures
from tests.fixtures.cues import found_cue
from tests.fixtures.planted.cues import plant_found_use
from tests.fixtures.report import (
    build_report,
    build_verdict,
    photo_birds,
    picture_source,
    used_cue_birds,
    with_cues,
    with_exchanges,
)


def test_what_nobody_annotated_is_found_and_clears_nobody() -> None:
    told = build_verdict(with_cues(photo_birds(planted=False), found_cue()))
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
def test_what_no_model_can_misuse_or_what_others_judge_changes_no_answer(changes: dict[str, Any]) -> None:
    null = photo_birds(planted=False)
    told, before = build_verdict(with_cues(null, found_cue(**changes))), build_verdict(null)
    assert [r.status for r in told.rungs] == [r.status for r in before.rungs]
    assert told.brief.unnamed_cue is None
    assert told.brief.decision == "Keep the model."


def test_a_named_cue_leads_and_the_other_is_said_beside_it() -> None:
    told = build_verdict(with_cues(photo_birds(), found_cue()))
    assert told.brief.rungs[0].line == "“place” gives the class away"
    assert "JPEG compression alone guesses" in told.rungs[0].evidence
    assert told.brief.unnamed_cue is None


def test_the_ranking_says_what_tells_no_more_and_what_may_be_content() -> None:
    report = build_report(
        with_cues(
            photo_birds(planted=False),
            found_cue(),
            found_cue("file_size", "file size", under="jpeg"),
            found_cue("texture", "texture", kind="pixels", may_be_content=True),
            found_cue("noise", "noise", found=False),
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
    report = build_report(with_cues(photo_birds(planted=False), found_cue(found=False)))
    chart = cue_ranking(report)
    assert chart is not None
    assert (chart.title, chart.rows) == ("None of 1 cues that were tried alone tells the class", [])


def test_a_used_cue_that_nobody_annotated_is_what_the_model_relies_on() -> None:
    told = build_verdict(used_cue_birds())
    assert told.rungs[1].status == "yes"
    assert "JPEG compression" in told.headline
    assert "“JPEG compression”" in told.brief.title
    assert told.brief.rungs[1].line == "exchanging “JPEG compression” moves predictions"
    assert told.brief.decision != "Keep the model."
    assert [(cue.used, cue.is_shortcut) for cue in told.methods["erm"].found_cues] == [("yes", True)]


def test_cues_shown_not_to_matter_clear_the_model_all_together() -> None:
    corner = found_cue("corners", "a corner of the image", kind="pixels")
    null = with_cues(photo_birds(planted=False), found_cue(), corner)
    both = build_verdict(with_exchanges(null, plant_found_use(), plant_found_use("corners")))
    assert both.rungs[1].status == "no"
    assert "Exchanges of “JPEG compression” and “a corner of the image” hardly move" in both.rungs[1].evidence
    one = build_verdict(with_exchanges(null, plant_found_use()))
    assert one.rungs[1].status == "insufficient"
    assert "“a corner of the image” gives the class away" in one.rungs[1].evidence


@pytest.mark.parametrize(
    ("cue", "used"),
    [
        (plant_found_use(carried=0.3), "insufficient"),  # the edit misses it
        (plant_found_use(carried=0.6), "insufficient"),  # a small shift of half a cue says little
        (
            plant_found_use(shift=0.4, may_be_content=True),
            "insufficient",
        ),  # what the class looks like goes along
    ],
)
def test_an_exchange_that_does_not_say_it_clears_and_accuses_nobody(cue: CueUseFound, used: str) -> None:
    null = with_cues(photo_birds(planted=False), found_cue())
    assert build_verdict(with_exchanges(null, cue)).rungs[1].status == used


def test_the_page_says_of_every_exchanged_cue_whether_it_is_used() -> None:
    inputs = used_cue_birds()
    report = build_report(inputs)
    page = render_report(report, build_pictures(report, picture_source(inputs), inputs.settings))
    row = page[page.index('id="cues"') :]
    row = row[: row.index("</table>")]
    assert "used" in row
    assert "40.0" in row
