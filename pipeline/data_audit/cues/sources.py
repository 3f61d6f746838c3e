"""Is accuracy inflated by knowing where an image comes from: random folds against folds of unseen sources.

A classifier that sees color, texture and layout guesses the class twice: of images whose camera (folder,
hospital, scene) is among those that it was fitted on, and of images of cameras that it has never seen.

Shape legend: N images, D inputs, K classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from pipeline.core.types import BoolArray, Float32Array, Int64Array
from pipeline.cues.cue import Strings, Values
from pipeline.cues.encode import Encoder
from pipeline.cues.facts import camera, file_name, software
from pipeline.cues.look import Looked
from pipeline.cues.tell import Half, guess
from pipeline.cues.views import color, texture, thumbnail
from pipeline.data_audit.color.folds import stratified_folds, stratified_subset
from pipeline.data_audit.cues.audit import kappa_of
from pipeline.data_audit.cues.ranking import STRETCH
from pipeline.data_audit.cues.wording import source_sentence
from pipeline.records.base import Estimate
from pipeline.records.cues import SourceProbe
from pipeline.settings.cues import CuesSettings
from pipeline.statistics.comparison.paired import paired_change
from pipeline.statistics.intervals import widen
from pipeline.statistics.sources import merge_sources

MOST = 3_000  # images that are looked at
LEAST = 10  # images of a value; rarer ones are left out
LEAST_SCENE = 2  # the same of a scene
LEAST_FITTED = 5  # images of a class that a classifier has to have seen
LEAST_ASKED = 0.5  # share of the images whose class can be asked of unseen values
ATTRIBUTE = 2  # values: an annotated column with no more is an attribute, and its groups tell of it
_VIEWS = (color.read, texture.read, thumbnail.read)


@dataclass(frozen=True)
class _Column:
    """Where images come from, in one respect."""

    name: str
    words: str  # within a sentence: "the camera"
    codes_N: Int64Array  # -1: not known, or too rare
    is_scene: bool = False

    @property
    def n_values(self) -> int:
        return len(np.unique(self.codes_N[self.codes_N >= 0]))


def probe_sources(
    train: Looked, settings: CuesSettings, scenes_N: Int64Array | None = None
) -> list[SourceProbe]:
    """Every column of sources that training images have, by how far accuracy falls on unseen values.

    Intervals are for new images of these values (for new scenes, where images share some) and allow for the
    number of columns. Nothing is fitted on test images, and none are read.

    Args:
        train: its sources (scenes, copies of one image) stay in one fold where other columns are asked about.
        scenes_N: scene or patient of each image, as the data say it.
    """
    columns = list(_columns(train, scenes_N))
    if not columns:
        return []
    if len(train.labels_N) > MOST:
        rows_N = stratified_subset(train.labels_N, MOST, settings.seed, train.sources_N)
        columns = [replace(column, codes_N=column.codes_N[rows_N]) for column in columns]
        train = train.take(np.flatnonzero(rows_N))
    asked = [column for column in columns if column.n_values > 1]
    inputs_ND = _inputs(train) if asked else np.zeros((len(train.labels_N), 0), np.float32)
    half = Half(inputs_ND, train.labels_N, train.sources_N)
    return [_probe(column, half, settings, n_columns=len(asked)) for column in columns]


# --- which columns -----------------------------------------------------------------------------


def _columns(train: Looked, scenes_N: Int64Array | None) -> Iterator[_Column]:
    """Columns of which at least one value has enough images."""
    found = [
        _Column("camera", "the camera", _codes(_joined(camera.read(train.seen)))),
        _Column("software", "the software", _codes(_joined(software.read(train.seen)))),
        _Column("file_name", "the names of file and folders", _codes(_joined(file_name.read(train.seen)))),
    ]
    for name, words in train.seen.columns.items():
        codes_N = _codes(words)
        if len(set(words.tolist())) > ATTRIBUTE:
            found.append(_Column(f"attr_{name}", f"the value of {name}", codes_N))
    if scenes_N is not None:
        scenes = np.array([str(scene) for scene in scenes_N], object)
        found.append(_Column("scene", "the scene or patient", _codes(scenes, LEAST_SCENE), is_scene=True))
    return (column for column in found if column.n_values)


def _joined(values: Values | None) -> Strings | None:
    """The words of a cue's columns as one: a make and its model; which words are in a name."""
    if values is None or not values.words:
        return None
    rows = zip(*values.words.values(), strict=True)
    return np.array(
        [None if all(word is None for word in row) else "\0".join(map(str, row)) for row in rows], object
    )


def _codes(words: Strings | None, least: int = LEAST) -> Int64Array:
    """A number for each value that has enough images; -1 for all others."""
    if words is None:
        return np.zeros(0, np.int64)
    counts = Counter(word for word in words.tolist() if word is not None)
    kept = sorted(word for word, n in counts.items() if n >= least)
    numbers = {word: number for number, word in enumerate(kept)}
    return np.array([numbers.get(word, -1) for word in words.tolist()], np.int64)


