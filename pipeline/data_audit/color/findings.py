"""Color features that set a class apart: found on one half of train, confirmed on the other.

Two ways lead to a candidate. A feature whose variance the classes explain (omega squared) shows what
differs overall; a class that stands out from the rest on a feature shows what one class among a
hundred does, which hardly moves omega squared. Confirmation stays inside train, because a test
split may be balanced on purpose so that the cue is gone there.

The target is the label or an annotated attribute; its values are called classes here.

Shape legend: N images, F features, K classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.core.types import BoolArray, Float32Array, Int64Array
from pipeline.data_audit.color.folds import stratified_folds
from pipeline.data_audit.color.wording import WORDINGS, Direction, Evidence, Target, finding_sentence
from pipeline.pixels.color_features import MASK_REGIONS, FeatureName
from pipeline.records.base import Estimate
from pipeline.records.color import ColorFinding
from pipeline.settings.audit import ColorSettings
from pipeline.statistics.cues.separation import (
    EffectSizes,
    RankSeparation,
    auroc_estimate,
    omega_squared,
    one_vs_rest_auroc,
)
from pipeline.statistics.distributions import normal_cdf
from pipeline.statistics.multiplicity import benjamini_hochberg
from pipeline.statistics.sources import source_means

MAX_FINDINGS = 8
MIN_CLASS_IMAGES = 5  # in the discovery half, for a class to be found on its own


@dataclass(frozen=True)
class Features:
    """Feature values of one split's images, and each image's value of the target."""

    values: Float32Array  # N x F
    labels: Int64Array  # N
    sources: Int64Array | None = None  # N, scene, patient or video; None: each image by itself

    def take(self, rows: BoolArray) -> Features:
        sources = None if self.sources is None else self.sources[rows]
        return Features(self.values[rows], self.labels[rows], sources)

    def independent(self) -> Features:
        """What significance is judged on: where images share sources, their means."""
        if self.sources is None:
            return self
        return Features(*source_means(self.values, self.labels, self.sources))


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
    train: Features, test: Features, names: list[FeatureName], target: Target, settings: ColorSettings
) -> list[ColorFinding]:
    """At most eight findings, strongest first; none where color does not set the target's values apart.

    A finding is large (omega squared of at least `min_omega_squared`, or for a single class the AUROC
    that this means between two equal classes) and significant (q < alpha) on the discovery half, and
    confirmed: on the other half the same class differs in the same direction and the AUROC's interval
    excludes 0.5. Its AUROC is that of the other half, its omega squared that of the discovery half.
    The false discovery rate is controlled per target. Where images share a scene, effects are those of
    images, but significance that of the scenes' means, and intervals are for new scenes.
    """
    n_classes = len(target.values)
    discovery, held_out = split_halves(train, settings.seed)
    n_present = len(np.unique(discovery.labels))
    if n_present < 2 or len(discovery.independent().labels) <= n_present:
        return []  # one image per class cannot show what is typical of the class
    effects = _effects(discovery, n_classes, settings)
    separation = separations(discovery, n_classes)
    counts_K = np.bincount(discovery.labels, minlength=n_classes)
    candidates = _candidates(effects, separation, counts_K, settings)
    findings: list[ColorFinding] = []
    taken: set[tuple[str | int, ...]] = set()
    for candidate in candidates:
        name = names[candidate.feature]
        said = _what_it_says(candidate, name)
        confirmation = None if said & taken else _auroc(held_out, candidate)
        if confirmation is None or confirmation.low <= 0.5:
            continue
        taken |= said
        omega = float(effects.omega_squared[candidate.feature])
        findings.append(_finding(candidate, name, target, omega, confirmation, _auroc(test, candidate)))
        if len(findings) == MAX_FINDINGS:
            break
    return sorted(findings, key=lambda finding: -finding.auroc)


def split_halves(train: Features, seed: int) -> tuple[Features, Features]:
    """A half to find differences on and one to confirm them on, with the same mix of classes."""
    halves_N = stratified_folds(train.labels, 2, seed, train.sources)
    return train.take(halves_N == 0), train.take(halves_N == 1)


def _effects(features: Features, n_classes: int, settings: ColorSettings) -> EffectSizes:
    """Effect sizes of images; p-values of what is independent."""
    apart = features.independent()
    tested = omega_squared(
        apart.values,
        apart.labels,
        n_classes,
        n_permutations=settings.permutations,
        seed=settings.seed,
    )
    if apart is features:
        return tested
    shown = omega_squared(features.values, features.labels, n_classes, n_permutations=0, seed=settings.seed)
    return EffectSizes(shown.omega_squared, tested.p_values)


def separations(features: Features, n_classes: int) -> RankSeparation:
    """AUROC of images for every class and feature; p-values of what is independent."""
    shown = one_vs_rest_auroc(features.values, features.labels, n_classes)
    if features.sources is None:
        return shown
    apart = features.independent()
    return RankSeparation(shown.auroc, one_vs_rest_auroc(apart.values, apart.labels, n_classes).p_values)


def _what_it_says(candidate: Candidate, name: FeatureName) -> set[tuple[str | int, ...]]:
    """What a finding must not repeat: a family of features in a region, or about a class in an area.

    Whole, ring and center are one area, because they mostly tell the same story; background and
    foreground are areas of their own.
    """
    family = WORDINGS[name.feature].family
    area = name.region if name.region in MASK_REGIONS else "frame"
    return {(family, name.region), (family, area, candidate.class_idx)}


def auroc_of_omega_squared(omega: float) -> float:
    """AUROC between two equally large normal classes whose omega squared is `omega` (0.06: 0.64)."""
    distance = 2 * math.sqrt(omega / (1 - omega))
    return float(normal_cdf(distance / math.sqrt(2)))


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
    return auroc_estimate(values_N if candidate.is_high else -values_N, positive_N, sources_N=split.sources)


def _finding(
    candidate: Candidate,
    name: FeatureName,
    target: Target,
    omega: float,
    confirmation: Estimate,
    on_test: Estimate | None,
) -> ColorFinding:
    return ColorFinding(
        feature=name.feature,
        region=name.region,
        target=target.name,
        omega_squared=omega,
        p_value=candidate.p_value,
        q_value=candidate.q_value,
        class_name=target.values[candidate.class_idx],
        auroc=confirmation.value,
        auroc_low=confirmation.low,
        auroc_high=confirmation.high,
        confirmed=True,
        test=on_test,
        holds_on_test=None if on_test is None else on_test.low > 0.5,
        sentence=finding_sentence(
            name,
            target,
            Direction(candidate.class_idx, candidate.is_high),
            Evidence(omega, candidate.q_value, confirmation, on_test),
        ),
    )
