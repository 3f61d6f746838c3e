"""Sentences that were wrong for a kind of data, each with the data that made it so."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.core import progress
from pipeline.pixels.duplicates import describe, find_candidates
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.report.cards.limits import list_limits
from pipeline.report.compare.pairing import Side
from pipeline.report.compare.reports import compare_sides
from pipeline.verdict import phrases
from pipeline.verdict.cue.reliance import color_reliance
from pipeline.verdict.evidence.askable import why_not_asked
from pipeline.verdict.harm.harmful import judge_harmful
from tests.fixtures.planted.audit import look_at
from tests.fixtures.planted.data import pack
from tests.fixtures.report import BEFORE, BIRDS, ReportInputs, build_report, photo_birds, replant
from tests.fixtures.skill import skill


@pytest.mark.parametrize(
    ("write", "low", "high", "disagree"),
    [
        (phrases.points_interval, -1.0, 1.0, True),
        (phrases.points_phrase, -0.98, 0.97, True),
        (phrases.points_phrase, 0.03, 0.99, False),  # wide, and above zero
        (phrases.points_interval, -0.9, 0.9, False),
        (phrases.accuracy_phrase, 0.01, 0.99, True),
        (phrases.accuracy_brief, 0.0, 1.0, True),
        (phrases.percent_interval, 0.21, 1.0, False),  # one image
    ],
)
def test_an_interval_of_all_that_is_possible_says_that_seeds_disagree(
    write: Any, low: float, high: float, disagree: bool
) -> None:
    text = write(Estimate(value=(low + high) / 2, low=low, high=high, n=200))
    assert ("seeds disagree" in text) is disagree
    assert ("100.0" in text) is (not disagree and high == 1.0)


def test_a_model_that_is_all_color_is_not_said_to_lose_nowhere() -> None:
    """Without color it gets wrong what agreed with the cue and right what conflicted: the mean is 0."""
    inputs = photo_birds()
    erm = inputs.evaluations["erm"]
    grey = erm.interventions[0]

    def change(index: int, name: str, value: float, n: int = 2000) -> GroupEstimate:
        return GroupEstimate(index=index, name=name, value=value, low=value - 0.02, high=value + 0.02, n=n)

    def n_relied(values: list[float]) -> int:
        names = [group.name for group in inputs.info.groups]
        cells = [change(i, names[i], value) for i, value in enumerate(values)]
        labels = [change(0, "landbird", 0.0), change(1, "waterbird", 0.0)]
        changed = grey.model_copy(update={"group_changes": cells, "label_changes": labels})
        evaluation = erm.model_copy(update={"interventions": [changed]})
        found = color_reliance(inputs.color, inputs.info, evaluation, build_report(inputs).verdict.thresholds)
        assert found is not None
        return sum(row.relies == "yes" for row in found.labels)

    assert n_relied([-0.45, 0.45, 0.45, -0.45]) == 2
    assert n_relied([-0.45, 0.45, 0.0, 0.0]) == 1
    assert n_relied([0.0, 0.0, 0.0, 0.0]) == 0


@pytest.mark.parametrize(
    ("shares", "origin", "hinted"),
    [
        ((0.0, 0.0, 0.3, 0.0), "annotated", True),  # the group alone
        ((0.3, 0.0, 0.3, 0.0), "annotated", False),  # as all images on land: the attribute itself
        ((0.95, 0.0, 1.0, 0.0), "annotated", False),
        ((0.3, 0.0, 0.3, 0.0), "cue", False),
    ],
)
def test_a_property_that_is_the_attribute_explains_no_group(
    shares: tuple[float, float, float, float], origin: str, hinted: bool
) -> None:
    inputs = photo_birds()
    attribute = inputs.info.attributes[0].model_copy(update={"origin": origin})
    changed = replace(
        inputs,
        info=inputs.info.model_copy(update={"attributes": [attribute]}),
        hygiene=look_at(pack(replace(BIRDS, dark=shares))),
    )
    actions = [step.action for step in build_report(changed).verdict.next_steps]
    assert any(action.startswith("Check whether dark images") for action in actions) is hinted


def test_progress_counts_every_image_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    images = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    with caplog.at_level(logging.INFO):
        list(find_candidates(describe(images)))
    assert "near duplicates: 12 of 12 images" in caplog.text


def test_a_class_that_is_never_predicted_is_named() -> None:
    inputs = photo_birds(planted=False)  # of two classes one that is never named leaves a constant
    blind = inputs.evaluations["erm"].model_copy(
        update={"class_skill": skill(0.8, n_classes=10, never=["fox"])}
    )
    summary = build_report(replace(inputs, evaluations={"erm": blind}))
    assert "ERM never predicts “fox” (1 of 10 classes)" in summary.verdict.headline


def test_a_constant_is_said_to_be_one_wherever_it_is_compared() -> None:
    """It follows no cue and flips no prediction: "relies less" would praise it."""
    says_0 = [1.0, 1.0, 0.0, 0.0]  # the first class of every image
    summary = build_report(replant(photo_birds(), erm=BEFORE, group_dro=says_0))
    assert summary.verdict.reliance == []
    constant = build_report(replant(photo_birds(), erm=says_0))
    assert "cannot be asked yet: ERM is no better than a constant" in constant.verdict.headline
    assert "It is right on 0.0%" in constant.verdict.headline
    assert [r.status for r in constant.verdict.rungs] == ["yes", *["insufficient"] * 4]
    sides = [Side("a.json", summary, method, None) for method in ("erm", "group_dro")]
    said = compare_sides(*sides).pairing
    assert "Of Group DRO: the questions cannot be asked yet: Group DRO is no better than a constant" in said
    card = " ".join(list_limits(summary, "group_dro"))
    assert "Group DRO is no better than a constant" in card


def brought(n_seeds: int, groups: Sequence[float]) -> ReportInputs:
    """The demo's method as a model that was trained elsewhere, right on so many of each group."""
    inputs = replant(photo_birds(), test=[500] * 4, shifts=[[0.0] * 4] * n_seeds, erm=groups)
    found = inputs.evaluations["erm"].model_copy(update={"is_brought": True})
    return replace(inputs, evaluations={"erm": found})


