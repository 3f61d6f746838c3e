"""Tasks that other processes find by name."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

from pipeline.artifacts.arrays import Arrays
from pipeline.core.errors import InputError


def draw(seed: int) -> Arrays:
    """A product whose last digits depend on the number of threads, and where it was made."""
    values = np.random.default_rng(seed).standard_normal((300, 300)).astype(np.float32)
    threads = [pool["num_threads"] for pool in threadpool_info()]
    return {"product": values @ values, "threads": np.array(threads), "pid": np.array(os.getpid())}


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
