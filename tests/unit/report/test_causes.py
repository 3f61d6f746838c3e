"""Pictures of causes show the cause that the sentence below them tells."""

from __future__ import annotations

import pytest

from pipeline.records.cause import Cause
from pipeline.records.report import Report
from pipeline.report.page.causes import CAUSES_SHOWN, find_causes, find_wrong_looking
from tests.fixtures.charts import edited, sample


def told(cause: Cause) -> Report:
    """The sample, in which leaving images out tells this cause of the harmed group's errors."""
    report = sample()
    found = report.verdict.methods["repair"]
    assert found.removal is not None
    assert found.removal.explained is not None
    assert report.verdict.harmed_group is not None
    explained = found.removal.explained.model_copy(
        update={"cause": cause, "group_index": report.verdict.harmed_group.index}
    )
    removal = found.removal.model_copy(update={"explained": explained})
    methods = report.verdict.methods | {"repair": found.model_copy(update={"removal": removal})}
    return edited(report, verdict__methods=methods)


@pytest.mark.parametrize(("cause", "share"), [("labels", 1.0), ("shortcut", 0.0)])
def test_the_first_pictures_are_of_the_cause_that_was_told(cause: Cause, share: float) -> None:
    report = told(cause)
    wrong, shown = find_wrong_looking(report), find_causes(report)
    assert len(shown) == CAUSES_SHOWN
    assert sum(image.id in wrong for image in shown) / len(shown) == share
    scores = [image.score for image in shown]
    assert scores in (sorted(scores), sorted(scores, reverse=True)), "among them, most harmful first"


@pytest.mark.parametrize("cause", ["both", "unclear"])
def test_where_causes_are_not_told_apart_the_most_harmful_are_shown_as_they_are(cause: Cause) -> None:
    report = told(cause)
    harmful = report.attribution[report.verdict.baseline or ""].most_harmful_to_worst
    assert find_causes(report) == harmful[:CAUSES_SHOWN]


def test_a_label_looks_wrong_by_the_rule_of_removal_where_it_looked() -> None:
    report = sample()
    assert find_wrong_looking(report) == set(report.lists["removed_repair_suspected"].ids)
    without = {key: found for key, found in report.lists.items() if found.kind != "removed"}
    by_lists = {i for found in without.values() if found.kind == "suspected" for i in found.ids}
    assert find_wrong_looking(edited(report, lists=without)) == by_lists
