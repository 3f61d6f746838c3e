"""Every cue tried alone: found on one half of train, confirmed on the other, read on test.

Shape legend: N images, D inputs, K classes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Float64Array, Int64Array
from pipeline.cues.cue import Cue, Values
from pipeline.cues.encode import Encoder
from pipeline.cues.look import Looked
from pipeline.cues.registry import all_cues
from pipeline.cues.tell import Half, Kind, guess
from pipeline.data_audit.color.folds import stratified_folds
from pipeline.data_audit.cues.ranking import rank
from pipeline.data_audit.cues.tell import TREE_FOLDS, cross_guess, cut_to, p_of_guesses, rows_looked_at
from pipeline.data_audit.cues.wording import sentence
from pipeline.records.base import Estimate, Provenance
from pipeline.records.cues import CueClass, CueFinding, CuesResult
from pipeline.settings.cues import CuesSettings
from pipeline.statistics.accuracy.balanced import balanced_accuracy_estimate, kappa_from_balanced
from pipeline.statistics.cues.agreement import channel_bits, marked_share
from pipeline.statistics.distributions import normal_isf, normal_sf
from pipeline.statistics.multiplicity import benjamini_hochberg
from pipeline.statistics.sources import design_effect

SURE = 1e-6  # p of a linear classifier
MANY_CLASSES = 3  # from so many on, a cue may mark one class alone
LEAST_MARKED = 0.2  # share of a class's images beyond that of others, for a class to be called marked
MOST_CLASSES = 12  # listed


@dataclass(frozen=True)
class Tried:
    """A cue, or one of its places, under one classifier on the half that finds."""

    cue: Cue
    part: str | None
    kind: Kind
    train: Half  # all of train, encoded
    test: Half | None
    predicted_N: Int64Array  # out of fold, of the first half
    kappa: float
    p_value: float
    classes_p: Float64Array  # K, of marking a class

    @property
    def label(self) -> tuple[str, str | None]:
        return self.cue.name, self.part


def audit_cues(
    train: Looked, test: Looked, classes: Sequence[str], settings: CuesSettings, provenance: Provenance
) -> CuesResult:
    """Every cue by what it tells of the class.

    A cue is found if it is large enough (`min_kappa`) and significant (Benjamini-Hochberg over all cues,
    places and classifiers) on one half of train, where a classifier reads each image out of fold, and if
    the other half confirms it: the interval of kappa there, allowing for how many are confirmed, is above 0.
    Where there are several classes, one that a cue marks clearly makes it found as well.

    Raises:
        InputError: fewer than two classes with training images.
    """
    started = time.perf_counter()
    n_total = len(train.labels_N)
    rows = rows_looked_at(train, settings.max_train, settings.seed)
    train = train if len(rows) == n_total else train.take(rows)
    rows = rows_looked_at(test, settings.max_train, settings.seed)
    test = test if len(rows) == len(test.labels_N) else test.take(rows)
    if len(np.unique(train.labels_N)) < 2:
        raise InputError("train has images of fewer than two classes: nothing can give a class away.")
    first_N = stratified_folds(train.labels_N, 2, settings.seed, train.sources_N) == 0
    cues = all_cues(train.seen.columns)
    tried, absent = list[Tried](), list[str]()
    for cue in cues:
        found = list(_try(cue, train, test, first_N, len(classes), settings))
        tried += found
        absent += [] if found else [cue.title]
    findings = _confirm(tried, first_N, classes, settings)
    return CuesResult(
        provenance=provenance,
        cues=rank(findings, {t.label: t for t in tried}, first_N, len(classes), settings),
        absent=absent,
        n_train=len(train.labels_N),
        n_train_total=n_total,
        n_tests=len(tried),
        seconds=time.perf_counter() - started,
    )


# --- the half that finds ----------------------------------------------------------------------


def _try(
    cue: Cue, train: Looked, test: Looked, first_N: BoolArray, n_classes: int, settings: CuesSettings
) -> Iterator[Tried]:
    """The cue, place by place where it has places, linear and by trees; nothing where data lack it."""
    values = cue.read(train.seen)
    if values is None or _is_constant(values):
        return
    on_test = cue.read(test.seen) if len(test.labels_N) else None
    encoder = Encoder.fit(values)
    whole = Half(encoder.inputs(values), train.labels_N, train.sources_N)
    tested = None if on_test is None else Half(encoder.inputs(on_test), test.labels_N, test.sources_N)
    parts: list[tuple[str | None, slice]] = [*values.parts.items()] or [(None, slice(None))]
    for part, columns in parts:
        own = replace(whole, inputs_ND=whole.inputs_ND[:, columns])
        own_test = None if tested is None else replace(tested, inputs_ND=tested.inputs_ND[:, columns])
        straight: Kind = "centroids" if cue.mostly_silent else "linear"
        found = _try_one(cue, part, straight, own, own_test, first_N, n_classes, settings)
        yield found
        # where a straight line tells it beyond doubt, trees could only tell it again
        if cue.trees and settings.trees_max_train and found.p_value > SURE:
            yield _try_one(cue, part, "trees", own, own_test, first_N, n_classes, settings)


def _try_one(
    cue: Cue,
    part: str | None,
    kind: Kind,
    train: Half,
    test: Half | None,
    first_N: BoolArray,
    n_classes: int,
    settings: CuesSettings,
) -> Tried:
    half = train.take(first_N)
    by_trees = kind == "trees"
    tried = cut_to(half, settings.trees_max_train, settings.seed) if by_trees else half
    folds = TREE_FOLDS if by_trees else settings.folds
    predicted_N, folds_N = cross_guess(kind, tried, folds, settings.seed)
    p_value = p_of_guesses(predicted_N, tried, folds_N, n_classes)
    marked_K, variance_K = marked_share(predicted_N, tried.labels_N, n_classes)
    return Tried(
        cue=cue,
        part=part,
        kind=kind,
        train=train,
        test=test,
        predicted_N=predicted_N,
        kappa=kappa_of(predicted_N, tried).value,
        p_value=p_value,
        classes_p=normal_sf(marked_K / np.sqrt(variance_K) / np.sqrt(2)),
    )


def _is_constant(values: Values) -> bool:
    """Whether it reads the same off every image."""
    numbers = values.numbers
    varies = bool(numbers.shape[1]) and bool((numbers != numbers[:1]).any() and not np.isnan(numbers).all())
    if varies and numbers.shape[1]:
        varies = any(len(np.unique(column)) > 1 for column in numbers.T)
    return not varies and all(len(set(column.tolist())) < 2 for column in values.words.values())


# --- the half that confirms -------------------------------------------------------------------


def _confirm(
    tried: Sequence[Tried], first_N: BoolArray, classes: Sequence[str], settings: CuesSettings
) -> list[CueFinding]:
    """One finding a cue: by its clearest place and classifier."""
    q = benjamini_hochberg(np.array([t.p_value for t in tried])) if tried else np.zeros(0)
    q_class = (
        benjamini_hochberg(np.stack([t.classes_p for t in tried]))
        if tried and len(classes) >= MANY_CLASSES
        else np.ones((len(tried), len(classes)))
    )
    best: dict[str, int] = {}
    for i, t in enumerate(tried):
        if t.cue.name not in best or (t.p_value, -t.kappa) < (
            tried[best[t.cue.name]].p_value,
            -tried[best[t.cue.name]].kappa,
        ):
            best[t.cue.name] = i
    chosen = list(best.values())
    candidates = [i for i in chosen if q[i] < settings.alpha and tried[i].kappa >= settings.min_kappa]
    return [
        _finding(
            tried, i, float(q[i]), q_class[i], first_N, classes, settings, i in candidates, len(candidates)
        )
        for i in chosen
    ]


def _finding(
    tried: Sequence[Tried],
    i: int,
    q_value: float,
    q_class_K: Float64Array,
    first_N: BoolArray,
    classes: Sequence[str],
    settings: CuesSettings,
    is_candidate: bool,
    n_candidates: int,
) -> CueFinding:
    t = tried[i]
    fit, rest = t.train.take(first_N), t.train.take(~first_N)
    if t.kind == "trees":
        fit = cut_to(fit, settings.trees_max_train, settings.seed)
    predicted_N = guess(t.kind, fit, rest.inputs_ND)
    kappa = kappa_of(predicted_N, rest)
    strict = kappa_of(predicted_N, rest, confidence=1 - 0.05 / max(n_candidates, 1))
    marks = _marked(predicted_N, rest, q_class_K, classes, settings)
    found = (is_candidate and strict.low > 0 and kappa.value >= settings.min_kappa) or any(
        m.found for m in marks
    )
    on_test = _on_test(t, settings)
    places = {o.part: o.kappa for o in tried if o.cue is t.cue and o.part is not None}
    accuracy = kappa.value * (1 - 1 / len(classes)) + 1 / len(classes)
    record = CueFinding(
        name=t.cue.name,
        title=t.cue.title,
        sees=t.cue.sees,
        kind=t.cue.kind,
        may_be_content=t.cue.may_be_content,
        is_visible=t.cue.is_visible,
        part=t.part,
        classifier="trees" if t.kind == "trees" else "linear",
        found=found,
        kappa=kappa,
        kappa_found=t.kappa,
        p_value=t.p_value,
        q_value=q_value,
        bits=channel_bits(accuracy, len(classes)),
        test=on_test,
        holds_on_test=None if on_test is None else on_test.low > 0,
        classes=marks[:MOST_CLASSES] if len(classes) >= MANY_CLASSES else [],
        places=places,
        sentence="",
    )
    return record.model_copy(update={"sentence": sentence(record)})


def _marked(
    predicted_N: Int64Array, rest: Half, q_K: Float64Array, classes: Sequence[str], settings: CuesSettings
) -> list[CueClass]:
    """Classes by how clearly the cue marks them, on the half that confirms."""
    marked_K, variance_K = marked_share(predicted_N, rest.labels_N, len(classes))
    n_K = np.bincount(rest.labels_N, minlength=len(classes))
    tested_K = q_K < settings.alpha
    z = float(normal_isf(0.025 / max(int(tested_K.sum()), 1)))
    found = []
    for k in np.argsort(-marked_K, kind="stable"):
        if not n_K[k] or not np.isfinite(variance_K[k]):
            continue
        half = 1.96 * float(np.sqrt(variance_K[k]))
        is_found = (
            bool(tested_K[k]) and marked_K[k] >= LEAST_MARKED and marked_K[k] - z * np.sqrt(variance_K[k]) > 0
        )
        share = Estimate(
            value=float(marked_K[k]),
            low=max(-1.0, float(marked_K[k]) - half),
            high=min(1.0, float(marked_K[k]) + half),
            n=int(n_K[k]),
        )
        found.append(CueClass(label=classes[k], marked=share, found=bool(is_found)))
    return found


def _on_test(t: Tried, settings: CuesSettings) -> Estimate | None:
    if t.test is None or len(np.unique(t.test.labels_N)) < 2:
        return None
    fit = cut_to(t.train, settings.trees_max_train, settings.seed) if t.kind == "trees" else t.train
    return kappa_of(guess(t.kind, fit, t.test.inputs_ND), t.test)


def kappa_of(predicted_N: Int64Array, half: Half, confidence: float = 0.95) -> Estimate:
    """Kappa from balanced accuracy, with an interval for new images (new scenes where they share some)."""
    _, codes_N, counts_K = np.unique(half.labels_N, return_inverse=True, return_counts=True)
    n, n_classes = len(codes_N), len(counts_K)
    if n_classes < 2:
        return Estimate(value=0.0, low=0.0, high=0.0, n=n)
    hit_N = predicted_N == half.labels_N
    hits_K = np.bincount(codes_N, weights=hit_N)
    if half.sources_N is not None:
        recall_K = hits_K / counts_K
        deviations_N = (hit_N - recall_K[codes_N]) / counts_K[codes_N]
        variance = float((recall_K * (1 - recall_K) / counts_K).sum())
        effective_K = np.maximum(counts_K / design_effect(deviations_N, half.sources_N, variance), 1.0)
        band = balanced_accuracy_estimate(recall_K * effective_K, effective_K, confidence=confidence)
    else:
        band = balanced_accuracy_estimate(hits_K, counts_K, confidence=confidence)
    low, value, high = (kappa_from_balanced(v, n_classes) for v in (band.low, band.value, band.high))
    return Estimate(value=value, low=low, high=high, n=n)
