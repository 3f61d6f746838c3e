"""The machine under this process: its memory and its cores."""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import platform
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # names of glibc's mallopt


def keep_freed_memory() -> None:
    """Let this process reuse large freed blocks; does nothing where the C library is not glibc.

    glibc returns a block above 32 MB to the kernel as soon as it is freed. In a network that is every
    large activation of every batch, and having it again costs a page fault for each 4 KB: more time
    than the ReLU or the BatchNorm that fills it.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def return_freed_memory() -> None:
    """The opposite: give back what is free, and from now on large blocks as soon as they are freed.

    For work on few large arrays of many sizes: kept blocks of one size seldom fit the next, so that
    they add up.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_MAX, 65536)  # glibc's own values
        libc.mallopt(_MMAP_THRESHOLD, 128 * 1024)
        libc.mallopt(_TRIM_THRESHOLD, 128 * 1024)
        libc.malloc_trim(0)


def loaded() -> None:
    """The libraries are loaded: from here on garbage is collected, without looking at what they made.

    A process that begins with `gc.disable()` and calls this loads torch in three quarters of the time, and
    ends at once. Does nothing where garbage is collected already.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
        if "triton" in sys.modules:  # it complains at the end of all that was not collected by then
            atexit.register(gc.unfreeze)


def available_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
