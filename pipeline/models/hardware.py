"""Which device to compute on, in which precision, with which compiler, and its random numbers."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pipeline.core.errors import InputError


def choose_device(name: str) -> torch.device:
    """The device that `train.device` names; `auto` is CUDA where there is one.

    Raises:
        InputError: CUDA is asked for and there is none.
    """
    has_cuda = torch.cuda.is_available()
    if name == "auto":
        name = "cuda" if has_cuda else "cpu"
    if name == "cuda" and not has_cuda:
        why = "PyTorch finds no CUDA device" if torch.version.cuda else "this PyTorch is built without CUDA"
        raise InputError(
            f"train.device = cuda, but {why} (torch {torch.__version__}). Set `train.device: auto` to train "
            "on the CPU, or install a driver and a PyTorch that fit the GPU."
        )
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


def seed_device(seed: int, device: torch.device) -> None:
    """Seed what layers on this device draw from; those that a user wrote may draw from NumPy or Python.

    torch.manual_seed also queues a call, with its traceback, for every kind of device that is not there:
    a twentieth of a small network's step, and memory that grows with every step.
    """
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  # the generator that strangers' code draws from
    random.seed(seed)
