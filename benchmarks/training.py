"""Images per second: this project's training loop against the plain torchvision recipe, and two processes.

Run: python benchmarks/training.py [--side 32] [--width 32] [--batch 256] [--steps 16] [--rounds 3]

The plain recipe is the one of tutorials: images in memory, a DataLoader with one worker for each core,
PIL transforms (RandomCrop, RandomHorizontalFlip, ToTensor, Normalize), fp32, SGD. Same network, batch
size and machine; every measurement is a process of its own, kinds take turns, and the best round of
each counts. The first steps (compilation of kernels, start of workers) are not timed. Peak memory is
the resident set of the largest process times the number of processes (main and workers).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from pipeline.core.memory import keep_freed_memory
from pipeline.core.types import Split
from pipeline.models.interface import Classifier
from pipeline.models.registry import build_model
from pipeline.parallel.rank import joined_processes
from pipeline.settings.train import TrainSettings
from pipeline.train.groups import Groups
from pipeline.train.loop import Job, train_seed
from pipeline.train.plans import plain_plan

CLASSES, WARM_UP_STEPS = 100, 3
GREY, SPREAD = [0.5] * 3, [0.25] * 3
KINDS = {
    "plain": "torchvision recipe, fp32",
    "fp32": "this loop, fp32",
    "bf16": "this loop, bf16",
    "compile": "this loop, bf16, torch.compile",
    "two": "this loop, bf16, 2 processes with 1 thread each",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--width", type=int, default=32, help="of small_resnet; 32 has 1.7 M parameters")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=16, help="timed ones")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["plain", "fp32", "bf16", "two"])
    parser.add_argument("--measure", choices=KINDS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args)
        return
    results: dict[str, list[dict[str, float]]] = {kind: [] for kind in args.kinds}
    for _ in range(args.rounds):
        for kind in args.kinds:
            results[kind].append(run_process(kind))
    report(args, results)


def run_process(kind: str) -> dict[str, float]:
    """One measurement in a fresh process, or in two that torchrun starts."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    command = [sys.executable]
    if kind == "two":
        environment["OMP_NUM_THREADS"] = "1"
        command += ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command += [__file__, *sys.argv[1:], "--measure", kind]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{kind} failed:\n{done.stderr}")
    line: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return line


def report(args: argparse.Namespace, results: dict[str, list[dict[str, float]]]) -> None:
    n_parameters = sum(p.numel() for p in network(args).parameters())
    print(
        f"{args.side} px, {n_parameters:,} parameters, batch {args.batch}, {os.cpu_count()} cores, "
        f"best of {args.rounds} rounds of {args.steps} steps, load {os.getloadavg()[0]:.1f}"
    )
    best = {kind: max(runs, key=lambda run: run["rate"]) for kind, runs in results.items()}
    for kind, run in best.items():
        ratios = [
            f"{run['rate'] / best[base]['rate']:5.2f} x {base}" for base in ("plain", "bf16") if base in best
        ]
        print(f"{KINDS[kind]:48} {run['rate']:7.0f} images/s {run['mib']:6.0f} MiB  {'  '.join(ratios)}")


def measure(args: argparse.Namespace) -> None:
    """Time one kind in this process and print one line of JSON."""
    if args.measure == "plain":
        rate = plain_rate(args)
    else:
        keep_freed_memory()  # as the stage does
        with joined_processes(torch.device("cpu")) as world:
            rate = loop_rate(args)
            if not world.is_first:
                return
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss if args.measure == "plain" else 0
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    n_workers = os.cpu_count() or 1
    n_processes = 2 if args.measure == "two" else 1
    print(json.dumps({"rate": rate, "mib": (own * n_processes + workers * n_workers) / 1024}))


def network(args: argparse.Namespace) -> Classifier:
    return build_model(
        "small_resnet", n_classes=CLASSES, width=args.width, pretrained=False, mean=GREY, std=SPREAD, seed=0
    )


def images(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    n = args.batch * (WARM_UP_STEPS + args.steps)
    pixels = rng.integers(0, 256, (n, args.side, args.side, 3), dtype=np.uint8)
    return pixels, rng.integers(0, CLASSES, n)


# --- this project's loop -------------------------------------------------------------------------


def loop_rate(args: argparse.Namespace) -> float:
    pixels, labels = images(args)
    train, val = split(pixels, labels), split(pixels[:2], labels[:2])
    settings = TrainSettings(
        model="small_resnet", width=args.width, stem_stride=1, pretrained=False, seeds=[0], epochs=1,
        batch_size=args.batch, optimizer="sgd", lr=1e-3, momentum=0.9, weight_decay=5e-4,
        schedule="one_cycle", augment="flip_crop", label_smoothing=0.0, device="auto",
        precision="fp32" if args.measure == "fp32" else "bf16", compile=args.measure == "compile",
        checkpoint_seconds=30,
    )  # fmt: skip
    groups = Groups(train.groups, val.groups, [str(g) for g in range(CLASSES)])
    plan = plain_plan(groups, "last")
    clock = Clock(args.batch)
    train_seed(
        network(args), train, val, Job(settings, plan, 0, CLASSES),
        resume=None, save=lambda state: None, tick=lambda n: clock.tick(),
    )  # fmt: skip
    return clock.rate()


def split(pixels: np.ndarray, labels: np.ndarray) -> Split:
    ids = np.arange(len(pixels))
    return Split(
        name="train", images=pixels, labels=labels, attributes=np.zeros_like(ids), groups=labels, ids=ids,
        files=ids.astype(str),
    )  # fmt: skip


class Clock:
    """Images per second of the steps after the warm-up."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.times: list[float] = []

    def tick(self) -> None:
        self.times.append(time.perf_counter())

    def rate(self) -> float:
        timed = self.times[WARM_UP_STEPS - 1 :]
        return self.batch_size * (len(timed) - 1) / (timed[-1] - timed[0])


# --- the plain recipe ----------------------------------------------------------------------------


class InMemory(Dataset[tuple[torch.Tensor, int]]):
    """Like torchvision's CIFAR classes: an array of pixels, one PIL image at a time."""

    def __init__(self, pixels: np.ndarray, labels: np.ndarray, side: int) -> None:
        self.pixels, self.labels = pixels, labels
        self.transform = transforms.Compose(
            [
                transforms.ToPILImage(),
                transforms.RandomCrop(side, padding=side // 8, padding_mode="reflect"),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(GREY, SPREAD),
            ]
        )

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.pixels[i]), int(self.labels[i])


def plain_rate(args: argparse.Namespace) -> float:
    data = InMemory(*images(args), args.side)
    loader = DataLoader(
        data, batch_size=args.batch, shuffle=True, num_workers=os.cpu_count() or 1, drop_last=True
    )
    model = network(args)
    model.mean.zero_()  # the loader normalizes
    model.std.fill_(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4, nesterov=True)
    criterion = nn.CrossEntropyLoss()
    clock = Clock(args.batch)
    model.train()
    for pixels, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(pixels), labels)
        loss.backward()
        optimizer.step()
        clock.tick()
    return clock.rate()


if __name__ == "__main__":
    main()
