"""Several processes that train one network together, as torchrun starts them.

Every process draws the same batch, computes its part of it, and takes the same step: weights, group
weights, counts and history are the same everywhere, so that any of them could write them. One does.

BatchNorm is the exception to "equal to one process": on CUDA its statistics are those of the whole
batch (SyncBatchNorm), on a CPU those of each process's part, and the running ones are the first
process's. Masks of dropout and stochastic depth are drawn by each process.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.core.errors import InputError


@dataclass(frozen=True)
class World:
    """This process's place among those that were started together, counted from 0."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def part(self, n: int) -> range:
        """This process's places among `n`; the parts are contiguous and differ by one at most."""
        return range(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def check_batch_size(self, batch_size: int) -> None:
        """Refuse batches of which a process would get less than two images.

        Raises:
            InputError: with the least size.
        """
        if batch_size < 2 * self.size:
            raise InputError(
                f"train.batch_size = {batch_size} is less than two images for each of {self.size} processes: "
                f"use {2 * self.size} or more, or fewer processes (torchrun --nproc_per_node)."
            )

    def total(self, values: Tensor) -> Tensor:
        """The sum of a tensor over the processes, without gradient; the argument is not changed."""
        if self.size == 1:
            return values
        sums = values.detach().clone()
        dist.all_reduce(sums)
        return sums

    def gather(self, values: Tensor, n: int) -> Tensor:
        """The `n` values of which every process holds its `part`."""
        if self.size == 1:
            return values
        whole = values.new_zeros((n, *values.shape[1:]))
        whole[self.part(n).start : self.part(n).stop] = values
        dist.all_reduce(whole)
        return whole

    def share(self, value: Any) -> Any:
        """The first process's value, in every process."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def share_buffers(self, model: nn.Module) -> None:
        """Give every process the first one's buffers, such as the running statistics of BatchNorm."""
        if self.size > 1:
            for buffer in model.buffers():
                dist.broadcast(buffer, src=0)

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The network to call in training: its gradients become the mean over the processes."""
        if self.size == 1:
            return model
        if device.type == "cuda":
            synchronize_batch_norm(model)
        devices = [torch.cuda.current_device()] if device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=devices, gradient_as_bucket_view=True)


def synchronize_batch_norm(model: nn.Module) -> None:
    """Let BatchNorm use the statistics of the whole batch, in place: the layers sit in containers.

    Torch makes new layers of its own kind: of timm's, which have an activation inside, only timm knows how.
    """
    timm = sys.modules.get("timm.layers")  # not loaded: none of its layers is here
    convert = nn.SyncBatchNorm.convert_sync_batchnorm if timm is None else timm.convert_sync_batchnorm
    convert(model)


def current_world() -> World:
    """The processes that were joined by `joined_processes`, or this one alone."""
    if not dist.is_initialized():
        return World()
    return World(dist.get_rank(), dist.get_world_size())


def started_world() -> World:
    """The processes that torchrun started (RANK, WORLD_SIZE), joined or not; this one alone without it.

    Enough where files are shared and no tensors are: `shared_work`.
    """
    return World(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


@contextlib.contextmanager
def joined_processes(device: torch.device) -> Iterator[World]:
    """Join the processes that torchrun started; without torchrun there is one, and nothing to join.

    Args:
        device: what all train on; of several GPUs each process gets its own.

    Raises:
        InputError: more processes on this machine than GPUs, where they train on GPUs.
    """
    if started_world().size == 1:
        yield World()
        return
    if device.type == "cuda":
        local, n_gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= n_gpus:
            raise InputError(
                f"torchrun started {local + 1} or more processes here, but there are {n_gpus} GPUs: "
                "lower --nproc_per_node, or set train.device: cpu."
            )
        torch.cuda.set_device(local)
    dist.init_process_group(None if device.type == "cuda" else "gloo")
    try:
        yield current_world()
    finally:
        dist.destroy_process_group()
