"""Color features that set a class apart: found on one half of train, confirmed on the other.

Two ways lead to a candidate. A feature whose variance the classes explain (omega squared) shows what
differs overall; a class that stands out from the rest on a feature shows what one class among a
hundred does, which hardly moves omega squared. Confirmation stays inside train, because a test
split may be balanced on purpose so that the cue is gone there.

Shape legend: N images, F features, K classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pipeline.audit.folds import stratified_folds
from pipeline.core.results import ColorFinding, Estimate
from pipeline.core.settings import ColorSettings
from pipeline.core.types import Float32Array, Int64Array
from pipeline.metrics.association import (
    EffectSizes,
    RankSeparation,
    auroc_estimate,
    benjamini_hochberg,
    omega_squared,
    one_vs_rest_auroc,
)
from pipeline.metrics.color_features import FeatureName

MAX_FINDINGS = 8
MIN_CLASS_IMAGES = 5  # in the discovery half, for a class to be found on its own

REGION_WORDS = {"whole": "Whole image", "ring": "Border ring", "center": "Center"}


@dataclass(frozen=True)
class Wording:
    """How people say that a class is high or low on a feature; one finding per family and class."""

    family: str
    title: str
    high: str
    low: str


WORDINGS = {
    "lightness_mean": Wording("lightness", "lightness", "lighter", "darker"),
    "lightness_sd": Wording("contrast", "contrast", "richer in contrast", "poorer in contrast"),
    "a_mean": Wording("hue", "green-red balance", "redder", "greener"),
    "b_mean": Wording("hue", "blue-yellow balance", "yellower", "bluer"),
    "a_sd": Wording("color", "green-red mix", "more mixed in green-red", "less mixed in green-red"),
    "b_sd": Wording("color", "blue-yellow mix", "more mixed in blue-yellow", "less mixed in blue-yellow"),
    "hue_cos": Wording("hue", "hue", "nearer to red in hue", "nearer to cyan in hue"),
    "hue_sin": Wording("hue", "hue", "nearer to yellow-green in hue", "nearer to violet in hue"),
    "saturation": Wording("color", "saturation", "more saturated", "less saturated"),
    "colorfulness": Wording("color", "colorfulness", "more colorful", "less colorful"),
    "edge_density": Wording("edges", "edge density", "richer in edges", "poorer in edges"),
}  # fmt: skip


@dataclass(frozen=True)
class Features:
    """Feature values and labels of one split."""

    values: Float32Array  # N x F
    labels: Int64Array  # N


@dataclass(frozen=True)
class Candidate:
    """A class that stands out on a feature in the discovery half."""

    feature: int
    class_idx: int
    is_high: bool
    strength: float  # AUROC on the discovery half in the stated direction, 0.5..1
    p_value: float
    q_value: float


def find_color_differences(
    train: Features,
    test: Features,
    names: list[FeatureName],
    class_names: list[str],
    settings: ColorSettings,
) -> list[ColorFinding]:
    """At most eight findings, strongest first; none where color does not set classes apart.

    A finding is large (omega squared of at least `min_omega_squared`, or for a single class the AUROC
    that this means between two equal classes) and significant (q < alpha) on the discovery half, and
    confirmed: on the other half the same class differs in the same direction and the AUROC's interval
    excludes 0.5. Its AUROC is that of the other half, its omega squared that of the discovery half.
    """
    n_classes = len(class_names)
    halves_N = stratified_folds(train.labels, 2, settings.seed)
    discovery = Features(train.values[halves_N == 0], train.labels[halves_N == 0])
    held_out = Features(train.values[halves_N == 1], train.labels[halves_N == 1])
    n_present = len(np.unique(discovery.labels))
    if n_present < 2 or len(discovery.labels) <= n_present:
        return []  # one image per class cannot show what is typical of the class
    effects = omega_squared(
        discovery.values,
        discovery.labels,
        n_classes,
        n_permutations=settings.permutations,
        seed=settings.seed,
    )
    separation = one_vs_rest_auroc(discovery.values, discovery.labels, n_classes)
    counts_K = np.bincount(discovery.labels, minlength=n_classes)
    candidates = _candidates(effects, separation, counts_K, settings)
    findings: list[ColorFinding] = []
    taken: set[tuple[str, str | int]] = set()
    for candidate in candidates:
        region, feature = names[candidate.feature]
        family = WORDINGS[feature].family
        if (family, region) in taken or (family, candidate.class_idx) in taken:
            continue
        confirmation = _auroc(held_out, candidate)
        if confirmation is None or confirmation.low <= 0.5:
            continue
        taken |= {(family, region), (family, candidate.class_idx)}
        findings.append(
            ColorFinding(
                feature=feature,
                region=region,
                target="label",
                omega_squared=float(effects.omega_squared[candidate.feature]),
                p_value=candidate.p_value,
                q_value=candidate.q_value,
                class_name=class_names[candidate.class_idx],
                auroc=confirmation.value,
                auroc_low=confirmation.low,
                auroc_high=confirmation.high,
                confirmed=True,
                sentence=_sentence(
                    candidate,
                    names[candidate.feature],
                    class_names,
                    float(effects.omega_squared[candidate.feature]),
                    confirmation,
                    _auroc(test, candidate),
                ),
            )
        )
        if len(findings) == MAX_FINDINGS:
            break
    return sorted(findings, key=lambda finding: -finding.auroc)


def auroc_of_omega_squared(omega: float) -> float:
    """AUROC between two equally large normal classes whose omega squared is `omega` (0.06: 0.64)."""
    distance = 2 * math.sqrt(omega / (1 - omega))
    return float(stats.norm.cdf(distance / math.sqrt(2)))


def _candidates(
    effects: EffectSizes, separation: RankSeparation, counts_K: Int64Array, settings: ColorSettings
) -> list[Candidate]:
    """Large and significant pairs of feature and class, strongest on the discovery half first."""
    auroc_KF = np.nan_to_num(separation.auroc, nan=0.5)
    n_classes = len(auroc_KF)
    if (counts_K > 0).sum() == 2:  # the two present classes mirror each other: speak of the later one
        auroc_KF[: np.flatnonzero(counts_K)[-1]] = 0.5
    big_enough_K = counts_K >= MIN_CLASS_IMAGES
    if not big_enough_K.any():
        big_enough_K = counts_K > 0
    distance_KF = np.abs(auroc_KF - 0.5) * big_enough_K[:, None]
    feature_q_F = benjamini_hochberg(effects.p_values)
    pair_q_KF = benjamini_hochberg(separation.p_values)
    feature_differs_F = (effects.omega_squared >= settings.min_omega_squared) & (feature_q_F < settings.alpha)
    is_top_KF = np.arange(n_classes)[:, None] == distance_KF.argmax(axis=0)
    class_differs_KF = (pair_q_KF < settings.alpha) & (
        distance_KF >= auroc_of_omega_squared(settings.min_omega_squared) - 0.5
    )
    accepted_KF = ((feature_differs_F & is_top_KF) | class_differs_KF) & (distance_KF > 0)
    classes, features = np.nonzero(accepted_KF)
    order = np.lexsort((features, classes, -distance_KF[classes, features]))
    found = []
    for k, f in zip(classes[order].tolist(), features[order].tolist(), strict=True):
        by_feature = bool(feature_differs_F[f])
        found.append(
            Candidate(
                feature=f,
                class_idx=k,
                is_high=bool(auroc_KF[k, f] > 0.5),
                strength=float(0.5 + distance_KF[k, f]),
                p_value=float(effects.p_values[f] if by_feature else separation.p_values[k, f]),
                q_value=float(feature_q_F[f] if by_feature else pair_q_KF[k, f]),
            )
        )
    return found


def _auroc(split: Features, candidate: Candidate) -> Estimate | None:
    """AUROC of the candidate's class in the candidate's direction, None where a side is empty."""
    positive_N = split.labels == candidate.class_idx
    if not positive_N.any() or positive_N.all():
        return None
    values_N = split.values[:, candidate.feature]
    return auroc_estimate(values_N if candidate.is_high else -values_N, positive_N)


def _sentence(
    candidate: Candidate,
    name: FeatureName,
    class_names: list[str],
    omega: float,
    confirmation: Estimate,
    on_test: Estimate | None,
) -> str:
    words = WORDINGS[name.feature]
    others = "the rest"
    if len(class_names) == 2:
        others = f"'{class_names[1 - candidate.class_idx]}'"
    q = "q < 0.001" if candidate.q_value < 0.001 else f"q = {candidate.q_value:.3f}"
    text = (
        f"{REGION_WORDS[name.region]}, {words.title}: class '{class_names[candidate.class_idx]}' is "
        f"{words.high if candidate.is_high else words.low} than {others} "
        f"(AUROC {_interval(confirmation)}, ω² {omega:.2f}, {q})."
    )
    if on_test is None:
        return text
    verdict = "It holds on the test split" if on_test.low > 0.5 else "It does not hold on the test split"
    return f"{text} {verdict} (AUROC {_interval(on_test)})."


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
