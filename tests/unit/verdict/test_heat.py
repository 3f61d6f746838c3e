"""Whether GradCAM points better than a blob in the middle: planted gains, none, and too little to tell."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.explain.cam.faithfulness import Scores, summarize_scores
from pipeline.records.base import Estimate
from pipeline.records.gradcam import GradcamResult, SanityStep
from pipeline.verdict.cue.heat import judge_heat
from tests.fixtures.report import LIMITS, build_verdict, photo_birds


def scored(gain: float, *, n: int = 100, spread: float = 0.1) -> GradcamResult:
    """Maps of three models that score `gain` above the blob on `n` images."""
    rng = np.random.default_rng(0)
    center = rng.normal(0.2, 0.05, (3, n))
    noise = rng.normal(0, spread, n)
    noise -= noise.mean()
    scores = Scores(center + gain + noise, rng.normal(0, 0.05, (3, n)), center)
    cam = photo_birds().gradcams["erm"]
    return cam.model_copy(update={"faithfulness": summarize_scores(scores, n_steps=16)})


def estimate(value: float) -> Estimate:
    return Estimate(value=value, low=value - 0.05, high=value + 0.05, n=50)


@pytest.mark.parametrize(
    ("gain", "n", "spread", "points", "words"),
    [
        (
            0.15,
            100,
            0.1,
            "yes",
            "ERM: the heat points better than a blob in the middle of the image, by +15.0",
        ),
        (0.0, 100, 0.1, "no", "is not shown to point better than a blob"),
        (0.02, 4000, 0.1, "no", "prove nothing"),  # surely above zero, and of no use
        (-0.2, 100, 0.1, "no", "−20.0 points"),
        (0.06, 20, 0.3, "insufficient", "is not sure"),
        (0.3, 5, 0.01, "insufficient", "on 5 images"),
    ],
)
def test_the_common_rule(gain: float, n: int, spread: float, points: str, words: str) -> None:
    found = judge_heat(scored(gain, n=n, spread=spread), LIMITS)
    assert found.points == points
    assert words in found.finding
    assert found.over_center is not None
    assert found.over_center.value == pytest.approx(gain, abs=1e-9)


def test_a_blob_at_the_wrong_place_is_no_rival_alone() -> None:
    """The cue lies at the edge: a map that knows nothing beats a blob in the middle, and not chance."""
    rng = np.random.default_rng(0)
    random = rng.normal(0, 0.05, (3, 100))
    scores = Scores(rng.normal(0, 0.05, (3, 100)), random, random - 0.2)
    cam = photo_birds().gradcams["erm"].model_copy(update={"faithfulness": summarize_scores(scores, 16)})
    found = judge_heat(cam, LIMITS)
    assert found.points == "no"
    assert "is not shown to point better than chance" in found.finding
    assert found.finding.endswith("its pictures prove nothing")


def test_maps_that_survive_a_redrawn_network_show_the_images() -> None:
    steps = [SanityStep(layer=layer, spearman=estimate(0.9)) for layer in ("head", "stages.0")]
    found = judge_heat(scored(0.2).model_copy(update={"sanity": steps}), LIMITS)
    assert found.points == "no"
    assert "stays alike when all that the network learned is redrawn at random" in found.finding
    steps[-1] = SanityStep(layer="stages.0", spearman=estimate(0.1))
    assert judge_heat(scored(0.2).model_copy(update={"sanity": steps}), LIMITS).points == "yes"


def test_blank_maps_are_said() -> None:
    blank = scored(0.2).model_copy(update={"blank_rate": 1.0, "faithfulness": None, "layer": "net.norm"})
    found = judge_heat(blank, LIMITS)
    assert (found.points, found.over_center) == ("no", None)
    assert "there is no heat: at net.norm nothing speaks for the predicted class" in found.finding
    mostly = judge_heat(scored(0.2).model_copy(update={"blank_rate": 0.6}), LIMITS)
    assert mostly.finding.endswith("; 60% of the maps are blank, and left out of that")


def test_heat_that_was_not_measured_says_what_to_set() -> None:
    found = judge_heat(scored(0.2).model_copy(update={"faithfulness": None}), LIMITS)
    assert (found.points, found.over_center) == ("insufficient", None)
    assert "set gradcam.faithfulness_images to 50 or more" in found.finding


def test_networks_that_read_an_object_off_the_middle_beat_the_blob() -> None:
    verdict = build_verdict(photo_birds())
    assert {m: h.points for m, h in verdict.heat.items()} == {"erm": "yes", "group_dro": "yes"}
