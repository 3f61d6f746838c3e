"""Scores of 1,000,000 training images on 10,000 targets from features on disk: time, memory, and truth.

Run: python benchmarks/scoring.py [--n 1000000] [--m 10000] [--k 512] [--threads 2]

Features are drawn at random (low rank plus noise), written as the attribution store writes them, and
summarized as the attribute stage does: the highest and lowest scores of each target, means over groups,
and sums over 200 random subsets. The matrix of 40 GB never exists. The scores of some targets are then
made whole in float64, and their highest and lowest compared.

Shape legend: N training images, M targets, B images of a block, K dimensions, T extremes kept.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from pipeline.attribution.scores import Factor, FactoredScores, blocks
from pipeline.attribution.store.features import STORE_ROWS, FeatureRows, save_array
from pipeline.attribution.store.preconditioning import Preconditioned
from pipeline.attribution.streaming import Scratch, mean_weights, summarize
from pipeline.core.types import Float64Array
from pipeline.parallel.rank import World
from pipeline.parallel.shared_work import do_together

RANK, GROUPS, SUBSETS, CHECKED = 32, 8, 200, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--m", type=int, default=10_000)
    parser.add_argument("--k", type=int, default=512)
    parser.add_argument("--top-k", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--folder", type=Path, help="kept, and gone on with after a kill; else a temporary one"
    )
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.folder is not None:
        args.folder.mkdir(parents=True, exist_ok=True)
        run(args.folder, args)
        return
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), args)


def run(folder: Path, args: argparse.Namespace) -> None:
    print(f"{args.n:,} x {args.m:,}, k = {args.k}, top {args.top_k}, {args.threads} threads")
    train = FeatureRows(folder, "train_00", args.n, args.k, "fp16")
    targets = FeatureRows(folder, "targets_00", args.m, args.k, "fp16")
    with timed("features written"):
        for number, rows in enumerate((train, targets)):
            draw(rows, number)
    with timed("ridge solved"):
        solved = Preconditioned(train, targets, folder, "00", 1.0, "cpu")
        do_together([solved.factor_piece()], World(), "factor")
        do_together(list(solved.solved_pieces()), World(), "targets")
    weights_N = train.one_minus_p().astype(np.float64)
    scores = FactoredScores([Factor(train.features, solved.targets)], weights_N, n_targets=args.m, dim=args.k)
    rng = np.random.default_rng(9)
    with timed("extremes and group means"):
        summary = summarize(
            scores,
            train_weights_NI=mean_weights(rng.integers(0, GROUPS, args.n), GROUPS),
            target_weights_MJ=mean_weights(rng.integers(0, GROUPS, args.m), GROUPS),
            top_k=args.top_k,
            scratch=Scratch(folder, "extremes", World()),
        )
    with timed(f"sums over {SUBSETS} subsets"):
        subsets_NI = rng.integers(0, 2, (args.n, SUBSETS), dtype=np.uint8).view(np.bool_)
        predicted_IM = scores.train_sums(subsets_NI)
    cols = np.sort(rng.choice(args.m, min(CHECKED, args.m), replace=False))
    with timed(f"{len(cols)} targets made whole"):
        dense = whole_scores(scores, cols)
    for name, found, sign in (("highest", summary.helpful, 1), ("lowest", summary.harmful, -1)):
        check_extremes(name, found.rows[cols], found.scores[cols], sign * dense, sign)
    expected_IC = sum(
        subsets_NI[part].T.astype(np.float64) @ dense[part] for part in blocks(args.n, STORE_ROWS)
    )
    np.testing.assert_allclose(
        predicted_IM[:, cols], expected_IC, rtol=1e-6, atol=1e-6 * abs(expected_IC).max()
    )
    print("sums over subsets equal those of the whole columns")
    print(f"peak resident memory of the whole run {peak_gb():.2f} GB")


class timed:  # noqa: N801  # reads as a statement
    """Print what a block took and the memory peak so far."""

    def __init__(self, label: str) -> None:
        self.label = label

    def __enter__(self) -> None:
        self.started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self.started
        print(f"{self.label:28s} {seconds:8.1f} s   peak so far {peak_gb():.2f} GB", flush=True)


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def draw(rows: FeatureRows, number: int) -> None:
    """Write features like gradients: few strong directions, norms over two decades, and 1 - p."""
    mixing = np.random.default_rng(1).normal(size=(RANK, rows.dim)).astype(np.float32)
    for part in blocks(rows.n, STORE_ROWS):
        if rows.path(part.start).exists():
            continue
        rng = np.random.default_rng([2, number, part.start])
        size = part.stop - part.start
        features = rng.standard_normal((size, RANK), dtype=np.float32) @ mixing
        features += rng.standard_normal((size, rows.dim), dtype=np.float32)
        features *= 10 ** rng.uniform(-4, -2, (size, 1)).astype(np.float32)
        packed = rows.empty(size)
        rows.pack(torch.from_numpy(features), torch.from_numpy(rng.random(size, dtype=np.float32)), packed)
        save_array(rows.path(part.start), packed)


def whole_scores(scores: FactoredScores, cols: np.ndarray) -> Float64Array:
    """All scores of the given targets, N x len(cols), in float64 from the stored features."""
    factor = scores.factors[0]
    every = np.concatenate([factor.targets(part) for part in blocks(scores.n_targets, STORE_ROWS)])
    chosen = every[cols].astype(np.float64)
    whole_NC = np.empty((scores.shape[0], len(cols)))
    for part in blocks(scores.shape[0], STORE_ROWS):
        whole_NC[part] = factor.train(part).astype(np.float64) @ chosen.T * scores.weights_N[part, None]
    return whole_NC


def check_extremes(
    name: str, rows_CT: np.ndarray, scores_CT: np.ndarray, dense_NC: Float64Array, sign: int
) -> None:
    """Fail where rows are not the extreme ones, apart from scores that float32 cannot tell apart."""
    same = 0
    for rows, scores, column in zip(rows_CT, scores_CT, dense_NC.T, strict=True):
        right = np.argsort(-column, kind="stable")[: len(rows)]
        same += int((rows == right).sum())
        np.testing.assert_allclose(column[rows], column[right], rtol=1e-5)
        np.testing.assert_allclose(sign * scores, column[right], rtol=1e-4)
    print(f"{name}: {same} of {rows_CT.size} rows are those of the whole columns, in order")


if __name__ == "__main__":
    main()
