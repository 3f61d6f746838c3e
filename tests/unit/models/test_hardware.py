"""What the machine offers: a compiler, a GPU."""

from __future__ import annotations

import pytest
import torch

from pipeline.core.errors import InputError
from pipeline.models.hardware import choose_device, compiled


def test_compiling_without_a_compiler_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(InputError, match=r"C\+\+ compiler on a CPU.*train.compile: false"):
        compiled(torch.nn.Identity(), torch.device("cpu"))


def test_a_gpu_that_is_not_there_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"train.device = cuda, but .*`train.device: auto`"):
        choose_device("cuda")
    assert choose_device("auto").type == "cpu"
