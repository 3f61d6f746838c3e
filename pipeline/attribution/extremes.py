"""The training images with the highest and lowest scores of each target, from blocks of scores.

A block is looked through for what exceeds the least score kept so far, which few of its targets do
once some blocks are seen; only those are sorted.

Shape legend: M targets, B training images and C targets of a block, T extremes kept, F targets of a
block that have a new extreme.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.attribution.scores import TRAIN_BLOCK, Scores, blocks
from pipeline.attribution.store.features import save_array
from pipeline.core.types import Float32Array, Int64Array
from pipeline.parallel.rank import World
from pipeline.parallel.shared_work import Piece, do_together


@dataclass(frozen=True)
class Extremes:
    """The T highest scores of each target, highest first; equal scores by row number."""

    scores: Float32Array  # M T
    rows: Int64Array  # M T, training rows


def find_extremes(
    scores: Scores, top_k: int, *, train_block: int = TRAIN_BLOCK, target_block: int | None = None
) -> tuple[Extremes, Extremes]:
    """Highest scores, and lowest scores (lowest first), of each target."""
    parts = [
        _of_targets(scores, cols, top_k, train_block)
        for cols in blocks(scores.shape[1], target_block or scores.target_block)
    ]
    return _joined(parts)


def find_extremes_resumably(
    scores: Scores, top_k: int, *, folder: Path, name: str, world: World
) -> tuple[Extremes, Extremes]:
    """The same, with the targets' blocks shared among processes and kept in `folder` over kills.

    `name` says which scores and how many extremes; the same name gives the same files.
    """
    cols = list(blocks(scores.shape[1], scores.target_block))
    paths = [folder / f"{name}_{part.start:09d}.npy" for part in cols]
    pieces = [Piece(p, partial(_save, scores, part, top_k, p)) for p, part in zip(paths, cols, strict=True)]
    do_together(pieces, world, "highest and lowest scores")
    return _joined([_unpacked(np.load(path)) for path in paths])


def _save(scores: Scores, cols: slice, top_k: int, path: Path) -> None:
    found = _of_targets(scores, cols, top_k, TRAIN_BLOCK)
    shape = (len(found), *found[0].scores.shape)
    packed = np.empty(shape, dtype=[("score", "f4"), ("row", "i8")])
    for out, extremes in zip(packed, found, strict=True):
        out["score"], out["row"] = extremes.scores, extremes.rows
    save_array(path, packed)


def _unpacked(packed: np.ndarray[Any, Any]) -> tuple[Extremes, Extremes]:
    highest, lowest = (Extremes(part["score"], part["row"]) for part in packed)
    return highest, lowest


def _joined(parts: list[tuple[Extremes, Extremes]]) -> tuple[Extremes, Extremes]:
    highest, lowest = (
        Extremes(np.concatenate([e.scores for e in side]), np.concatenate([e.rows for e in side]))
        for side in zip(*parts, strict=True)
    )
    return highest, lowest


def _of_targets(scores: Scores, cols: slice, top_k: int, train_block: int) -> tuple[Extremes, Extremes]:
    highest = lowest = no_extremes(cols.stop - cols.start)
    for rows in blocks(scores.shape[0], train_block):
        block_CB = torch.from_numpy(np.ascontiguousarray(scores.block(rows, cols).T))
        highest = keep_highest(highest, block_CB, rows.start, top_k)
        lowest = keep_highest(lowest, block_CB, rows.start, top_k, sign=-1)
    return highest, Extremes(-lowest.scores, lowest.rows)


def no_extremes(n_targets: int) -> Extremes:
    return Extremes(np.zeros((n_targets, 0), np.float32), np.zeros((n_targets, 0), np.int64))


def keep_highest(kept: Extremes, block_CB: Tensor, first_row: int, top_k: int, sign: int = 1) -> Extremes:
    """`kept` after one more block of `sign` times the scores; blocks come in the order of their rows.

    Of equal scores the earlier row wins, whatever the blocks: images may occur twice.
    """
    n_kept = kept.scores.shape[1]
    if n_kept == top_k:
        extreme_C = block_CB.amax(dim=1) if sign > 0 else -block_CB.amin(dim=1)
        # an equal score is of a later row, so it does not enter
        found_F = np.flatnonzero(extreme_C.numpy() > kept.scores[:, -1])
        if len(found_F) == 0:
            return kept
    else:
        found_F = np.arange(len(block_CB))
    block_FB = block_CB[torch.from_numpy(found_F)]  # a copy
    if sign < 0:
        block_FB.neg_()
    values, indices = highest_of_rows(block_FB, top_k)
    merged = np.concatenate([kept.scores[found_F], values], axis=1)
    rows = np.concatenate([kept.rows[found_F], indices + first_row], axis=1)
    order = np.argsort(-merged, axis=1, kind="stable")[:, :top_k]
    if n_kept < order.shape[1]:
        return Extremes(np.take_along_axis(merged, order, 1), np.take_along_axis(rows, order, 1))
    kept.scores[found_F] = np.take_along_axis(merged, order, 1)
    kept.rows[found_F] = np.take_along_axis(rows, order, 1)
    return kept


def highest_of_rows(block_FB: Tensor, top_k: int) -> tuple[Float32Array, Int64Array]:
    """The `top_k` highest entries of each row, highest first, equal ones by position.

    `torch.topk` picks any of equal entries. Where the best entry left out equals the least one kept, the
    row is sorted whole instead.
    """
    top_k = min(top_k, block_FB.shape[1])
    top = block_FB.topk(min(top_k + 1, block_FB.shape[1]), dim=1)
    values, indices = top.values[:, :top_k].numpy().copy(), top.indices[:, :top_k].numpy().copy()
    if top.values.shape[1] > top_k:
        tied = (top.values[:, top_k] == top.values[:, top_k - 1]).nonzero()[:, 0]
        order = block_FB[tied].sort(dim=1, descending=True, stable=True)
        values[tied.numpy()] = order.values[:, :top_k].numpy()
        indices[tied.numpy()] = order.indices[:, :top_k].numpy()
    by_position = np.argsort(indices, axis=1)
    values, indices = np.take_along_axis(values, by_position, 1), np.take_along_axis(indices, by_position, 1)
    by_score = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(values, by_score, 1), np.take_along_axis(indices, by_score, 1)
