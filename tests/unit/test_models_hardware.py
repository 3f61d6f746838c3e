"""What the machine offers: a compiler."""

from __future__ import annotations

import pytest
import torch

from pipeline.core.errors import InputError
from pipeline.models.hardware import compiled


def test_compiling_without_a_compiler_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(InputError, match=r"C\+\+ compiler on a CPU.*train.compile: false"):
        compiled(torch.nn.Identity(), torch.device("cpu"))
