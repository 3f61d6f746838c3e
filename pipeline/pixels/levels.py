"""Levels of pixels: which weigh how much for lightness, and back from numbers to levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.types import UInt8Array

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec. 601


def to_uint8(values: npt.NDArray[np.floating[Any]]) -> UInt8Array:
    """Rounded, and cut to 0 .. 255."""
    rounded: UInt8Array = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded
