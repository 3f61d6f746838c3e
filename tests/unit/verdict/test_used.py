"""Rung 2: yes only for an exchange of the cue, in both directions, that real images and training confirm."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.records.base import Estimate
from pipeline.records.color import Predictability
from pipeline.records.evaluation import Carried, CueUse, EvaluationResult, Intervention
from pipeline.records.verdict import Rung
from pipeline.report.gate.judge import judge_report
from pipeline.settings.gate import GateSettings
from pipeline.verdict.cue.used import cue_words, deciding_exchange, judge_used, size_either_way
from tests.fixtures.planted.cues import plant_carried, plant_cue_use
from tests.fixtures.report import LIMITS, around, build_report, photo_birds, plain_hundred


def judge(
    found: CueUse | None, *, kappa: float = 0.34, interventions: list[Intervention] | None = None
) -> Rung:
    seen = {"cue_use": found, "interventions": interventions or []}
    erm = photo_birds().evaluations["erm"].model_copy(update=seen)
    only = photo_birds().color.color_only.model_copy(update={"kappa": kappa, "low": kappa - 0.02})
    return judge_used(erm, only, LIMITS)


COLOR = plant_cue_use(0.3, cue="color", v=None)
FAINT = plant_cue_use(0.01, cue="color", v=None)
USED = plant_cue_use(0.3)
ONE_WAY = plant_cue_use(0.3, ways=(0.34, 0.0), natural=0.3)
TRACE = plant_cue_use(0.08, natural=0.3, spread=0.02)
FEW = plant_cue_use(0.3, sizes=(10, 10, 10, 10))
PARTLY = plant_cue_use(0.01, carried=0.6)
UNSURE = plant_cue_use(0.3, natural=0.06, sizes=(150, 150, 150, 150))
INNOCENT = plant_cue_use(0.3, ways=(0.34, 0.0), v=0.02)
AGAINST = plant_cue_use(-0.2)
AGAINST_ONE_WAY = plant_cue_use(-0.2, ways=(-0.4, 0.0))
AGAINST_TRACE = plant_cue_use(-0.08, natural=-0.2, spread=0.02)
CONFOUNDED = plant_cue_use(0.3, sizes=(600, 0, 0, 600))  # every image has its class's value


@pytest.mark.parametrize(
    ("found", "kappa", "status", "words"),
    [
        (USED, 0.0, "yes", "Both directions go where the cue points"),
        (plant_cue_use(0.01), 0.3, "no", "less than matters"),
        (ONE_WAY, 0.3, "insufficient", "cannot be told apart"),  # a paste artefact in one direction
        (plant_cue_use(0.3, natural=0.0), 0.3, "no", "fragility, not use"),  # real images say otherwise
        (UNSURE, 0.3, "insufficient", "neither confirm"),
        (plant_cue_use(0.0, natural=0.4), 0.3, "insufficient", "the exchange misses it"),
        (plant_cue_use(0.02, v=0.02), 0.3, "no", "there is nothing to use"),  # whatever color tells
        (plant_cue_use(0.3, v=0.02), 0.3, "insufficient", "training cannot have taught it"),
        (INNOCENT, 0.3, "no", "nothing to use"),
        (TRACE, 0.3, "insufficient", "a trace of the cue"),
        (FEW, 0.3, "insufficient", "At least 100 images"),
        (PARTLY, 0.3, "insufficient", "carries only 60%"),
        (CONFOUNDED, 0.3, "insufficient", "too few images have the other class's value"),
        (COLOR, 0.3, "yes", "Both directions"),
        (COLOR, 0.01, "insufficient", "color alone hardly tells"),
        (FAINT, 0.01, "no", "nothing to use"),
        (None, 0.3, "insufficient", "No exchange of a cue"),
        # a model that goes where the cue points away from: over-corrected, say
        (AGAINST, 0.3, "yes", "go against the cue"),
        (AGAINST_ONE_WAY, 0.3, "insufficient", "cannot be told apart"),
        (AGAINST_TRACE, 0.3, "insufficient", "cannot be told apart"),
        (plant_cue_use(-0.2, natural=0.2), 0.3, "insufficient", "not shown to go the same way"),
        (plant_cue_use(-0.2, natural=0.0), 0.3, "no", "fragility, not use"),
        (plant_cue_use(0.3, natural=-0.3), 0.3, "insufficient", "not shown to go the same way"),
        (plant_cue_use(0.0, natural=-0.4), 0.3, "insufficient", "the exchange misses it"),
        (plant_cue_use(-0.2, v=0.02), 0.3, "insufficient", "training cannot have taught it"),
        (plant_cue_use(-0.01), 0.3, "no", "less than matters"),
        # as many trainings disagree or images are few: plain use is not excluded, so that no is no answer
        (plant_cue_use(0.04, spread=0.02), 0.3, "no", "less than matters"),
        (plant_cue_use(0.04, spread=0.09), 0.3, "insufficient", "But a shift of 26.4 points is not excluded"),
        (plant_cue_use(-0.04, spread=0.09), 0.3, "insufficient", "But a shift of 26.4 points is not excl"),
    ],
)  # fmt: skip
def test_the_answer_and_its_reason(found: CueUse | None, kappa: float, status: str, words: str) -> None:
    rung = judge(found, kappa=kappa)
    assert (rung.status, words in rung.evidence) == (status, True), rung.evidence


def test_where_nothing_carries_the_attribute_the_answer_says_so() -> None:
    found = plant_cue_use(0.3, cue="domain").model_copy(update={"exchanges": []})
    weak = [
        Carried(name="color_exchange", share=plant_carried(0.2)),
        Carried(name="rim_exchange", share=None),
    ]
    for carried, words in (
        (weak, "the best of 1 goes 20%"),
        (weak[1:], "do not tell its values apart"),
        # carried, and yet not measured: every class is equally frequent with every value
        ([Carried(name="background_swap", share=plant_carried(1.0))], "no two of its values go with"),
        ([], "too few"),
    ):
        rung = judge(found.model_copy(update={"carried": carried}))
        assert rung.status == "insufficient"
        assert "domain" in rung.evidence
        assert words in rung.evidence
        assert rung.estimate is None


def test_a_change_of_color_alone_is_fragility() -> None:
    """A tint without information: turning its hue costs 30 points and says nothing of use."""
    grey = photo_birds().evaluations["erm"].interventions[0]
    unmoved = grey.model_copy(update={"accuracy_change": around(0.0, 0.01, 5000)})
    turned = grey.model_copy(update={"name": "hue_rotation", "accuracy_change": around(-0.3, 0.05, 5000)})
    null = plant_cue_use(0.0, cue="color", v=None)
    rung = judge(null, kappa=0.01, interventions=[grey, turned])
    assert rung.status == "no"
    assert "Turning the hue changes accuracy by −30.0 points" in rung.evidence
    assert "fragile to it, which does not say that it uses color" in rung.evidence
    assert "fragile" not in judge(null, kappa=0.01, interventions=[unmoved]).evidence


def test_several_exchanges_widen_the_intervals_and_the_largest_decides() -> None:
    alone = plant_cue_use(0.1, natural=0.3, spread=0.0185)
    assert judge(alone).status == "yes"
    first, least = alone.exchanges[0], plant_cue_use(0.0).exchanges[0]
    both = alone.model_copy(update={"exchanges": [least, first]})
    assert deciding_exchange(both) == first
    found = judge(both)
    assert found.status == "insufficient"  # the interval that holds for both reaches below .05
    assert "Of 2 exchanges it shifts most" in found.evidence


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        ((-0.2, -0.21, -0.19), (0.2, 0.19, 0.21)),
        ((0.2, 0.19, 0.21), (0.2, 0.19, 0.21)),
        ((-0.04, -0.12, 0.03), (0.04, 0.0, 0.12)),
    ],
)
def test_the_size_of_a_shift_is_the_same_either_way(
    estimate: tuple[float, float, float], expected: tuple[float, float, float]
) -> None:
    value, low, high = estimate
    found = size_either_way(Estimate(value=value, low=low, high=high, n=900))
    assert (found.value, found.low, found.high) == expected


def test_the_gate_sees_a_shift_against_the_cue() -> None:
    erm = photo_birds().evaluations["erm"].model_copy(update={"cue_use": AGAINST})
    summary = build_report(replace(photo_birds(), evaluations={"erm": erm}))
    asked = GateSettings(max_flip_rate=0.1, forbid=["used"])
    checks = judge_report(summary, asked, ["erm"], {}).checks
    assert [check.passed for check in checks] == [False, False]
    assert "against the cue" in checks[0].reason + checks[1].reason


def test_what_is_found_of_color_is_not_said_of_the_attribute() -> None:
    found = plant_cue_use(0.3, cue="domain")
    assert cue_words(found) == "the attribute “domain”"
    by_color = found.exchanges[0].model_copy(update={"name": "color_exchange"})  # without masks
    found = found.model_copy(update={"exchanges": [by_color]})
    assert cue_words(found) == "the color that goes with the attribute “domain”"
    assert cue_words(COLOR) == "color"


def test_color_alone_that_was_never_measured_is_not_a_cue() -> None:
    evaluation = plain_hundred().evaluations["erm"].model_copy(update={"cue_use": FAINT})
    only: Predictability | None = None
    assert isinstance(evaluation, EvaluationResult)
    assert judge_used(evaluation, only, LIMITS).status == "no"  # the exchange itself shows nothing
