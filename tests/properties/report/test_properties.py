"""Properties of wording, judging and escaping that hold for every input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.words import percent, points, quoted, shorten
from pipeline.records.base import Estimate, Record
from pipeline.report.page.charts.scales import Scale
from pipeline.report.page.html import isolate_names
from pipeline.report.page.pictures import spread
from pipeline.statistics.intervals import independent_difference, widen
from pipeline.verdict.evidence.rules import judge_effect
from tests.fixtures.report import build_verdict, photo_birds

R = TypeVar("R", bound=Record)
shares = st.floats(0, 1)


@st.composite
def estimates(draw: st.DrawFn) -> Estimate:
    low, value, high = sorted(draw(st.tuples(shares, shares, shares)))
    return Estimate(value=value, low=low, high=high, n=draw(st.integers(1, 10_000)))


@given(estimates(), estimates())
def test_difference_turns_its_sign_with_its_arguments(a: Estimate, b: Estimate) -> None:
    forward, backward = independent_difference(a, b), -independent_difference(b, a)
    assert abs(forward.low - backward.low) < 1e-9
    assert abs(forward.high - backward.high) < 1e-9
    assert forward.low <= forward.value <= forward.high


@given(estimates(), st.integers(1, 100))
def test_more_comparisons_never_narrow_an_interval(a: Estimate, n: int) -> None:
    wide, wider = (widen(a, n_comparisons=k, alpha=0.05) for k in (n, n + 1))
    assert wider.low <= wide.low + 1e-12
    assert wider.high >= wide.high - 1e-12


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.01, 0.5), st.floats(0.01, 0.5))
def test_a_stricter_threshold_never_turns_no_into_yes(value: float, low: float, a: float, b: float) -> None:
    mild, strict = sorted((a, b))
    if judge_effect(value, low, mild) == "no":
        assert judge_effect(value, low, strict) == "no"


@given(st.floats(-1, 1))
def test_points_and_percent_read_back(value: float) -> None:
    assert abs(float(points(value).replace("−", "-")) - 100 * value) <= 0.0501
    assert abs(float(percent(value).rstrip("%").replace("−", "-")) - 100 * value) <= 0.0501


@given(st.text(max_size=400), st.integers(3, 80))
def test_shortened_text_fits(text: str, limit: int) -> None:
    assert len(shorten(text, limit)) <= limit
    assert len(quoted(text, limit)) <= limit + 4


@given(st.text(max_size=200))
def test_sentences_cannot_open_a_tag(text: str) -> None:
    inside = str(isolate_names(text)).removeprefix('<span dir="ltr">').removesuffix("</span>")
    assert "<" not in inside
    assert ">" not in inside


@given(st.lists(st.integers(), min_size=1, max_size=300, unique=True), st.integers(1, 24))
def test_spread_keeps_order_and_ends(ids: list[int], n: int) -> None:
    kept = spread(ids, n)
    assert len(kept) == min(n, len(ids))
    assert kept[0] == ids[0]
    assert [i for i in ids if i in set(kept)] == kept


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_marks_stay_on_the_axis(value: float) -> None:
    assert 0 <= float(Scale(low=-0.1, high=0.3, ticks=()).at(value).rstrip("%")) <= 100


INDICES = {"index", "group_index", "worst_group_index", "train_index", "test_index", "worst_group"}


def renumber(node: Any, order: list[int]) -> Any:
    """A record's JSON with its groups in another order; entries of `label_changes` are classes."""
    if isinstance(node, list):
        moved = [renumber(item, order) for item in node]
        is_by_group = len(moved) == len(order) and all(isinstance(i, dict) and "index" in i for i in moved)
        return sorted(moved, key=lambda item: item["index"]) if is_by_group else moved
    if not isinstance(node, dict):
        return node
    found = {}
    for key, value in node.items():
        if key in INDICES and isinstance(value, int):
            found[key] = order.index(value)
        elif key == "considered":
            found[key] = sorted(order.index(group) for group in value)
        elif key == "groups" and value and isinstance(value[0], float):
            found[key] = [value[group] for group in order]
        else:
            found[key] = value if key == "label_changes" else renumber(value, order)
    return found


def reordered(record: R, order: list[int]) -> R:
    return type(record).model_validate(renumber(record.model_dump(), order))


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(4)))
def test_verdict_does_not_depend_on_the_order_of_groups(order: list[int]) -> None:
    inputs = photo_birds()
    assert inputs.hygiene is not None
    changed = replace(
        inputs,
        info=inputs.info.model_copy(update={"groups": [inputs.info.groups[i] for i in order]}),
        evaluations={m: reordered(found, order) for m, found in inputs.evaluations.items()},
        attributions={m: reordered(found, order) for m, found in inputs.attributions.items()},
        comparisons=[reordered(found, order) for found in inputs.comparisons],
        hygiene=reordered(inputs.hygiene, order),
    )
    expected = [(r.rung, r.status, r.evidence) for r in build_verdict(inputs).rungs]
    assert [(r.rung, r.status, r.evidence) for r in build_verdict(changed).rungs] == expected
