"""Wrong labels or the shortcut: planted causes that rung four must name, nulls, and what cannot be told."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cause_rates import CASES, audit
from benchmarks.verdict_rates import LIMITS
from pipeline.records.attribution import Influence
from pipeline.records.base import Estimate
from pipeline.records.cause import Cause, ExplainedGain
from pipeline.records.data import GroupInfo
from pipeline.records.evaluation import MethodComparison
from pipeline.records.training import LeftOut, Removal, SuspectedLabels
from pipeline.verdict.cause.caused_by import judge_caused_by
from pipeline.verdict.cause.explained import explained_text, judge_cause, why_not_explained
from pipeline.verdict.cause.harmful_labels import count_wrong_labels, wrong_labels_text
from tests.fixtures.explain import make_info

N_RUNS = 4


@pytest.mark.parametrize(
    ("case", "named", "least"),
    [("labels", "labels", 0.75), ("shortcut", "shortcut", 0.75), ("both", "both", 0.75)],
)
def test_the_planted_cause_is_named_and_never_the_other_alone(case: str, named: str, least: float) -> None:
    rng = np.random.default_rng(0)
    found = [audit(CASES[case], rng)[0] for _ in range(N_RUNS)]
    assert np.mean([cause == named for cause in found]) >= least
    wrong = {"labels": "shortcut", "shortcut": "labels", "both": "none"}[case]
    assert wrong not in found


def test_where_nothing_is_gained_nothing_is_explained() -> None:
    rng = np.random.default_rng(1)
    assert {audit(CASES["none"], rng)[0] for _ in range(N_RUNS)} == {"nothing to explain"}


def test_the_parts_add_up_and_cover_what_was_planted() -> None:
    rng, covered = np.random.default_rng(2), []
    for _ in range(N_RUNS):
        _, found = audit(CASES["both"], rng)
        assert found is not None
        assert found.labels.value + found.rest.value == pytest.approx(found.total.value)
        _, middle, last = CASES["both"]
        parts = (middle - 0.4, found.labels), (last - middle, found.rest)
        covered += [part.low <= truth <= part.high for truth, part in parts]
    assert np.mean(covered) >= 0.9


def part(value: float, half: float) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half, n=300)


@pytest.mark.parametrize(
    ("labels", "rest", "cause"),
    [
        (part(0.4, 0.1), part(0.01, 0.1), "labels"),
        (part(0.4, 0.1), part(0.1, 0.15), "labels"),  # what is left is clearly less
        (part(0.2, 0.15), part(0.2, 0.3), "unclear"),
        (part(-0.1, 0.2), part(0.6, 0.4), "shortcut"),
        (part(-0.1, 0.5), part(0.6, 0.4), "unclear"),  # not shown, and may be as much
        (part(0.2, 0.1), part(0.2, 0.1), "both"),
        (part(0.2, 0.3), part(0.2, 0.3), "unclear"),
        (part(0.02, 0.01), part(0.02, 0.01), "unclear"),  # shown, and too little to matter
    ],
)
def test_the_cause_by_hand(labels: Estimate, rest: Estimate, cause: Cause) -> None:
    assert judge_cause(labels, rest, LIMITS, n_seeds=5) == cause
    assert judge_cause(labels, rest, LIMITS, n_seeds=2) == "unclear", "two seeds say nothing about training"


def explained(cause: Cause, *, n_suspected: int = 20, index: int = 2) -> ExplainedGain:
    found = ExplainedGain(
        group="landbird / water",
        group_index=index,
        n_suspected=n_suspected,
        n_rest=80,
        total=part(0.5, 0.2),
        labels=part(0.4, 0.1),
        rest=part(0.1, 0.1),
        cause=cause,
        text="",
    )
    return found.model_copy(update={"text": explained_text(found)})


@pytest.mark.parametrize(
    ("cause", "status", "first"),
    [
        ("labels", "yes", "Images whose label looks wrong hold"),
        ("both", "yes", "Images whose label looks wrong and others that teach the shortcut both hold"),
        (
            "shortcut",
            "insufficient",
            "Images that teach the shortcut hold",
        ),  # what groups score was not asked
        ("unclear", "insufficient", "Whether images whose label looks wrong or others"),
    ],
)
def test_rung_four_says_first_which_of_the_two(cause: Cause, status: str, first: str) -> None:
    rung = judge_caused_by(
        make_info(), None, worst=2, harmful="yes", limits=LIMITS, explained=explained(cause)
    )
    assert rung.status == status
    assert rung.evidence.startswith(first)
    elsewhere = judge_caused_by(
        make_info(), None, worst=1, harmful="yes", limits=LIMITS, explained=explained(cause)
    )
    assert first not in elsewhere.evidence, "what another group gains explains nothing here"


def test_harm_that_is_not_shown_is_not_blamed_on_anything() -> None:
    rung = judge_caused_by(
        make_info(), None, worst=2, harmful="no", limits=LIMITS, explained=explained("labels")
    )
    assert rung.status == "no"
    assert rung.evidence.startswith("No group is clearly harmed by the cue.")


def test_no_suspected_label_leaves_the_shortcut() -> None:
    text = explained("shortcut", n_suspected=0).text
    assert text.startswith("The shortcut holds “landbird / water” down. Leaving out 80 images")
    assert text.endswith("no wrong label is suspected among them.")


GROUPS = [
    GroupInfo(name=name, label="a", attribute="b", n_train=9, n_val=9, n_test=9)
    for name in ("same", "same", "c")
]


def removal(*, chosen: int = 4, suspected: list[int] | None = None) -> Removal:
    left_out = [LeftOut(kind="repair", ids=[1, 2, 3, 4]), LeftOut(kind="random", seed=0, ids=[9])]
    left_out += [LeftOut(kind="suspected", ids=suspected)] if suspected else []
    labels = SuspectedLabels(
        expected=0.1, by_group=[len(suspected or []), 0, 0], known_wrong_by_group=None, found_by_group=None
    )
    return Removal(
        groups="given",
        worst_group="same",
        n_train=27,
        n_harmful=9,
        tried=[0, 4],
        chosen=chosen,
        points=[],
        removed_by_group=[4, 0, 0],
        left_out=left_out if chosen else [],
        suspected=labels if chosen else None,
    )


def test_wrong_labels_among_the_harmful_are_counted_by_group() -> None:
    harmful = [Influence(id=i, group=g, score=-1.0) for i, g in ((1, 0), (2, 1), (3, 1), (9, 2))]
    found = count_wrong_labels(harmful, removal(suspected=[1, 3]), GROUPS, known_wrong=[3, 9])
    assert found is not None
    assert (found.n, found.n_judged, found.n_suspected, found.n_known_wrong) == (4, 3, 2, 2)
    assert [(g.index, g.n, g.n_suspected, g.n_known_wrong) for g in found.groups] == [
        (1, 2, 1, 1),
        (0, 1, 1, 0),
        (2, 1, 0, 1),
    ], "groups of one name are two groups"
    text = wrong_labels_text(found)
    assert "Of the 4 most harmful training images 2 have a label that looks wrong" in text
    assert "(2 are known to be wrong)" in text
    assert text.endswith("; 1 were not asked about.")


def test_where_no_model_did_without_them_nothing_is_counted() -> None:
    harmful = [Influence(id=1, group=0, score=-1.0)]
    assert count_wrong_labels(harmful, None, GROUPS, None) is None
    assert count_wrong_labels(harmful, removal(chosen=0), GROUPS, None) is None
    unknown = count_wrong_labels(harmful, removal(), GROUPS, None)
    assert unknown is not None
    assert (unknown.n_suspected, unknown.n_known_wrong) == (0, None)
    assert "known" not in wrong_labels_text(unknown)


def test_why_nothing_is_explained_names_the_remedy() -> None:
    total = MethodComparison(
        baseline="erm",
        method="repair",
        group="same",
        group_index=0,
        gain=part(0.5, 0.1),
        average_gain=part(0.2, 0.1),
        worst_group_gain=part(0.5, 0.1),
        p_value=0.01,
        per_seed_gain=[0.5] * 3,
    )
    assert "Nothing was left out" in why_not_explained(removal(chosen=0), [], total, LIMITS)
    assert "methods.repair.controls" in why_not_explained(removal(suspected=[1]), [], total, LIMITS)
    assert why_not_explained(removal(suspected=[1]), ["suspected"], total, LIMITS) == ""
    assert why_not_explained(removal(), [], total, LIMITS) == "", "nothing is suspected: no control is needed"
    flat = total.model_copy(update={"gain": part(0.5, 0.6)})
    assert "no gain to explain" in why_not_explained(removal(), [], flat, LIMITS)
