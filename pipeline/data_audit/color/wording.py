"""Color findings in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from pipeline.pixels.color_features import FeatureName
from pipeline.records.base import Estimate

LABEL = "label"  # the target's name where it is the class

REGION_WORDS = {
    "whole": "Whole image",
    "ring": "Border ring",
    "center": "Center",
    "background": "Background",
    "foreground": "Foreground",
}


@dataclass(frozen=True)
class Wording:
    """How people say that a class is high or low on a feature; a family's features say much the same."""

    family: str
    title: str
    high: str
    low: str


WORDINGS = {
    "lightness_mean": Wording("lightness", "lightness", "lighter", "darker"),
    "a_mean": Wording("hue", "green-red balance", "redder", "greener"),
    "b_mean": Wording("hue", "blue-yellow balance", "yellower", "bluer"),
    "hue_cos": Wording("hue", "hue", "nearer to red in hue", "nearer to green in hue"),
    "hue_sin": Wording("hue", "hue", "nearer to yellow in hue", "nearer to blue in hue"),
    "chroma": Wording("color", "color strength", "stronger in color", "nearer to gray"),
    "dominant_cos": Wording("hue", "most colorful parts", "redder there", "greener there"),
    "dominant_sin": Wording("hue", "most colorful parts", "yellower there", "bluer there"),
    # detail, not color
    "lightness_sd": Wording("contrast", "contrast", "richer in contrast", "poorer in contrast"),
    "a_sd": Wording("mix", "green-red mix", "more mixed in green-red", "less mixed in green-red"),
    "b_sd": Wording("mix", "blue-yellow mix", "more mixed in blue-yellow", "less mixed in blue-yellow"),
    "colorfulness": Wording("mix", "colorfulness of pixels", "more colorful", "less colorful"),
    "edge_density": Wording("edges", "edge density", "richer in edges", "poorer in edges"),
}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """What is compared: the label or an annotated attribute, with the names of its values."""

    name: str
    values: list[str]


class Direction(NamedTuple):
    """Which value of the target stands out, and to which side."""

    class_idx: int
    is_high: bool


class Evidence(NamedTuple):
    """Numbers of a finding; both AUROCs are in the finding's direction."""

    omega_squared: float
    q_value: float
    confirmation: Estimate
    test: Estimate | None


def finding_sentence(name: FeatureName, target: Target, direction: Direction, evidence: Evidence) -> str:
    """For example "Center, hue: class 'fox' is nearer to red in hue than the rest (AUROC ...)."."""
    words = WORDINGS[name.feature]
    value = f"'{target.values[direction.class_idx]}'"
    others = f"'{target.values[1 - direction.class_idx]}'" if len(target.values) == 2 else "the rest"
    if target.name == LABEL:
        subject = f"class {value} is"
    else:
        subject = f"images with {target.name} {value} are"
        if len(target.values) == 2:
            others = f"images with {others}"
    q = "q < 0.001" if evidence.q_value < 0.001 else f"q = {evidence.q_value:.3f}"
    text = (
        f"{REGION_WORDS[name.region]}, {words.title}: {subject} "
        f"{words.high if direction.is_high else words.low} than {others} "
        f"(AUROC {_interval(evidence.confirmation)}, ω² {evidence.omega_squared:.2f}, {q})."
    )
    if evidence.test is None:
        return text
    verdict = (
        "It holds on the test split" if evidence.test.low > 0.5 else "It does not hold on the test split"
    )
    return f"{text} {verdict} (AUROC {_interval(evidence.test)})."


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
