"""The two-minute answer: it says what the ladder says, in few words, and never more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.records.base import Estimate
from pipeline.records.cause import ExplainedGain
from pipeline.records.verdict import Brief
from pipeline.report.page.causes import find_causes
from pipeline.report.page.chapters import find_usual
from pipeline.report.page.pictures import Pictures
from pipeline.verdict.brief import write_brief
from pipeline.verdict.judge import judge, make_case
from tests.fixtures.report import (
    PROVENANCE,
    ReportInputs,
    bare,
    build_report,
    build_verdict,
    hostile_birds,
    photo_birds,
    plain_hundred,
    repaired_birds,
    replant,
)


def brief(inputs: ReportInputs) -> Brief:
    return build_verdict(inputs).brief


def answers(inputs: ReportInputs) -> list[str]:
    return [rung.answer for rung in brief(inputs).rungs]


def test_a_planted_shortcut_is_told_in_five_words() -> None:
    found = brief(photo_birds())
    assert answers(photo_birds()) == ["Found", "Used", "Harmful", "Traced", "Partly fixed"]
    assert (
        found.title == "The model relies on the “place”, and “waterbird / land” and another group pay for it"
    )
    assert found.decision.startswith("Use Group DRO, not standard training (ERM)")
    assert found.rungs[0].line == "“place” gives the class away"
    assert "“waterbird / land”" in found.rungs[2].line


def test_a_null_is_not_told_as_a_shortcut() -> None:
    inputs = photo_birds(planted=False)
    found = brief(inputs)
    assert answers(inputs) == ["Not found", "Not used", "No harm shown", "Nothing to trace", "Nothing to fix"]
    assert found.title.startswith("No shortcut found")
    assert found.rungs[1].line != "no edit could test it", "which a plain no does not say"
    assert (found.decision, found.price) == ("Keep the model.", "")
    assert found.rungs[0].sentences[0].startswith("Color alone is not shown to guess the class better")
    assert len({rung.line for rung in found.rungs}) == 5, "no two rungs give one answer"
    report = build_report(inputs)
    assert (find_usual(report, Pictures()), find_causes(report)) == ([], []), "no picture says otherwise"
    planted = build_report(photo_birds())
    assert len(find_usual(planted, Pictures())) == 2
    assert find_causes(planted)


def test_without_a_model_nothing_is_said_of_one() -> None:
    found = brief(bare())
    assert found.title == "The data offer a shortcut; no model was run"
    assert found.decision == "Train a model and run the audit again."
    assert found.rungs[0].answer == "Found"


def test_too_few_trainings_give_no_all_clear() -> None:
    inputs = replant(
        photo_birds(), shifts=[0.0], erm=[0.985, 0.78, 0.62, 0.95], group_dro=[0.94, 0.9, 0.84, 0.9]
    )
    found = brief(inputs)
    assert found.rungs[2].answer == "Too little evidence"
    assert not found.decision.startswith(("Keep", "Use"))
    assert "whether a group pays is open" in found.title


def test_a_method_that_leaves_images_out_says_so_and_whom_it_raises() -> None:
    inputs = repaired_birds()
    alone = replace(
        inputs,
        evaluations={name: inputs.evaluations[name] for name in ("erm", "repair")},
        comparisons=[c for c in inputs.comparisons if c.method == "repair"],
    )
    removal = inputs.histories["repair"].removal
    assert removal is not None
    found = brief(alone).rungs[4]
    assert found.line.startswith(f"leaving out {removal.chosen} harmful images raises")
    assert f"training without {removal.chosen} harmful images" in found.sentences[0]
    both = brief(inputs).rungs[4]
    assert both.line.startswith("Group DRO raises both groups"), "and both are shown to gain"
    assert "harmful images" not in both.sentences[0]


@pytest.mark.parametrize(
    "after",
    [[0.97, 0.96, 0.96, 0.97], [0.94, 0.9, 0.84, 0.9], [0.96, 0.78, 0.74, 0.95], [0.985, 0.7, 0.75, 0.97]],
)
def test_what_a_repaired_model_leaves_open_is_said_beside_its_gain(after: list[float]) -> None:
    inputs = replant(photo_birds(), erm=[0.985, 0.78, 0.62, 0.95], group_dro=after)
    own = build_verdict(inputs).methods["group_dro"]
    told = " ".join(brief(inputs).rungs[4].sentences[1:])
    for status, words in ((own.used.status, "still relies on"), (own.harmful.status, "still fails a group")):
        assert (words in told) == (status != "no")
    assert ("is open" in told) == ("insufficient" in (own.used.status, own.harmful.status))


def test_a_method_that_raises_the_group_is_not_passed_over_where_another_was_chosen() -> None:
    inputs = repaired_birds()
    verdict = build_verdict(inputs)
    case = make_case(inputs.results, verdict.comparisons, verdict.thresholds)
    weak = [
        c.model_copy(update={"gain": Estimate(value=0.2, low=-0.3, high=0.7, n=400)})
        for c in case.comparisons
    ]
    advised = verdict.recommendation.model_copy(update={"method": None, "action": "cannot_tell"})
    rungs = [
        r.model_copy(update={"status": "insufficient"}) if r.rung == "fixed_by" else r for r in verdict.rungs
    ]
    none = write_brief(case.model_copy(update={"comparisons": weak}), rungs, advised, verdict.methods)
    assert none.decision.endswith("nothing tried is shown to repair it.")
    assert none.rungs[4].line.endswith("raises it is open")
    one_weak = [weak[0], *case.comparisons[1:]]
    chosen = case.model_copy(update={"comparisons": one_weak})
    chosen.__dict__["best"] = one_weak[0]  # as validation chose it
    other = write_brief(chosen, rungs, advised, verdict.methods)
    assert other.rungs[4].line.endswith("does")
    assert "raised “waterbird / land” on test images, which may not choose a method" in other.decision


def test_wrong_labels_among_the_most_harmful_are_told_once() -> None:
    first, second = brief(repaired_birds()).rungs[3].sentences
    assert first.startswith("Training images of “landbird / land” hurt")
    assert second.startswith("Of the 50 most harmful training images 19 have a label that looks wrong")


def test_attribution_that_was_not_run_is_not_called_evidence() -> None:
    assert answers(replace(photo_birds(), attributions={}))[3] == "Not run"


@pytest.mark.parametrize("make", [photo_birds, hostile_birds, bare, plain_hundred])
def test_it_is_short_and_has_one_number_with_its_interval_a_sentence(make: object) -> None:
    inputs = make()  # type: ignore[operator]
    verdict = build_verdict(inputs)
    assert [rung.status for rung in verdict.brief.rungs] == [rung.status for rung in verdict.rungs]
    for rung in verdict.brief.rungs:
        assert len(rung.line.split()) <= 16, rung.line
        assert len(rung.sentences) <= 2
    assert len(verdict.brief.title.split()) <= 26


@pytest.mark.parametrize(
    ("cause", "line"),
    [
        ("labels", "to images whose label looks wrong"),
        ("both", "to images whose label looks wrong, and to the shortcut"),
        ("shortcut", "to images of “"),
        ("unclear", "to images of “"),
    ],
)
def test_wrong_labels_are_not_told_as_a_group(cause: str, line: str) -> None:
    inputs = photo_birds()
    harmed = build_verdict(inputs).harmed_group
    assert harmed is not None
    part = Estimate(value=0.4, low=0.3, high=0.5, n=200)
    gain = ExplainedGain.model_validate(
        {"group": harmed.name, "group_index": harmed.index, "n_suspected": 9, "n_rest": 9, "cause": cause}
        | {"total": part, "labels": part, "rest": part, "text": "Told."}
    )
    explained = {"repair": gain}, dict[str, str]()
    found = judge(
        inputs.results, inputs.limits, PROVENANCE, comparisons=inputs.comparisons, explained=explained
    )
    traced = found.brief.rungs[3]
    assert traced.answer == "Traced"
    assert traced.line.startswith(line)
    assert traced.sentences == ["Told."]


def test_a_model_that_fails_a_group_for_another_reason_is_not_simply_kept() -> None:
    even = [0.97, 0.95, 0.94, 0.60]  # the worst group is one that the cue guides
    found = brief(replant(photo_birds(), erm=even, group_dro=[0.97, 0.95, 0.94, 0.62]))
    assert found.rungs[2].answer == "No harm shown"
    assert found.decision.startswith("Find out why “waterbird / water” is clearly worse")
    assert "it fails “waterbird / water”" in found.title


def table_of(inputs: ReportInputs) -> ReportInputs:
    """The baseline as a table of predictions, and no other method beside it."""
    name = next(iter(inputs.evaluations))
    table = inputs.evaluations[name].model_copy(update={"only_predictions": True})
    alone = replace(inputs, evaluations={name: table}, histories={name: inputs.histories[name]})
    return replace(alone, attributions={}, gradcams={}, comparisons=(), validation=None)


def test_a_table_alone_says_what_predictions_can_and_what_was_not_tried() -> None:
    found = brief(table_of(photo_birds()))
    assert [rung.answer for rung in found.rungs] == ["Found", "Not run", "Harmful", "Not run", "Not run"]
    assert found.title == (
        "The model fails “waterbird / land” and another group, and its mistakes agree with the “place”"
    )
    assert found.rungs[1].line.startswith("its mistakes agree with it")
    assert found.rungs[4].line == "no other method was trained"
    assert found.decision == "Do not rely on this model for those groups yet: no repair was tried."
    assert found.sureness.startswith("Three trainings, "), "one table for each"
    null = brief(table_of(photo_birds(planted=False)))
    assert "agree" not in null.title + null.rungs[1].line
    assert (
        null.title
        == "No group clearly pays; whether the “place” misleads the model only its network can show"
    )
    assert null.decision.startswith("Do not conclude yet: bring the network"), "use was not tested"
