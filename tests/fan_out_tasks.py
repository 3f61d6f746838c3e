"""Tasks that other processes find by name."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from pipeline.artifacts.fan_out_task import Arrays
from pipeline.core.errors import InputError


def draw(seed: int) -> Arrays:
    """Sums that depend on the number of threads, and where they were made."""
    import torch  # the other tasks do not wait for it

    values = torch.randn(300, 300, generator=torch.Generator().manual_seed(seed))
    return {
        "product": (values @ values).numpy(),
        "threads": np.array([torch.get_num_threads(), int(os.environ["OMP_NUM_THREADS"])]),
        "pid": np.array(os.getpid()),
    }


def note_and_wait(folder: Path, name: str, seconds: float) -> Arrays:
    """Leave this process's id, then take a while."""
    with (folder / f"{name}.pids").open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(seconds)
    return {"value": np.array(float(len(name)))}


def fail(kind: str) -> Arrays:
    """Fail in one of three ways."""
    if kind == "input":
        raise InputError("there are no cats: collect some.")
    if kind == "bug":
        raise ZeroDivisionError("of what")
    os.kill(os.getpid(), 9)
    return {}
