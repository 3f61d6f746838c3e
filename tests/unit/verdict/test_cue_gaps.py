"""Aligned against conflicting: whom a found cue costs, and what the groups that it forms say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.records.verdict import CueGap, Rung
from pipeline.verdict.harm.aligned import MAY_BE_CONTENT, NOT_APART, NOT_IN_PIXELS, measure_gaps
from tests.fixtures.cues import found_cue
from tests.fixtures.report import LIMITS, ReportInputs, build_verdict, withheld_birds


def harmful(inputs: ReportInputs) -> Rung:
    return next(rung for rung in build_verdict(inputs).rungs if rung.rung == "harmful")


def gap_of(
    *,
    drop: float = 0.3,
    n: int = 1200,
    n_seeds: int = 3,
    flat: bool = False,
    brought: bool = False,
    **cue: object,
) -> CueGap:
    """Of a model that is right `drop` less often where a cue names another class."""
    rng = np.random.default_rng(0)
    labels_N = rng.integers(0, 2, n)
    named_N = np.where(rng.random(n) < 0.6, labels_N, rng.integers(0, 2, n))
    named_N = np.where(labels_N == 1, 1, named_N) if flat else named_N
    correct_SN = rng.random((n_seeds, n)) < 0.9 - drop * (named_N != labels_N)
    found = found_cue("corners", "a corner", **cue)
    own = ("erm",) if brought else ()
    (gap,) = measure_gaps(
        [found], {found.column: named_N}, labels_N, None, {"erm": correct_SN}, LIMITS, brought=own
    )
    return gap


def test_a_planted_gap_is_found_and_none_where_there_is_none() -> None:
    planted, null = gap_of(), gap_of(drop=0.0)
    assert (planted.status, planted.note) == ("yes", "")
    assert planted.beyond is not None
    assert planted.beyond.low < 0.3 < planted.beyond.high
    assert null.status == "no"


def test_one_file_that_was_trained_elsewhere_is_asked_about_itself() -> None:
    assert gap_of(n_seeds=1, brought=True).status == "yes"
    assert gap_of(n_seeds=1, brought=True, drop=0.0).status == "no"


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"n": 200}, "conflicting test images, 100 are needed"),
        ({"n_seeds": 1}, "1 of 3 trainings"),
        ({"is_visible": False}, NOT_IN_PIXELS),
        ({"may_be_content": True}, MAY_BE_CONTENT),
        ({"flat": True}, NOT_APART),
    ],
)
def test_where_it_cannot_be_told_it_says_why(changes: dict[str, object], note: str) -> None:
    gap = gap_of(**changes)  # type: ignore[arg-type]
    assert gap.status == "insufficient"
    assert note in gap.note


@pytest.mark.parametrize(("is_seen", "status"), [(True, "insufficient"), (False, "yes")])
def test_a_cue_that_tells_nothing_beyond_another_is_not_blamed_for_it(is_seen: bool, status: str) -> None:
    """Unless the other one is not in the pixels, so that the model sees this one."""
    rng = np.random.default_rng(0)
    labels_N = rng.integers(0, 2, 1200)
    named_N = np.where(rng.random(1200) < 0.6, labels_N, rng.integers(0, 2, 1200))
    correct = {"erm": rng.random((3, 1200)) < 0.9 - 0.3 * (named_N != labels_N)}
    leader = found_cue("order", "the order", is_visible=is_seen)
    cues = [leader, found_cue("noise", "noise", under="order")]
    gaps = measure_gaps(cues, {c.column: named_N for c in cues}, labels_N, None, correct, LIMITS)
    assert [gap.status for gap in gaps] == ["yes" if is_seen else "insufficient", status]
    assert ("nothing beyond “the order”" in gaps[1].note) is is_seen


def test_every_cue_with_every_method_and_intervals_that_allow_for_the_cues() -> None:
    rng = np.random.default_rng(1)
    labels_N = rng.integers(0, 100, 4000)
    is_own = rng.random((9, 4000)) < 0.6
    named = {f"cue {i}": np.where(is_own[i], labels_N, rng.integers(0, 100, 4000)) for i in range(9)}
    cues = [found_cue(name) for name in named]
    correct = {m: rng.random((3, 4000)) < 0.7 for m in ("erm", "subg")}
    many = measure_gaps(cues, named, labels_N, np.arange(4000) // 2, correct, LIMITS)
    one = measure_gaps(cues[:1], named, labels_N, np.arange(4000) // 2, correct, LIMITS)
    assert [(g.name, g.method) for g in many] == [(c.name, m) for c in cues for m in correct]
    assert not any(g.status == "yes" for g in many)
    assert one[0].beyond is not None
    assert many[0].beyond is not None
    assert many[0].beyond.high - many[0].beyond.low > 1.2 * (one[0].beyond.high - one[0].beyond.low)


def test_groups_of_a_cue_show_whom_it_costs() -> None:
    """Annotated or found, it is the same ground: 20.5 and 33 points less where it points the wrong way."""
    inputs = withheld_birds()
    found = harmful(inputs)
    (gap, _) = inputs.cue_gaps
    assert found.status == "yes"
    assert gap.beyond is not None
    assert gap.beyond.value == pytest.approx((0.205 + 0.33) / 2, abs=0.02)
    assert (
        "“the border” alone names the class of 600 test images rightly and of 600 wrongly" in found.evidence
    )
    assert "Furthest apart are “waterbird / conflicting”" in found.evidence
    told = build_verdict(inputs)
    assert told.harmed_group is not None
    assert told.harmed_group.name == "waterbird / conflicting"
    assert next(r for r in told.rungs if r.rung == "fixed_by").status in ("yes", "partly")
    assert told.methods["group_dro"].harmful.status in ("no", "insufficient", "yes")
    assert any("Annotate a real attribute" in step.action for step in told.next_steps)


def test_groups_of_a_cue_clear_a_model_that_it_costs_nothing() -> None:
    null = gap_of(drop=0.0).model_copy(update={"name": "border"})
    assert harmful(replace(withheld_birds(), cue_gaps=[null])).status == "no"


def test_without_what_the_cue_names_nothing_is_said() -> None:
    found = harmful(replace(withheld_birds(), cue_gaps=()))
    assert found.status == "insufficient"
    assert "not at hand" in found.evidence
