"""Small networks trained side by side, in processes with one thread each.

Threads gain little on small networks; a process per core gains what cores there are. The processes train
into the checkpoints that the method then goes on from, so a method knows nothing of them: it finds its
networks trained. One thread everywhere also makes results the same on machines with few and many cores.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from pipeline.core.memory import available_cores
from pipeline.models.hardware import choose_device
from pipeline.parallel.rank import current_world
from pipeline.settings.train import TrainSettings

FEW_PARAMETERS = 200_000  # one thread was as fast as two for 103,434 (32 px, batches of 64)


def n_workers(settings: TrainSettings, n_parameters: int) -> int:
    """Processes to train in; 1 = one network at a time, here, with all threads."""
    if choose_device(settings.device).type != "cpu" or current_world().size > 1:
        return 1
    if settings.workers is not None:
        return settings.workers
    return max(2, available_cores()) if n_parameters <= FEW_PARAMETERS else 1


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """What is computed from networks here adds up in the same order as in the processes that trained them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
