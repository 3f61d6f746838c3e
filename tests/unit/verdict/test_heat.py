"""Whether GradCAM points better than a blob in the middle: planted gains, none, and too little to tell."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.explain.cam.faithfulness import Scores, summarize_scores
from pipeline.records.gradcam import GradcamResult
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


def test_heat_that_was_not_measured_says_what_to_set() -> None:
    found = judge_heat(scored(0.2).model_copy(update={"faithfulness": None}), LIMITS)
    assert (found.points, found.over_center) == ("insufficient", None)
    assert "set gradcam.faithfulness_images to 50 or more" in found.finding


def test_networks_that_read_an_object_off_the_middle_beat_the_blob() -> None:
    verdict = build_verdict(photo_birds())
    assert {m: h.points for m, h in verdict.heat.items()} == {"erm": "yes", "group_dro": "yes"}
