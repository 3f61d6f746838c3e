"""Which dimension, projection and precision, where the settings leave it open."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

import torch

from pipeline.attribution.gradients.plan import Plan
from pipeline.attribution.gradients.sketching import kept_inputs
from pipeline.core.errors import InputError

LEAST_DIM, MOST_DIM = 512, 4096
EXACT_ABOVE = 128  # smallest dimension offered: traker breaks at 100 and below
LEAST_SAVING = 0.25  # of the numbers in a per-sample gradient that factors must make unnecessary
LEAST_GAIN = 1.1  # times faster that half precision must be
ROUNDS = 2
FEWEST_TIMED = 500_000  # parameters
_log = logging.getLogger(__name__)


def choose_dim(n_train: int, n_parameters: int) -> int:
    """The power of two at or above half the number of training images, from 512 to 4,096.

    More dimensions keep more of the kernel between images, and with a ridge of the order of the mean
    squared feature norm they do not overfit; beyond the rank of the kernel, which the number of images
    limits, they only cost. A sketch into as many dimensions as there are parameters is exact, so a small
    network gets no more than that.
    """
    half = -(-n_train // 2)
    power_of_two = 1 << max(0, half - 1).bit_length()
    return min(max(LEAST_DIM, min(MOST_DIM, power_of_two)), max(EXACT_ABOVE, n_parameters))


def check_sizes(*, n_train: int, dim: int, ridge: float, name: str = "attribute.ridge") -> None:
    """Refuse sizes at which the scores would be meaningless. `name` is the ridge's in params.yaml.

    Raises:
        InputError: dim <= 100, or more projected dimensions than images without a ridge.
    """
    if dim <= 100:
        raise InputError(
            f"attribute.proj_dim = {dim}: at most 100 dimensions do not keep inner products "
            "of gradients. Use 512 or more, or auto."
        )
    if ridge == 0 and dim > n_train:
        raise InputError(
            f"attribute.proj_dim = {dim} exceeds the {n_train} training images while "
            f"{name} = 0: the scores would be arbitrary. Set {name} above 0 (1.0 serves) "
            f"or attribute.proj_dim to {n_train // 2} or less."
        )


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

    Gradients by torch.func stay in float32: BatchNorm under vmap knows no autocast. So do those of small
    networks, which gain little: nothing is timed, and the choice is the same in every run.
    """
    if plan.by_vmap or plan.n_parameters < FEWEST_TIMED or not _has_bfloat16(device):
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
