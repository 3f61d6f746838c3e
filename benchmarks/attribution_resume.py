"""A whole attribution that is killed with SIGKILL on the way and started again: time, memory, same bits.

Run: python benchmarks/attribution_resume.py [--n 50000] [--m 10000] [--checkpoints 3] [--kill-after 600]

The size of CIFAR-100 and small_resnet by default. Pixels, labels and weights are random unless --dataset
names a packed data set: no time depends on what the pixels show. With --verify the work is done once more
without a kill and compared bit by bit.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from pipeline.artifacts.datasets import load_split
from pipeline.artifacts.paths import data_folders
from pipeline.attribution.estimators.trak import TrakStore
from pipeline.attribution.selection import Examples, select
from pipeline.attribution.streaming import mean_weights, summarize
from pipeline.models.registry import build_model
from pipeline.settings.attribution import AttributeSettings

GROUPS = 40
KILOBYTE = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=50_000)
    parser.add_argument("--m", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--checkpoints", type=int, default=3)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--dataset", help="name of a packed data set instead of random images")
    parser.add_argument("--dim", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kill-after", type=float, default=600, help="seconds")
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("--worker", nargs=2, type=Path, help="folder and result: what the others start")
    args = parser.parse_args()
    if args.worker:
        work(args, *args.worker)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before = run_worker(folder / "killed", folder / "killed.npz", seconds=args.kill_after)
        after = run_worker(folder / "killed", folder / "killed.npz")
        print(
            f"killed after {before:.0f} s, finished in {after:.0f} s more: {before + after:.0f} s", flush=True
        )
        if args.verify:
            print(f"without a kill {run_worker(folder / 'whole', folder / 'whole.npz'):.0f} s")
            killed, whole = np.load(folder / "killed.npz"), np.load(folder / "whole.npz")
            for key in whole:
                np.testing.assert_array_equal(killed[key], whole[key])
            print("the same bits")


def run_worker(folder: Path, result: Path, seconds: float | None = None) -> float:
    """Start a worker and kill it after `seconds`, if given; the seconds it ran."""
    folder.mkdir(exist_ok=True)
    started = time.perf_counter()
    worker = subprocess.Popen([sys.executable, *sys.argv, "--worker", str(folder), str(result)])
    try:
        code = worker.wait(seconds)
    except subprocess.TimeoutExpired:
        os.kill(worker.pid, signal.SIGKILL)
        code = 0 if worker.wait() == -signal.SIGKILL else 1
    if code:
        raise SystemExit(f"the worker failed with status {code}")
    return time.perf_counter() - started


def work(args: argparse.Namespace, folder: Path, result: Path) -> None:
    torch.set_num_threads(args.threads)
    train, targets = images(args, "train", args.n, 0), images(args, "test", args.m, 1)
    networks = [
        build_model(
            "small_resnet", n_classes=args.classes, width=args.width, pretrained=False,
            mean=[0.5] * 3, std=[0.25] * 3, seed=seed,
        )
        for seed in range(args.checkpoints)
    ]  # fmt: skip
    store = TrakStore(
        [networks],
        train=train,
        targets=targets,
        settings=AttributeSettings(
            estimator="trak", proj_dim=args.dim if args.dim == "auto" else int(args.dim), projection="auto",
            precision="auto", ridge=1.0, loss_weighting=True, store="fp16", max_train=None,
            targets_per_group=None, targets_listed=200, top_k=8, max_models=None, batch_size=64, seed=0,
        ),
        work_dir=folder,
        device="cpu",
    )  # fmt: skip
    with_clock("features", store.compute)
    scores = with_clock("ridge", store.scores)
    summary = with_clock(
        "summary",
        lambda: summarize(
            scores,
            train_weights_NI=mean_weights(train.groups, GROUPS),
            target_weights_MJ=mean_weights(targets.groups, GROUPS),
            top_k=8,
            scratch=store.scratch(8),
        ),
    )
    print(f"  {store.projection.kind}, {store.dim} dimensions, {store.projection.gradients}", flush=True)
    np.savez(
        result,
        helpful=summary.helpful.rows,
        harmful=summary.harmful.scores,
        train_means=summary.train_means,
        target_means=summary.target_means,
    )


def with_clock(label, call):  # type: ignore[no-untyped-def]
    started = time.perf_counter()
    made = call()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE / 1e9
    print(f"  {label:10s} {time.perf_counter() - started:8.1f} s   peak so far {peak:.2f} GB", flush=True)
    return made


def images(args: argparse.Namespace, split: str, n: int, seed: int) -> Examples:
    if args.dataset:
        packed = load_split(data_folders(args.dataset), split)
        return select(packed, np.arange(min(n, len(packed))))
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (n, args.size, args.size, 3), dtype=np.uint8)
    labels, groups = rng.integers(0, args.classes, n), rng.integers(0, GROUPS, n)
    return Examples(pixels, np.arange(n), labels, groups, np.arange(n))


if __name__ == "__main__":
    main()
