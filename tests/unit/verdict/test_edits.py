"""The edit that is told moves predictions, or does not, or too little is known."""

from __future__ import annotations

import pytest

from pipeline.records.evaluation import EvaluationResult
from pipeline.verdict.cue.edits import judge_edits, of_hundred
from pipeline.verdict.phrases import EDIT_ORDERS, INTERVENTION_LABELS
from tests.fixtures.report import ReportInputs, bare, build_verdict, photo_birds, wilson


def flips_of(
    inputs: ReportInputs, method: str, edit: str, rate: float, control: float, n: int = 1200
) -> EvaluationResult:
    """The method's result as if it had moved so many predictions."""
    found = inputs.evaluations[method]
    changed = {"flip_rate": wilson(rate, n), "flip_rate_control": wilson(control, n)}
    assert found.cue_use is not None
    use = found.cue_use.model_copy(
        update={"exchanges": [e.model_copy(update=changed) for e in found.cue_use.exchanges]}
    )
    edits = [i.model_copy(update=changed) if i.name == edit else i for i in found.interventions]
    return found.model_copy(update={"interventions": edits, "cue_use": use})


def test_a_planted_shortcut_moves_predictions_and_the_repaired_model_holds_still() -> None:
    found = build_verdict(photo_birds()).edits
    assert found is not None
    assert (found.edit, found.moves, found.beside) == ("background_swap", "yes", "group_dro")
    assert found.finding == (
        "Swap the background and 22 of 100 predictions move; if the “place” stays the same, 0 do"
    )
    assert found.beside_finding == "With Group DRO, 4 move"
    assert found.beyond is not None
    assert found.beyond.low > 0.1


def test_without_a_shortcut_nothing_moves_and_no_method_stands_beside() -> None:
    found = build_verdict(photo_birds(planted=False)).edits
    assert found is not None
    assert (found.moves, found.beside, found.beside_finding) == ("no", None, "")
    assert found.finding == "Swap the background and hardly any prediction moves"


@pytest.mark.parametrize(
    ("rate", "control", "n", "moves", "words"),
    [
        (0.57, 0.17, 1200, "yes", "57 of 100 predictions move; if the “place” stays the same, 17 do"),
        (0.12, 0.10, 1200, "no", "12 of 100 predictions move, about as many as if"),
        (0.57, 0.56, 1200, "no", "57 of 100"),  # a strange edit moves as many without the cue
        (0.30, 0.20, 120, "insufficient", "too close to tell apart"),
        (0.60, 0.10, 30, "insufficient", "too close to tell apart"),  # fewer images than count
    ],
)
def test_flips_count_beyond_the_control(rate: float, control: float, n: int, moves: str, words: str) -> None:
    inputs = photo_birds()
    baseline = flips_of(inputs, "erm", "background_swap", rate, control, n)
    found = judge_edits(baseline, None, inputs.limits)
    assert found is not None
    assert found.moves == moves
    assert words in found.finding


def test_as_many_moves_as_the_control_do_not_hide_that_they_follow_the_cue() -> None:
    for is_planted in (True, False):
        inputs = photo_birds(planted=is_planted)
        found = judge_edits(flips_of(inputs, "erm", "background_swap", 0.2, 0.2), None, inputs.limits)
        assert found is not None
        follows = "but with another “place” more of them go to its class"
        assert (follows in found.finding) == is_planted, "as rung 2 says"


@pytest.mark.parametrize(
    ("rate", "n", "moves"),
    [(0.21, 1200, "yes"), (0.02, 1200, "no"), (0.06, 200, "insufficient"), (0.0, 60, "insufficient")],
)
def test_without_an_exchange_every_flip_counts(rate: float, n: int, moves: str) -> None:
    inputs = photo_birds()
    own = inputs.evaluations["erm"]
    edits = [
        i.model_copy(update={"flip_rate": wilson(rate, n)})
        for i in own.interventions
        if i.family in ("color", "shape")
    ]
    found = judge_edits(own.model_copy(update={"interventions": edits, "cue_use": None}), None, inputs.limits)
    assert found is not None
    assert (found.edit, found.moves) == ("greyscale", moves)
    assert found.finding.startswith("Remove all color and ")


@pytest.mark.parametrize(
    ("rate", "control", "words"),
    [
        (0.12, 0.10, "With Group DRO, 12 move"),
        (0.56, 0.17, "hardly fewer"),
        (0.47, 0.17, "not surely fewer"),
        (0.65, 0.30, "65 move, not fewer"),
    ],
)
def test_the_recommended_method_holds_still_or_not(rate: float, control: float, words: str) -> None:
    inputs = photo_birds()
    baseline = flips_of(inputs, "erm", "background_swap", 0.57, 0.17)
    other = flips_of(inputs, "group_dro", "background_swap", rate, control, 60)
    found = judge_edits(baseline, other, inputs.limits)
    assert found is not None
    assert words in found.beside_finding
    assert (found.beside_finding == "With Group DRO, 12 move") == (rate == 0.12)


def test_what_cannot_be_told() -> None:
    inputs = photo_birds()
    assert build_verdict(bare()).edits is None
    own = inputs.evaluations["erm"]
    untouched = own.model_copy(update={"interventions": [], "cue_use": None})
    assert judge_edits(untouched, None, inputs.limits) is None
    assert judge_edits(None, own, inputs.limits) is None
    found = judge_edits(own, untouched, inputs.limits)  # the other method saw no edit
    assert found is not None
    assert found.beside is None
    assert own.class_skill is not None
    constant = own.class_skill.model_copy(
        update={
            "balanced_accuracy": wilson(0.5, 1200),
            "per_seed": [wilson(0.5, 1200)] * 3,
            "follows": [],
        }
    )
    unlearned = judge_edits(own.model_copy(update={"class_skill": constant}), own, inputs.limits)
    assert unlearned is not None
    assert (unlearned.moves, unlearned.beside) == ("insufficient", None)
    assert "has not learned its task" in unlearned.finding


def test_names_of_users_stay_whole_words() -> None:
    inputs = photo_birds()
    use = inputs.evaluations["erm"].cue_use
    assert use is not None
    named = inputs.evaluations["erm"].model_copy(
        update={"cue_use": use.model_copy(update={"cue": "<b>the_place</b>"})}
    )
    found = judge_edits(named, None, inputs.limits)
    assert found is not None
    assert "“<b>the place</b>”" in found.finding  # the page escapes it


def test_every_change_is_listed_once_and_has_its_order() -> None:
    inputs = photo_birds()
    names = [f.edit for f in inputs.evaluations["erm"].flips]
    assert len(names) == len(set(names))
    assert set(EDIT_ORDERS) == set(INTERVENTION_LABELS)


@pytest.mark.parametrize(
    ("rate", "words"),
    [(0.5675, "57 of 100"), (0.0, "0 of 100"), (0.004, "under 1 of 100"), (1.0, "100 of 100")],
)
def test_of_hundred(rate: float, words: str) -> None:
    assert of_hundred(wilson(rate, 10_000)) == words
