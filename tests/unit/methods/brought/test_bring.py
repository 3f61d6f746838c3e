"""Files of weights are trainings: copies of one are not several."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.artifacts.provenance import file_digest
from pipeline.core.errors import InputError
from pipeline.methods.brought.bring import _no_copies


def test_copies_of_weights_are_refused(tmp_path: Path) -> None:
    one, two, copy = (tmp_path / name for name in ("one.safetensors", "two.safetensors", "copy.safetensors"))
    one.write_bytes(b"weights of one")
    two.write_bytes(b"weights of two")
    shutil.copy(one, copy)
    digests = {str(path): file_digest(path) for path in (one, two, copy)}
    _no_copies([one, two, None, tmp_path / "missing"], digests, "models.m")
    for listed in ([one, two, copy], [two, two]):
        with pytest.raises(
            InputError, match=r"models\.m\.weights: .* hold the same weights.*Name one of them"
        ):
            _no_copies(listed, digests, "models.m")
