"""Block sketch against traker's dense projection on a CPU: time and inner-product error.

Run: python benchmarks/projector.py [--parameters 412954] [--dimensions 2048] [--batch 8]

Both project the same batch in the same process, alternating, and the ratio of the best times is
printed. The error is the rms of <Sx, Sy> - <x, y> over pairs of unit vectors.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from trak.projectors import BasicProjector, ProjectionType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from pipeline.attribution.gradients.projector import BlockSketch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", type=int, default=412_954, help="of small_resnet, width 16")
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    dense = BasicProjector(
        grad_dim=args.parameters,
        proj_dim=args.dimensions,
        seed=0,
        proj_type=ProjectionType.normal,
        device=torch.device("cpu"),
    )
    sketch = BlockSketch(n_in=args.parameters, n_out=args.dimensions, seed=0)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(args.batch, args.parameters, generator=generator)
    x /= x.norm(dim=1, keepdim=True)
    sketch.project(x)  # draws signs once, as in use
    times: dict[str, list[float]] = {"dense": [], "sketch": []}
    for _ in range(args.rounds):
        dense_out = timed(lambda: dense.project(x, model_id=0), times["dense"])
        sketch_out = timed(lambda: sketch.project(x), times["sketch"])
    threads = torch.get_num_threads()
    dense_s, sketch_s = min(times["dense"]), min(times["sketch"])
    print(f"P = {args.parameters:,}, k = {args.dimensions:,}, batch {args.batch}, {threads} threads")
    print(
        f"traker BasicProjector  {dense_s:9.4f} s/batch  rms {rms(dense_out / args.dimensions**0.5, x):.4f}"
    )
    print(f"block sketch           {sketch_s:9.4f} s/batch  rms {rms(sketch_out, x):.4f}")
    print(f"ratio                  {dense_s / sketch_s:9.0f} x")


def timed(call: Callable[[], Tensor], seconds: list[float]) -> Tensor:
    started = time.perf_counter()
    result = call()
    seconds.append(time.perf_counter() - started)
    return result


def rms(sketch: Tensor, x: Tensor) -> float:
    pairs = torch.triu_indices(len(x), len(x), offset=1)
    errors = (sketch @ sketch.T - x @ x.T)[pairs[0], pairs[1]]
    return float(errors.square().mean().sqrt())


if __name__ == "__main__":
    main()
