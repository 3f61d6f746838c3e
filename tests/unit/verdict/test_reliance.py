"""Reliance of a method beside the baseline's: direction, correction and what is left out."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pipeline.records.base import Estimate
from pipeline.records.verdict import RelianceDifference
from pipeline.statistics.comparison.paired import paired_change
from pipeline.statistics.intervals import accuracy_over_seeds
from pipeline.verdict.cue.reliance import compare_reliance, describe_reliance
from tests.fixtures.planted.outcomes import plant_correct
from tests.fixtures.report import ReportInputs, build_report, photo_birds, plain_hundred


def compared(inputs: ReportInputs) -> dict[tuple[str, str], RelianceDifference]:
    limits = inputs.limits
    rows = compare_reliance(inputs.evaluations, inputs.gradcams, baseline="erm", limits=limits)
    return {(row.kind, row.what): row for row in rows}


def test_a_method_that_flips_less_and_keeps_more_accuracy_relies_less() -> None:
    inputs = photo_birds()
    rows = compared(inputs)
    swap = rows["accuracy_change", "Swapping the background: change in % of its accuracy"]
    before, after = (
        next(i for i in inputs.evaluations[m].interventions if i.name == "background_swap")
        for m in ("erm", "group_dro")
    )
    lost = [-i.accuracy_change.value / (i.accuracy.value - i.accuracy_change.value) for i in (before, after)]
    assert swap.difference.value == pytest.approx(lost[0] - lost[1])
    flips = rows["flip_excess", "Swapping the background: flips beyond the control"]
    excess = []
    for found in (before, after):
        assert found.flip_rate_control is not None
        excess.append(found.flip_rate.value - found.flip_rate_control.value)
    assert (flips.before.value, flips.after.value) == pytest.approx(excess)
    assert flips.difference.value == pytest.approx(excess[0] - excess[1])
    assert flips.verdict == "less"
    assert rows["foreground_sensitivity", "Object or background"].verdict == "less"


def test_equal_methods_show_no_difference() -> None:
    rows = compared(photo_birds(planted=False))
    assert {row.verdict for row in rows.values()} == {"not shown"}


def test_the_turned_comparison_relies_more() -> None:
    inputs = photo_birds()
    limits = inputs.limits
    rows = compare_reliance(inputs.evaluations, inputs.gradcams, baseline="group_dro", limits=limits)
    turned = {(row.kind, row.what): row for row in rows}
    for key, row in compared(inputs).items():
        assert turned[key].difference.value == pytest.approx(-row.difference.value)
        assert (turned[key].verdict == "more") is (row.verdict == "less")
    assert any(row.verdict == "more" for row in rows)


def test_shape_is_left_out_and_using_the_object_is_less_reliance_on_the_cue() -> None:
    inputs = photo_birds()
    assert not any("patches" in what for _, what in compared(inputs))
    kept = []
    for method in ("erm", "group_dro"):
        found = inputs.evaluations[method].interventions
        removal = next(i for i in found if i.name == "foreground_removal")
        kept.append(removal.accuracy_change.value / (removal.accuracy.value - removal.accuracy_change.value))
    assert kept[0] > 0 > kept[1], "the object is what Group DRO's networks read"
    row = compared(inputs)["object_removed", "Removing the object: change in % of its accuracy"]
    assert row.difference.value == pytest.approx(kept[0] - kept[1])
    assert row.verdict == "less"


def test_intervals_hold_for_all_measures_at_once() -> None:
    inputs = photo_birds()
    rows = compared(inputs)
    row = rows["foreground_sensitivity", "Object or background"]
    halves = [
        found.value - found.low if is_lower else found.high - found.value
        for method, is_lower in (("erm", True), ("group_dro", False))
        if (found := inputs.evaluations[method].foreground_sensitivity)
    ]
    assert len(halves) == 2
    assert len(rows) > 5
    assert abs(row.difference.value) - min(abs(row.difference.low), abs(row.difference.high)) > 1.2 * (
        math.hypot(*halves)
    )


def test_one_method_has_nothing_beside_it() -> None:
    assert build_report(plain_hundred()).verdict.reliance == []


def test_measures_that_only_one_method_has_are_left_out() -> None:
    inputs = photo_birds()
    erm = inputs.evaluations["erm"].model_copy(update={"foreground_sensitivity": None})
    inputs = replace(inputs, evaluations={**inputs.evaluations, "erm": erm})
    assert ("foreground_sensitivity", "Object or background") not in compared(inputs)


def test_a_weaker_model_that_loses_the_same_share_does_not_rely_less() -> None:
    inputs = photo_birds(planted=False)
    inputs = without_color(without_color(inputs, "erm", 0.8, 0.4), "group_dro", 0.4, 0.2)
    row = compared(inputs)["accuracy_change", "Removing color: change in % of its accuracy"]
    assert row.before.value == row.after.value == pytest.approx(-0.5)
    assert row.verdict == "not shown"


def test_without_accuracy_there_is_nothing_to_lose() -> None:
    inputs = without_color(photo_birds(), "erm", 0.0, 0.0)
    assert not any(kind == "accuracy_change" for kind, _ in compared(inputs))


def told(*verdicts: tuple[str, str, str]) -> str:
    """What is said of (method, kind, verdict)."""
    one = Estimate(value=0.1, low=0.0, high=0.2, n=100)
    return describe_reliance(
        [
            RelianceDifference.model_validate(
                {"kind": kind, "what": "w", "baseline": "erm", "method": method, "verdict": verdict}
                | {"before": one, "after": one, "difference": one}
            )
            for method, kind, verdict in verdicts
        ]
    )


def test_who_relies_less_is_told_of_the_measures_of_the_cue() -> None:
    less, more, flat = "less", "more", "not shown"
    assert told() == ""
    assert told(("jtt", "flip_excess", flat)) == "No method is shown to rely less on the cue than ERM"
    assert told(("jtt", "object_removed", less)) == "No method is shown to rely less on the cue than ERM"
    assert told(("jtt", "flip_excess", less), ("jtt", "pointing", flat)) == (
        "JTT relies less on the cue than ERM"
    )
    assert told(("jtt", "flip_excess", less), ("dfr", "flip_excess", less), ("subg", "pointing", more)) == (
        "JTT and DFR rely less on the cue than ERM; SUBG relies more on it than ERM"
    )
    assert told(("jtt", "flip_excess", less), ("jtt", "pointing", more)) == "The measures disagree on JTT"


def without_color(inputs: ReportInputs, method: str, before: float, after: float) -> ReportInputs:
    """A method of such accuracy, with color and without, to which nothing else was done."""
    evaluation = inputs.evaluations[method]
    plain_SN, grey_SN = (plant_correct([accuracy], [2000]) for accuracy in (before, after))
    grey = evaluation.interventions[0].model_copy(
        update={
            "accuracy": accuracy_over_seeds(grey_SN),
            "accuracy_change": paired_change(plain_SN, grey_SN),
        }
    )
    changed = evaluation.model_copy(update={"interventions": [grey]})
    return replace(inputs, evaluations={**inputs.evaluations, method: changed})
