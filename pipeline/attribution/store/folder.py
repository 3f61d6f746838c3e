"""The folder that features live in until scores are saved: its name says what they depend on."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from pipeline.artifacts.files import friendly_os_errors, require_space
from pipeline.attribution.selection import Examples

BLOCK = 1024  # images hashed at a time


def fingerprint(
    models: Sequence[nn.Module], *, train: Examples, targets: Examples, facts: dict[str, Any]
) -> str:
    """16 hex digits of weights, buffers, pixels, labels, ids and `facts` (settings, versions).

    Stored features are reused under the same digits only; a name or a number given to a model
    says nothing about its weights.
    """
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for model in models:
        for name, value in model.state_dict().items():
            digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
            digest.update(np.ascontiguousarray(value.detach().cpu().numpy()).tobytes())
    for examples in (train, targets):
        digest.update(f"{len(examples)} {examples.images.shape[1:]}".encode())
        for column in (examples.ids, examples.labels):
            digest.update(np.ascontiguousarray(column, dtype=np.int64).tobytes())
        for start in range(0, len(examples), BLOCK):
            digest.update(examples.images[examples.rows[start : start + BLOCK]].tobytes())
    return digest.hexdigest()[:16]


def prepare(folder: Path, *, final_bytes: int) -> None:
    """Make `folder`, named `<estimator>_<digits>`, and drop those of other weights or settings beside it.

    Raises:
        InputError: the folder cannot be written, or the disk lacks room for `final_bytes`.
    """
    with friendly_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for other in folder.parent.glob("trak*_*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    held = sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
    remedy = "Free some space, or lower attribute.proj_dim, max_train or max_models."
    require_space(folder, final_bytes - held, "attribution", remedy)
