"""From what a cue reads to inputs of a classifier; made without labels.

Shape legend: N images, F numbers, D inputs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.types import Float32Array
from pipeline.cues.cue import Strings, Values

LEVELS = 8  # of a number that may tell by any order
MOST_WORDS = 24  # of a column; rarer ones are one
LEAST_IMAGES = 5  # with a word
_UNKNOWN = "\0none"


@dataclass(frozen=True)
class Encoder:
    """Columns of inputs that training images decide: scales, levels and frequent words."""

    mean_F: Float32Array
    scale_F: Float32Array
    edges: list[Float32Array]  # of each number's levels; empty: not cut
    words: dict[str, list[str]]

    @classmethod
    def fit(cls, values: Values) -> Encoder:
        numbers_NF = values.numbers
        known = np.where(np.isfinite(numbers_NF), numbers_NF, np.nan)
        n_known = np.isfinite(numbers_NF).sum(axis=0)
        mean_F = np.nansum(known, axis=0) / np.maximum(n_known, 1)
        variance_F = np.nansum((known - mean_F) ** 2, axis=0) / np.maximum(n_known, 1)
        # a constant that float rounding shakes is no number to go by
        scale_F = np.where(variance_F > 1e-12 * (1 + mean_F**2), np.sqrt(variance_F), np.inf)
        edges = [_edges(column) for column in numbers_NF.T] if values.is_stepped else []
        words = {name: _frequent(column) for name, column in values.words.items()}
        return cls(mean_F.astype(np.float32), scale_F.astype(np.float32), edges, words)

    def inputs(self, values: Values) -> Float32Array:
        """N x D: scaled numbers, then levels and words as 0 and 1."""
        scaled_NF = np.nan_to_num((values.numbers - self.mean_F) / self.scale_F, posinf=0.0, neginf=0.0)
        parts: list[Any] = [scaled_NF]
        for column, edges in zip(values.numbers.T, self.edges, strict=bool(self.edges)):
            level_N = np.where(
                np.isfinite(column), np.searchsorted(edges, column, side="right"), len(edges) + 1
            )
            parts.append(level_N[:, None] == np.arange(len(edges) + 2))
        for name, known in self.words.items():
            column = values.words.get(name, [None] * len(values.numbers))
            seen = np.array([_UNKNOWN if word is None else str(word) for word in column], object)
            parts += [(seen == word)[:, None] for word in known]
        return np.concatenate(parts, axis=1).astype(np.float32)


def _edges(column: Float32Array) -> Float32Array:
    """Between values that occur, near the quantiles; few values are all told apart."""
    found = column[np.isfinite(column)]
    values = np.unique(found)
    if len(values) < 2:
        return np.empty(0, np.float32)
    if len(values) > LEVELS:
        wanted = np.quantile(found, np.arange(1, LEVELS) / LEVELS)
        values = np.unique(np.concatenate([[values[0]], values[np.searchsorted(values, wanted)]]))
    return ((values[:-1].astype(np.float64) + values[1:]) / 2).astype(np.float32)


def _frequent(column: Strings) -> list[str]:
    counts = Counter(_UNKNOWN if word is None else str(word) for word in column)
    return [word for word, n in counts.most_common(MOST_WORDS) if n >= LEAST_IMAGES]
