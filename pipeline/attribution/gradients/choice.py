"""Which projection and which precision, where the settings leave it open."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

import torch

from pipeline.attribution.gradients.plan import Plan
from pipeline.attribution.gradients.sketching import kept_inputs

LEAST_SAVING = 0.25  # of the numbers in a per-sample gradient that factors must make unnecessary
LEAST_GAIN = 1.1  # times faster that half precision must be
ROUNDS = 2
_log = logging.getLogger(__name__)


def choose_projection(plan: Plan, dim: int) -> str:
    """`factorized` where wide layers make the per-sample gradient large, else `block_sketch`.

    A rule on the architecture and not a timing, so that a resumed run decides as before. Both the
    products that make a layer's gradient and the pass that sketches it grow with the gradient's size.
    """
    left = sum(
        shape[0] * kept_inputs(shape[1:].numel(), dim) if name in plan.matrices else shape.numel()
        for name, shape in plan.shapes.items()
    )
    kind = "factorized" if left <= (1 - LEAST_SAVING) * plan.n_parameters else "block_sketch"
    _log.info(
        "attribution: projection %s (factors leave %d of %d numbers per image)", kind, left, plan.n_parameters
    )
    return kind


def choose_precision(candidates: Mapping[str, Callable[[], object]], plan: Plan, device: str) -> str:
    """The faster of `fp32` and `bf16` on one small batch; float32 where bfloat16 hardly gains.

    Gradients by torch.func stay in float32: BatchNorm under vmap knows no autocast.
    """
    if plan.by_vmap or not _has_bfloat16(device):
        return "fp32"
    seconds = {name: float("inf") for name in candidates}
    for go in candidates.values():
        go()  # kernels are made at the first call
    for _ in range(ROUNDS):
        for name, go in candidates.items():
            seconds[name] = min(seconds[name], _seconds(go, device))
    chosen = "bf16" if seconds["bf16"] * LEAST_GAIN < seconds["fp32"] else "fp32"
    _log.info(
        "attribution: precision %s (a small batch takes %.3f s in fp32, %.3f s in bf16)",
        chosen, seconds["fp32"], seconds["bf16"],
    )  # fmt: skip
    return chosen


def _has_bfloat16(device: str) -> bool:
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())  # no public query exists


def _seconds(go: Callable[[], object], device: str) -> float:
    """By the clock on a GPU; of CPU elsewhere, which does not see who else uses the cores."""
    on_gpu = device.startswith("cuda")
    clock = time.perf_counter if on_gpu else time.process_time
    start = clock()
    go()
    if on_gpu:
        torch.cuda.synchronize()
    return clock() - start
