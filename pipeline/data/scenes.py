"""Sources: images that were taken together (a scene, a patient, a video) and must stay together.

Frames of one scene look alike whatever they show. Where some are trained on and others tested on,
the test measures memory, and any property of the scene seems to go with the label.

Shape legend: N images, S sources, C cells (label x attribute).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from pipeline.core.errors import InputError
from pipeline.core.types import SPLIT_NAMES, BoolArray, Float64Array, Int64Array
from pipeline.data.raw import RawDataset
from pipeline.records.data import SourceCounts

TRAIN, VAL, TEST = range(3)
SOURCE_WORDS = frozenset(
    {"scene", "patient", "subject", "participant", "person", "animal", "individual", "hospital", "site"}
    | {"camera", "video", "clip", "movie", "sequence", "session", "recording", "location", "station"}
    | {"slide", "specimen", "burst", "trip", "flight"}
)
_WORD_END = re.compile(r"[ _-]?(id|ids|name|no|nr|num|number|idx|index|key|uid)$")
MIN_SOURCES = 12  # for a column to be taken for one: fewer values are an attribute that can be compared
MIN_PER_SOURCE = 2.0  # images on average


def guess_group_column(table: pd.DataFrame, taken: Collection[str | None]) -> str | None:
    """The column that is named like a source and looks like one; the coarsest where several do."""
    found = {
        column: table[column].nunique()
        for column in table.columns
        if column not in taken and _is_source_name(column) and _looks_like_sources(table[column])
    }
    return min(found, key=lambda column: found[column], default=None)


def _is_source_name(column: str) -> bool:
    return _WORD_END.sub("", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).strip().lower()) in SOURCE_WORDS


def _looks_like_sources(column: pd.Series[str]) -> bool:
    counts = column[column.str.strip() != ""].value_counts()
    return len(counts) >= MIN_SOURCES and bool(counts.mean() >= MIN_PER_SOURCE)


def encode_sources(raw: RawDataset) -> Int64Array | None:
    """A number per row, equal for rows of one source; a row without one is a source by itself.

    None where no row has a source.
    """
    codes: dict[str, int] = {}
    given = [row.source for row in raw.rows]
    if all(source is None for source in given):
        return None
    n = len(given)
    return np.array(
        [n + i if source is None else codes.setdefault(source, len(codes)) for i, source in enumerate(given)],
        np.int64,
    )


def count_sources(raw: RawDataset, sources_N: Int64Array | None, splits_N: Int64Array) -> SourceCounts | None:
    """Sources of each split and how many are cut; None where there are none."""
    if sources_N is None:
        return None
    in_split = [set(sources_N[splits_N == split].tolist()) for split in (TRAIN, VAL, TEST)]
    cut = in_split[TRAIN] & (in_split[VAL] | in_split[TEST]) | in_split[VAL] & in_split[TEST]
    trained_on = in_split[TRAIN] | in_split[VAL]
    return SourceCounts(
        name=raw.source_name,
        n={name: len(found) for name, found in zip(SPLIT_NAMES, in_split, strict=True)},
        n_cut=len(cut),
        n_leaking_test=int(np.isin(sources_N[splits_N == TEST], list(trained_on)).sum()),
    )


def source_notes(counts: SourceCounts | None, n_test: int) -> list[str]:
    """What people must know about the sources; first that some are cut."""
    if counts is None:
        return []
    each = ", ".join(f"{n:,} in {split}" for split, n in counts.n.items())
    notes = [f"images of one {counts.name!r} stay together in folds and permutations ({each})"]
    if counts.n_cut:
        notes.insert(
            0,
            f"LEAK: {counts.n_cut:,} values of {counts.name!r} are in more than one split, and "
            f"{counts.n_leaking_test:,} of {n_test:,} test images share theirs with an image of training or "
            "validation: test accuracies are too high. The split is the table's own; without "
            "`source.columns.split` one is made that cuts none",
        )
    return notes


def carve_sources(
    splits_N: Int64Array,
    sources_N: Int64Array,
    labels_N: Int64Array,
    attributes_N: Int64Array,
    *,
    missing: dict[int, float],
    classes: Sequence[str],
    rng: np.random.Generator,
) -> None:
    """Move whole sources of train into the `missing` splits, in place.

    Sources are drawn in random order; one is taken where this brings the split's counts of label x
    attribute nearer to the wanted fractions. Each label keeps a source in train and gets one in every
    carved split.

    Raises:
        InputError: a label with fewer sources than there are splits to fill.
    """
    pool = np.flatnonzero(splits_N == TRAIN)
    ids_S, codes = np.unique(sources_N[pool], return_inverse=True)
    cells_SC = _table(codes, labels_N[pool] * (int(attributes_N.max(initial=0)) + 1) + attributes_N[pool])
    has_label_SK = _table(codes, labels_N[pool]) > 0
    _check_enough(has_label_SK.sum(axis=0), labels_N[pool], classes, missing)
    free_S = np.ones(len(ids_S), bool)
    for n_later, (split, fraction) in zip(reversed(range(len(missing))), missing.items(), strict=True):
        chosen = _choose(cells_SC, has_label_SK, free_S, fraction, n_spare=1 + n_later, rng=rng)
        free_S[chosen] = False
        splits_N[pool[np.isin(codes, chosen)]] = split


def _choose(
    cells_SC: Int64Array,
    has_label_SK: BoolArray,
    free_S: BoolArray,
    fraction: float,
    *,
    n_spare: int,
    rng: np.random.Generator,
) -> list[int]:
    """Sources for one split; every label leaves `n_spare` free sources behind."""
    target_C = fraction * cells_SC.sum(axis=0)
    have_C, left_K = np.zeros(len(target_C)), has_label_SK[free_S].sum(axis=0)
    order = rng.permutation(np.flatnonzero(free_S))
    chosen: list[int] = []

    def take(source: int) -> bool:
        """Whether it could be taken: no label is then short of sources."""
        if (left_K - has_label_SK[source])[has_label_SK[source]].min() < n_spare:
            return False
        have_C[:] += cells_SC[source]
        left_K[:] -= has_label_SK[source]
        chosen.append(source)
        return True

    for label in np.argsort(left_K, kind="stable"):  # the rarest first: others leave it no choice
        if not has_label_SK[chosen, label].any():
            next((s for s in order[has_label_SK[order, label]] if s not in chosen and take(int(s))), None)
    for source in order[~np.isin(order, chosen)]:
        if _is_nearer(have_C, cells_SC[source], target_C):
            take(int(source))
    return chosen


def _is_nearer(have_C: Float64Array, more_C: Int64Array, target_C: Float64Array) -> bool:
    """Whether the chi-squared distance to the wanted counts shrinks."""
    wanted_C = np.maximum(target_C, 1e-9)
    after, before = have_C + more_C - target_C, have_C - target_C
    return bool((after**2 / wanted_C).sum() < (before**2 / wanted_C).sum())


def _table(rows: Int64Array, columns: Int64Array) -> Int64Array:
    counts = np.zeros((int(rows.max()) + 1, int(columns.max()) + 1), np.int64)
    np.add.at(counts, (rows, columns), 1)
    return counts


def _check_enough(
    n_sources_K: Int64Array, labels_N: Int64Array, classes: Sequence[str], missing: dict[int, float]
) -> None:
    for label in np.unique(labels_N):
        if n_sources_K[label] <= len(missing):
            names = " and ".join(SPLIT_NAMES[split] for split in missing)
            raise InputError(
                f"class {classes[label]!r} comes from {n_sources_K[label]} source(s) of `group_column`, too "
                f"few to carve {names} from without cutting one: at least {1 + len(missing)} are needed. "
                "Give the splits (`source.columns.split`), or set `source.columns.group_column: null`."
            )
