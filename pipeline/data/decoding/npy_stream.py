"""Append blocks to a `.npy` file whose length is known only at the end.

A memory map would count every written page as this process's memory until the kernel takes it
back; plain appends keep the peak at one block.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np

from pipeline.core.types import UInt8Array


class NpyAppender:
    """Context manager: `append` blocks of shape (n, *shape); the header is completed on exit."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.n_rows = 0
        self._file = path.open("wb")
        self._write_header()
        self._body = self._file.tell()

    def __enter__(self) -> NpyAppender:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file:
            if error is None:
                self._file.seek(0)
                self._write_header()
                if self._file.tell() != self._body:
                    raise RuntimeError("the .npy header changed its length")

    def append(self, block: UInt8Array) -> None:
        """Write `block`, n x shape."""
        self._file.write(np.ascontiguousarray(block).data)
        self.n_rows += len(block)

    def _write_header(self) -> None:
        # NumPy pads the header so that the first axis may grow to any int64: same length later.
        header = {"descr": "|u1", "fortran_order": False, "shape": (self.n_rows, *self.shape)}
        np.lib.format.write_array_header_1_0(self._file, header)
