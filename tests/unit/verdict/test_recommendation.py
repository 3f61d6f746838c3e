"""Which method is recommended: validation chooses, test images confirm, price decides within a tie."""

from __future__ import annotations

import pytest

from pipeline.methods.registry import method_names
from pipeline.verdict.fix.needs import groups_needed
from tests.fixtures.planted.contest import ERM, judged, labels_of

BEST, GOOD, SOME = (0.94, 0.93, 0.93, 0.94), (0.93, 0.91, 0.91, 0.93), (0.94, 0.75, 0.75, 0.94)


def test_the_one_that_is_truly_best_is_used_with_its_price() -> None:
    found, verdict = judged({"group_dro": BEST, "jtt": SOME})
    assert (found.action, found.method, found.tied) == ("use", "group_dro", ["group_dro"])
    assert "Group DRO does best on validation images" in found.reason
    assert found.needs == "training"
    assert found.gain == verdict.comparisons[0].gain
    assert found.average is not None
    assert found.average.low > 0
    assert "needs group labels of training images" in found.price
    assert verdict.next_steps[0].action == "Use the Group DRO model instead of ERM."


@pytest.mark.parametrize(
    ("gets", "price"),
    [
        ((0.90, 0.93, 0.93, 0.97), "7 points in “landbird / land”."),
        ((0.90, 0.93, 0.93, 0.93), "up to 7 points elsewhere."),
    ],
)
def test_the_price_names_the_group_that_loses_or_counts_them(gets: tuple[float, ...], price: str) -> None:
    _, verdict = judged({"group_dro": gets})
    assert verdict.brief.price.endswith(price)


def test_a_tie_is_printed_as_a_tie_and_the_cheapest_is_used() -> None:
    found, verdict = judged({"group_dro": BEST, "jtt": GOOD, "subg": GOOD})
    assert (found.method, set(found.tied)) == ("jtt", {"group_dro", "jtt", "subg"})
    assert found.tied[0] == "jtt"
    assert "do not tell" in found.reason
    assert "Group DRO and SUBG need group labels of training images" in found.reason
    assert verdict.rungs[-1].question == "Does JTT fix it?"


def test_within_a_tie_of_equal_needs_the_one_that_takes_less_is_used() -> None:
    found, _ = judged({"group_dro": (0.84, 0.93, 0.93, 0.94), "subg": (0.96, 0.83, 0.84, 0.96)})
    assert (found.method, set(found.tied)) == ("subg", {"group_dro", "subg"})
    assert "SUBG takes from the fewest other groups" in found.reason


def test_what_test_images_say_of_others_changes_nothing() -> None:
    """JTT is the better one on test; validation says otherwise and is obeyed."""
    found, verdict = judged({"group_dro": BEST, "jtt": SOME}, {"group_dro": GOOD, "jtt": BEST})
    assert found.method == "group_dro"
    gains = {c.method: c.gain.value for c in verdict.comparisons}
    assert gains["jtt"] > gains["group_dro"], "the bait"


@pytest.mark.parametrize(("on_test", "action"), [(ERM, "keep"), ((0.97, 0.62, 0.68, 0.96), "cannot_tell")])
def test_luck_on_validation_is_not_confirmed_and_nobody_takes_its_place(
    on_test: tuple[float, ...], action: str
) -> None:
    found, verdict = judged({"group_dro": BEST, "jtt": SOME}, {"group_dro": on_test, "jtt": GOOD})
    assert (found.method, found.chosen) == (None, "group_dro")
    assert found.action in (action, "keep")
    assert "Test images" in found.reason
    assert not verdict.next_steps[0].action.startswith("Use")


def test_where_no_method_helps_the_baseline_is_kept() -> None:
    found, _ = judged({"group_dro": ERM, "jtt": (0.97, 0.63, 0.62, 0.96)})
    assert (found.action, found.method) == ("keep", None)
    assert "no method lifts the lowest group by 5 points" in found.reason


def test_a_method_that_moves_the_harm_is_not_chosen() -> None:
    found, _ = judged({"group_dro": (0.20, 0.99, 0.99, 0.20), "jtt": GOOD})
    assert found.method == "jtt"


def test_too_few_validation_images_choose_nothing() -> None:
    found, verdict = judged({"group_dro": BEST, "jtt": GOOD}, n_val=(300, 300, 9, 300))
    assert (found.action, found.chosen) == ("cannot_tell", None)
    assert "cannot choose a method" in found.reason
    assert "9 of the 30 validation images" in found.reason
    assert verdict.next_steps[0].action.startswith("Set validation images aside")
    one, _ = judged({"group_dro": BEST}, n_val=(300, 300, 9, 300))
    assert (one.method, one.reason) == ("group_dro", "Group DRO is the only other method.")


def test_validation_images_do_not_judge_whom_they_trained() -> None:
    found, _ = judged({"dfr": BEST, "jtt": GOOD}, trained_on_val=["dfr"])
    assert found.method == "jtt"
    assert "DFR is left out: validation images trained it." in found.reason


def test_a_class_that_is_hard_whatever_the_cue_says_hides_no_repair() -> None:
    """Both groups of the second class are low under every method; the first class pays for the cue."""
    erm = (0.97, 0.62, 0.60, 0.58)
    found, _ = judged({"group_dro": (0.95, 0.92, 0.60, 0.60), "jtt": (0.97, 0.72, 0.60, 0.59)}, erm=erm)
    assert found.method == "group_dro"


def test_where_nobody_pays_nothing_is_recommended() -> None:
    even = (0.92, 0.91, 0.92, 0.91)
    found, _ = judged({"group_dro": BEST}, erm=even)
    assert (found.action, found.method) == ("keep", None)
    assert "nothing to repair" in found.reason


def test_every_method_says_whose_groups_it_needs() -> None:
    assert {method: groups_needed(labels_of(method)) for method in method_names()} == {
        "erm": "nothing", "exchange": "nothing", "rwy": "nothing",
        "jtt": "validation", "repair": "validation", "dfr": "validation",
        "group_dro": "training", "rwg": "training", "subg": "training",
    }  # fmt: skip
    for free in ("cue", "inferred", "none"):
        assert groups_needed(labels_of("group_dro", free)) == "nothing"
