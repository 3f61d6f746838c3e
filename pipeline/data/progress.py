"""Progress of long loops: a tqdm bar on a terminal, one log line every few seconds elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType

from tqdm import tqdm

_log = logging.getLogger(__name__)
SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Count `unit`s done out of `total` (None where it is not known), from `start` on."""

    def __init__(self, label: str, *, total: int | None, unit: str, start: int = 0) -> None:
        self.label, self.total, self.unit, self.done = label, total, unit, start
        self._last_line = time.monotonic()
        is_bytes = unit == "B"
        self._bar = (
            tqdm(desc=label, total=total, initial=start, unit=unit, unit_scale=is_bytes, leave=False)
            if sys.stderr.isatty()
            else None
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, n: int) -> None:
        """Report `n` more units done."""
        self.done += n
        if self._bar is not None:
            self._bar.update(n)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            _log.info("%s: %s", self.label, self._state())

    def _state(self) -> str:
        scale, unit = (1e6, "MB") if self.unit == "B" else (1.0, self.unit)
        done = f"{self.done / scale:,.0f}"
        if not self.total:
            return f"{done} {unit}"
        return f"{done} of {self.total / scale:,.0f} {unit} ({100 * self.done / self.total:.0f} %)"
