"""Files of weights are trainings: copies of one are not several."""

from __future__ import annotations

import json
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


def test_what_is_cut_into_files_is_a_copy_where_all_of_them_are(tmp_path: Path) -> None:
    """The index says the same of every seed."""
    found = []
    for seed in ("one", "two", "copy"):
        folder = tmp_path / seed
        folder.mkdir()
        (folder / "a.safetensors").write_bytes(b"the same part")
        (folder / "b.safetensors").write_bytes(b"two" if seed == "two" else b"one")
        index = folder / "model.safetensors.index.json"
        index.write_text(json.dumps({"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}))
        found.append(index)
    digests = {str(path): file_digest(path) for path in tmp_path.rglob("*.*")}
    _no_copies(found[:2], digests, "models.m")
    with pytest.raises(InputError, match="hold the same weights"):
        _no_copies(found, digests, "models.m")
