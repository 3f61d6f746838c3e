"""Which device to compute on, in which precision, with which memory and which compiler."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
from collections.abc import Callable

import torch
from torch import Tensor

from pipeline.core.errors import InputError

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # names of glibc's mallopt


def choose_device(name: str = "auto") -> torch.device:
    """`auto` is CUDA where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 where the hardware computes in it, float32 elsewhere."""
    if name == "fp32":
        return torch.float32
    if name == "bf16":
        return torch.bfloat16
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    has_bf16 = torch.cpu._is_avx512_bf16_supported()  # no public query exists
    return torch.bfloat16 if has_bf16 else torch.float32


def keep_freed_memory() -> None:
    """Let this process reuse large freed blocks; does nothing where the C library is not glibc.

    glibc returns a block above 32 MB to the kernel as soon as it is freed. In training that is every
    large activation of every step, and having it again costs a page fault for each 4 KB: more time
    than the ReLU or the BatchNorm that fills it.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def compiled(forward: Callable[[Tensor], Tensor], device: torch.device) -> Callable[[Tensor], Tensor]:
    """The same function through torch.compile.

    Raises:
        InputError: on a CPU without a C++ compiler.
    """
    compilers = [os.environ.get("CXX", ""), "g++", "c++", "clang++"]
    if device.type == "cpu" and not any(shutil.which(name) for name in compilers if name):
        raise InputError(
            "train.compile = true needs a C++ compiler on a CPU, and there is none (g++, clang++ or $CXX). "
            "Install one, or set train.compile: false."
        )
    function: Callable[[Tensor], Tensor] = torch.compile(forward)
    return function
