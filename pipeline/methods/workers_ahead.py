"""Begin to load what processes that train load, long before there is work for them."""

from __future__ import annotations

from pipeline.methods.registry import find_method, method_names
from pipeline.parallel.local_processes import begin_workers

_LOADED = "pipeline.methods.workers"  # by name: it loads torch


def begin_training_workers(method: str) -> None:
    """For programs. Does nothing for what trains in its own process alone, or is brought and not trained."""
    if method in method_names() and find_method(method).is_side_by_side:
        begin_workers(_LOADED)
