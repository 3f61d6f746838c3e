"""Rung 5: a clear gain that leaves the gap open is "partly"; nothing is repaired where nobody is harmed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.report.evidence import Rung
from pipeline.report.summary import ReportInputs, build_summary
from tests.report_fixtures import around, metrics, photo_birds
from tests.skill_fixtures import skill

HARMED = "waterbird / land"


def judged(
    after: list[float], gain: float, *, before: list[float] | None = None, group: str = HARMED
) -> tuple[Rung, str, list[str]]:
    """Rung 5, the headline and what to do, where ERM had `before` and Group DRO has `after`."""
    summary = build_summary(case(after, gain, before=before, group=group))
    rung = next(rung for rung in summary.verdict if rung.rung == "fixed_by")
    return rung, summary.headline, [step.action for step in summary.next_steps]


def case(
    after: list[float], gain: float, *, before: list[float] | None = None, group: str = HARMED
) -> ReportInputs:
    inputs = photo_birds()
    groups = inputs.info.groups
    accuracies = {"erm": before or [0.985, 0.78, 0.62, 0.95], "group_dro": after}
    evaluations = {
        m: e.model_copy(update={"test": metrics(accuracies[m], groups)})
        for m, e in inputs.evaluations.items()
    }
    comparison = inputs.comparisons[0].model_copy(update={"group": group, "gain": around(gain, 0.04, 642)})
    return replace(inputs, evaluations=evaluations, comparisons=[comparison])


@pytest.mark.parametrize(
    ("after", "before", "status"),
    [
        ([0.92, 0.92, 0.90, 0.92], None, "yes"),
        ([0.95, 0.85, 0.11, 0.90], [0.99, 0.35, 0.02, 0.97], "partly"),  # far from the average
        ([0.99, 0.78, 0.80, 0.97], None, "partly"),  # at the average of a weaker mix, its label not
        ([0.99, 0.40, 0.69, 0.70], [0.99, 0.99, 0.40, 0.70], "yes"),  # a hard class, level with its own
        ([0.30, 0.30, 0.30, 0.30], [0.99, 0.90, 0.02, 0.97], "partly"),  # all were brought down
    ],
)
def test_a_gain_repairs_only_where_it_closes_the_gap(
    after: list[float], before: list[float] | None, status: str
) -> None:
    rung, headline, actions = judged(after, after[2] - (before or [0, 0, 0.62])[2], before=before)
    assert rung.status == status
    assert "What is left of the gap: " in rung.evidence
    assert "95%" in rung.evidence
    assert (" and leaves " in headline) is (status == "partly")
    assert actions[0] == "Use the Group DRO model instead of ERM."
    assert any(action.startswith("Collect more") for action in actions) is (status == "partly")


def test_a_favoured_group_is_never_the_one_that_is_repaired() -> None:
    rung, _, _ = judged([0.99, 0.92, 0.90, 0.99], 0.04, group="waterbird / water")
    assert rung.status == "insufficient"
    assert "the cue points the right way" in rung.evidence


def test_nothing_is_repaired_where_harm_is_not_established() -> None:
    inputs = case([0.92, 0.92, 0.90, 0.92], 0.28)
    groups = [g.model_copy(update={"n_test": 99}) if i == 3 else g for i, g in enumerate(inputs.info.groups)]
    erm = inputs.evaluations["erm"].model_copy(update={"test": metrics([0.985, 0.78, 0.62, 0.95], groups)})
    inputs = replace(
        inputs,
        info=inputs.info.model_copy(update={"groups": groups}),
        evaluations={**inputs.evaluations, "erm": erm},
    )
    found = {rung.rung: rung for rung in build_summary(inputs).verdict}
    assert [found[name].status for name in ("harmful", "caused_by", "fixed_by")] == ["insufficient"] * 3
    assert found["fixed_by"].evidence.startswith("Whether a group is harmed is not established")


def test_a_method_that_is_a_constant_repairs_nothing() -> None:
    inputs = case([0.0, 0.0, 1.0, 1.0], 0.38)
    dro = inputs.evaluations["group_dro"].model_copy(update={"class_skill": skill(0.5)})
    summary = build_summary(replace(inputs, evaluations={**inputs.evaluations, "group_dro": dro}))
    rung = next(rung for rung in summary.verdict if rung.rung == "fixed_by")
    assert rung.status == "insufficient"
    assert "better than a constant" in rung.evidence
    assert not any("Use the Group DRO" in step.action for step in summary.next_steps)