def _inputs(looked: Looked) -> Float32Array:
    parts = []
    for read in _VIEWS:
        values = read(looked.seen)
        parts.append(Encoder.fit(values).inputs(values))
    return np.concatenate(parts, axis=1)


# --- one column --------------------------------------------------------------------------------


def _probe(column: _Column, half: Half, settings: CuesSettings, n_columns: int) -> SourceProbe:
    told: dict[str, str | int] = {"name": column.name, "words": column.words, "n_values": column.n_values}
    known_N = column.codes_N >= 0
    if column.n_values < 2:
        return _unanswered(told, int(known_N.sum()), "all images that say it are of one value")
    half, codes_N = half.take(known_N), column.codes_N[known_N]
    scenes_N = None if column.is_scene else half.sources_N
    units_N = merge_sources(codes_N, scenes_N)
    if units_N is None or len(np.unique(units_N)) < 2:
        units_N = codes_N  # scenes of several values each: what is known of them makes the fall smaller
    n_folds = min(settings.folds, len(np.unique(units_N)))
    seen_N, knows_seen_N = _guess(
        half, stratified_folds(half.labels_N, n_folds, settings.seed, scenes_N), n_folds
    )
    unseen_N, knows_unseen_N = _guess(
        half, stratified_folds(half.labels_N, n_folds, settings.seed, units_N), n_folds
    )
    asked_N = knows_seen_N & knows_unseen_N
    is_enough = asked_N.mean() >= LEAST_ASKED and len(np.unique(half.labels_N[asked_N])) > 1
    if not is_enough:
        reason = "its values hold whole classes, so that nothing is left to learn a class from without them"
        return _unanswered(told, len(codes_N), reason)
    scenes_N = scenes_N[asked_N] if scenes_N is not None else None
    resampled_N = codes_N[asked_N] if column.is_scene else scenes_N
    asked = Half(half.inputs_ND[asked_N], half.labels_N[asked_N], resampled_N)
    return _compare(told, seen_N[asked_N], unseen_N[asked_N], asked, settings, n_columns)


def _guess(half: Half, folds_N: Int64Array, n_folds: int) -> tuple[Int64Array, BoolArray]:
    """Each image's class by a classifier of the other folds, and whether that has seen the image's class."""
    predicted_N, knows_N = np.zeros(len(folds_N), np.int64), np.zeros(len(folds_N), bool)
    for fold in range(n_folds):
        out_N = folds_N == fold
        counts_K = np.bincount(half.labels_N[~out_N], minlength=int(half.labels_N.max()) + 1)
        fit_N = ~out_N & (counts_K >= LEAST_FITTED)[half.labels_N]
        knows_N[out_N] = (counts_K >= LEAST_FITTED)[half.labels_N[out_N]]
        if out_N.any() and fit_N.any():
            predicted_N[out_N] = guess("linear", half.take(fit_N), half.inputs_ND[out_N])
    return predicted_N, knows_N


def _compare(
    told: dict[str, str | int],
    seen_N: Int64Array,
    unseen_N: Int64Array,
    asked: Half,
    settings: CuesSettings,
    n_columns: int,
) -> SourceProbe:
    """Kappa of both, and how far it falls, paired image by image; every class counts the same."""
    seen, unseen = kappa_of(seen_N, asked), kappa_of(unseen_N, asked)
    change = paired_change(
        (unseen_N == asked.labels_N)[None],
        (seen_N == asked.labels_N)[None],
        asked.labels_N,
        seed=settings.seed,
        equal_groups=True,
        sources_N=asked.sources_N,
    )
    n_classes = len(np.unique(asked.labels_N))
    wide = widen(change, n_comparisons=n_columns, alpha=0.05)
    scale = STRETCH * n_classes / (n_classes - 1)  # folds are not independent; from accuracy to kappa
    fall = Estimate(
        value=seen.value - unseen.value,
        low=max(-2.0, seen.value - unseen.value - scale * (wide.value - wide.low)),
        high=min(2.0, seen.value - unseen.value + scale * (wide.high - wide.value)),
        n=wide.n,
    )
    is_large = fall.value >= settings.min_kappa
    record = SourceProbe.model_validate(
        {
            **told,
            "status": "no" if not is_large else "yes" if fall.low > 0 else "insufficient",
            "n": len(seen_N),
            "seen": seen,
            "unseen": unseen,
            "inflation": fall,
            "sentence": "",
        }
    )
    return record.model_copy(update={"sentence": source_sentence(record)})


def _unanswered(told: dict[str, str | int], n: int, reason: str) -> SourceProbe:
    record = SourceProbe.model_validate(
        {**told, "status": "insufficient", "n": n, "reason": reason, "sentence": ""}
    )
    return record.model_copy(update={"sentence": source_sentence(record)})
