"""Progress of long loops: a bar on a terminal, a log line every few seconds elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
LOG_SECONDS = 5.0
logger = logging.getLogger(__name__)


def track(items: Sequence[T], label: str) -> Iterator[T]:
    """Yield `items` and report how far the loop is."""
    if sys.stderr.isatty():
        yield from tqdm(items, desc=label, leave=False)
        return
    started = reported = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - reported >= LOG_SECONDS:
            remaining = (now - started) / max(done, 1) * (len(items) - done)
            logger.info("%s: %d of %d batches, about %.0f s left", label, done, len(items), remaining)
            reported = now
        yield item