@pytest.mark.parametrize(
    ("groups", "title", "decision"),
    [
        ([1.0, 1.0, 0.0, 0.0], "has not learned its task", "clears it of none"),
        ([0.5, 0.5, 0.5, 0.5], "has not learned its task", "clears it of none"),
        ([0.1, 0.1, 0.1, 0.1], "less often than by chance", "whether its classes are the dataset's"),
    ],
    ids=["one class", "chance", "classes swapped"],
)
@pytest.mark.parametrize("n_seeds", [1, 3])
def test_a_model_at_chance_is_never_cleared(
    groups: list[float], title: str, decision: str, n_seeds: int
) -> None:
    verdict = build_report(brought(n_seeds, groups)).verdict
    assert title in verdict.brief.title
    assert decision in verdict.brief.decision
    assert {rung.status for rung in verdict.rungs[1:]} == {"insufficient"}
    assert ("(models.erm.classes)" in verdict.headline) == (groups[0] == 0.1)


@pytest.mark.parametrize(("groups", "status"), [([0.95, 0.3, 0.3, 0.95], "yes"), ([0.9] * 4, "no")])
@pytest.mark.parametrize("n_seeds", [1, 2])
def test_one_or_two_files_are_asked_about_themselves(groups: list[float], status: str, n_seeds: int) -> None:
    inputs = brought(n_seeds, groups)
    rung = judge_harmful(inputs.info, inputs.evaluations["erm"], limits=inputs.limits)
    assert rung.status == status
    assert ("this one model" if n_seeds == 1 else "these 2 models") in rung.evidence
    own = inputs.evaluations["erm"].model_copy(update={"is_brought": False})
    assert judge_harmful(inputs.info, own, limits=inputs.limits).status == "insufficient"


@pytest.mark.parametrize(
    ("per_seed", "n_images", "n_classes", "asked"),
    [
        ((0.5, 0.5, 0.5), 2000, 2, False),
        ((0.51, 0.51, 0.51), 40_000, 2, False),  # clearly above chance, by less than counts
        ((0.6, 0.6, 0.6), 2000, 2, True),
        ((0.6, 0.7, 0.95), 2000, 2, True),  # each seed is clear, whatever their joint interval
        ((0.8, 0.95), 2000, 2, True),  # two seeds: the joint interval spans all that is possible
        ((0.5, 0.9, 0.9), 2000, 2, False),  # one collapsed seed shrinks every effect
        ((0.1, 0.1, 0.1), 2000, 10, False),
        ((0.10, 0.10, 0.10), 10_000, 100, True),  # ten times chance
    ],
)
def test_whom_the_questions_can_be_asked_of(
    per_seed: tuple[float, ...], n_images: int, n_classes: int, asked: bool
) -> None:
    inputs = photo_birds()
    found = skill(*per_seed, n_images=n_images, n_classes=n_classes)
    erm = inputs.evaluations["erm"].model_copy(
        update={"class_skill": found, "seeds": list(range(len(per_seed)))}
    )
    assert (why_not_asked(erm, inputs.limits) is None) is asked
    old = erm.model_copy(update={"class_skill": None})  # of before it was measured
    assert why_not_asked(old, inputs.limits) is None


CUE = [0.45, -0.45, -0.45, 0.45]  # of a seed that follows the attribute and nothing else
SEES = [0.45] * 4  # of one that sees the class


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        ([CUE] * 3, None),  # right on no more than a constant
        ([[-0.02, -0.5, -0.5, -0.02]] * 3, None),  # on fewer
        ([[0.0] * 4, [0.01, 0, 0, 0.01], [-0.45, 0.45, 0.45, -0.45]], "ERM is no better than a constant"),
        ([[-0.4] * 4, [-0.4] * 4, [-0.43] * 4], "ERM is worse than a constant"),  # all, not the lowest
        ([SEES, [0.05, -0.05, -0.05, 0.05], SEES], None),
        ([SEES, [0.0] * 4, SEES], "ERM with seed 1 is no better"),
        ([CUE, CUE, [0.0] * 4], "ERM with seed 2 is no better"),
    ],
)
def test_who_follows_the_attribute_is_asked_and_who_does_not_is_named(
    seeds: list[list[float]], said: str | None
) -> None:
    """Seeds' accuracies in each group above 50 %, of as many images each."""
    inputs = replant(photo_birds(), test=[500] * 4, shifts=seeds, erm=[0.5] * 4)
    found = why_not_asked(inputs.evaluations["erm"], inputs.limits)
    assert (found is None) if said is None else (said in (found or "")), found
    if said and "with seed" in said:
        assert "balanced accuracy 50.0%" in (found or "")  # that seed's own
