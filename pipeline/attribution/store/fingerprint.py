"""One hash of everything that the stored features depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

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
