"""Seconds per 1,000 featurized images: traker's CPU default against this project's featurizer.

Run: python benchmarks/attribution.py [--batches 32 64 128 256 512] [--images 64] [--sides 32 64]

ResNet-9 of 2.3 M parameters at 32 px, ten classes, 2,048 dimensions, end to end: gradients, projection
and traker's memory-mapped store. traker regenerates its projection matrix in every batch, so its best
batch size is the largest that fits into 24 GB; each size is measured on one batch (32: on `--images`).
ResNet-18 of 11 M parameters: per-sample gradients by torch.func.vmap alone, as traker takes them, against
ours end to end. Every measurement is a process of its own, warmed up on a small batch where that is not
the whole cost; peak memory is its resident set. CPU seconds are shown as well: they are what counts
where other work shares the cores. A size that would not fit into the memory that is free now is left out
and said.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from trak import TRAKer
from trak.modelout_functions import ImageClassificationModelOutput

from pipeline.attribution.estimators.traker_parts import FusedProjector, HookGradientComputer
from pipeline.attribution.gradients.featurizer import make_featurizer
from pipeline.core.memory import keep_freed_memory
from pipeline.models.registry import build_model

DIM, CLASSES, RESNET9_WIDTH = 2048, 10, 38
GREY, SPREAD = [0.5] * 3, [0.25] * 3
MOST_GIB = 24
COPIES = 5  # of a batch's gradients that vmap, flattening and casting hold at the same time
OUR_BATCH = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 64, 128, 256, 512], help="of traker")
    parser.add_argument("--images", type=int, default=64, help="of the measurement of traker at batch 32")
    parser.add_argument("--our-images", type=int, default=512, help="of the measurements of ours")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--sides", type=int, nargs="*", default=[32, 64], help="of ResNet-18")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(json.loads(args.measure), args.threads)
        return
    print(f"{args.threads} threads, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    compare_resnet9(args)
    for side in args.sides:
        compare_resnet18(args, side)


def compare_resnet9(args: argparse.Namespace) -> None:
    net = {"net": "small_resnet", "side": 32}
    print(f"ResNet-9, 32 px, {count(net):,} parameters, {DIM} dimensions, gradients + projection + store")
    ours = [
        run(
            args, {**net, "kind": "ours", "batch": batch, "images": args.our_images, "projection": projection}
        )
        for batch, projection in ((32, "auto"), (OUR_BATCH, "auto"), (OUR_BATCH, "block_sketch"))
    ]
    traker = []
    for batch in args.batches:
        images = max(batch, args.images) if batch == 32 else batch
        if fits({**net, "batch": batch}):
            traker.append(run(args, {**net, "kind": "traker", "batch": batch, "images": images}))
    for done in traker:
        for own in ours[:2]:
            compare(done, own)


def compare_resnet18(args: argparse.Namespace, side: int) -> None:
    net = {"net": "timm/resnet18", "side": side}
    print(f"ResNet-18, {side} px, {count(net):,} parameters")
    ours = run(
        args, {**net, "kind": "ours", "batch": 64, "images": min(128, args.our_images), "projection": "auto"}
    )
    if fits({**net, "batch": 16}):
        compare(run(args, {**net, "kind": "vmap", "batch": 16, "images": 32}), ours)


def run(args: argparse.Namespace, job: dict[str, object]) -> dict[str, object]:
    """One measurement in a process of its own."""
    command = [sys.executable, __file__, "--threads", str(args.threads), "--measure", json.dumps(job)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(args.threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{job} failed:\n{done.stderr}")
    found: dict[str, object] = {**job, **json.loads(done.stdout.strip().splitlines()[-1])}
    print(
        f"  {title(found):44} {found['seconds']:9.2f} s/1000  CPU {found['cpu']:9.2f} s/1000  "
        f"{found['mib']:6.0f} MiB",
        flush=True,
    )
    return found


def title(job: dict[str, object]) -> str:
    about = f" {job['about']}" if job.get("about") else ""
    return f"{job['kind']}{about}, batch {job['batch']}"


def compare(theirs: dict[str, object], ours: dict[str, object]) -> None:
    wall, cpu = (float(theirs[key]) / float(ours[key]) for key in ("seconds", "cpu"))  # type: ignore[arg-type]
    print(f"  {title(theirs)} / {title(ours)}: {wall:.0f} times by the clock, {cpu:.0f} by CPU seconds")


def fits(job: dict[str, object]) -> bool:
    """Whether vmap at this batch size stays within the limit and the memory that is free now."""
    gib = (int(job["batch"]) * COPIES + 100) * 4 * count(job) / 2**30  # 100: columns of traker's matrix
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) / 2**20
    if gib < min(MOST_GIB, free):
        return True
    print(
        f"  batch {job['batch']}: left out, needs about {gib:.0f} GiB of {free:.0f} free ({MOST_GIB} allowed)"
    )
    return False


def network(job: dict[str, object]) -> nn.Module:
    return build_model(
        str(job["net"]),
        n_classes=CLASSES,
        width=RESNET9_WIDTH,
        image_size=int(job["side"]),  # type: ignore[call-overload]
        pretrained=False,
        mean=GREY,
        std=SPREAD,
        seed=0,
    )


def count(job: dict[str, object]) -> int:
    return sum(p.numel() for p in network(job).parameters())


# --- one measurement, in its own process ---------------------------------------------------------


def measure(job: dict[str, object], threads: int) -> None:
    """Time one kind in this process and print one line of JSON."""
    torch.set_num_threads(threads)
    n = int(job["images"])  # type: ignore[call-overload]
    side = int(job["side"])  # type: ignore[call-overload]
    pixels = torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(n) % CLASSES
    model = network(job).eval()
    about = ""
    with tempfile.TemporaryDirectory() as folder:
        if job["kind"] == "ours":
            keep_freed_memory()  # as the stage does
            seconds, cpu, about = ours_seconds(job, model, pixels, labels, folder)
        elif job["kind"] == "traker":
            traker = open_traker(model, n, folder)
            seconds, cpu = featurize(traker, model, pixels, labels, int(job["batch"]))  # type: ignore[call-overload]
        else:
            seconds, cpu = vmap_seconds(model, pixels, labels, int(job["batch"]))  # type: ignore[call-overload]
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds * 1000 / n, "cpu": cpu * 1000 / n, "mib": mib, "about": about}))


def ours_seconds(
    job: dict[str, object], model: nn.Module, pixels: torch.Tensor, labels: torch.Tensor, folder: str
) -> tuple[float, float, str]:
    featurizer = make_featurizer(
        model, image_shape=pixels.shape[1:], dim=DIM, projection=job["projection"], seed=0, device="cpu"
    )  # type: ignore[arg-type]
    featurizer.features(pixels[:16], labels[:16], stream=0)
    traker = open_traker(
        model, len(pixels), folder, projector=FusedProjector(featurizer),
        gradient_computer=HookGradientComputer.using(featurizer),
    )  # fmt: skip
    traker.gradient_computer.stream = 0
    seconds, cpu = featurize(traker, model, pixels, labels, int(job["batch"]))  # type: ignore[call-overload]
    return seconds, cpu, f"{featurizer.description.kind} {featurizer.description.precision}"


def open_traker(model: nn.Module, n: int, folder: str, **parts: object) -> TRAKer:
    return TRAKer(
        model=model, task="image_classification", train_set_size=n, save_dir=folder, device="cpu",
        proj_dim=DIM, use_half_precision=False, logging_level=logging.CRITICAL, **parts,
    )  # fmt: skip


def featurize(
    traker: TRAKer, model: nn.Module, pixels: torch.Tensor, labels: torch.Tensor, batch: int
) -> tuple[float, float]:
    """Seconds by the clock and of CPU to featurize all images into the store."""
    traker.load_checkpoint(model.state_dict(), model_id=0)
    start, used = time.perf_counter(), time.process_time()
    for first in range(0, len(pixels), batch):
        rows = np.arange(first, min(first + batch, len(pixels)))
        traker.featurize((pixels[rows], labels[rows]), inds=rows)
    traker.saver.current_store["grads"].flush()
    return time.perf_counter() - start, time.process_time() - used


def vmap_seconds(
    model: nn.Module, pixels: torch.Tensor, labels: torch.Tensor, batch: int
) -> tuple[float, float]:
    """Per-sample gradients alone, as traker's default gradient computer takes them."""
    weights, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    one = torch.func.grad(ImageClassificationModelOutput.get_output, argnums=1)
    each = torch.func.vmap(one, in_dims=(None, None, None, 0, 0), randomness="different")
    with torch.no_grad():
        each(model, weights, buffers, pixels[:4], labels[:4])
        start, used = time.perf_counter(), time.process_time()
        for first in range(0, len(pixels), batch):
            each(model, weights, buffers, pixels[first : first + batch], labels[first : first + batch])
    return time.perf_counter() - start, time.process_time() - used


if __name__ == "__main__":
    main()
