"""Embeddings kept between runs, so that every method and analysis of one network computes them once.

Shape legend: N images, D features.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np
import torch

from pipeline.artifacts.files import write_atomic
from pipeline.core.errors import PipelineError
from pipeline.core.types import Float32Array, Split
from pipeline.models.embed import embed_split
from pipeline.models.interface import Classifier

_log = logging.getLogger(__name__)
KEPT_FILES = 40


class EmbeddingCache:
    """Embeddings of a data set's splits in one folder that may be deleted at any time.

    A file is found again by what decides its content: the data, the split, the weights before the last
    layer, and where and with which torch it was computed. A network whose last layer alone was trained
    again therefore shares the embeddings of the one it came from.
    """

    def __init__(self, folder: Path, data_digest: str) -> None:
        self.folder = folder
        self.data = data_digest[:16]

    def __call__(self, model: Classifier, split: Split) -> Float32Array:
        """`embed_split` of this network and split, N x D; computed where it is not kept yet."""
        path = self.folder / f"{self.data}_{split.name}_{_body_digest(model)}.npy"
        kept = _read(path, (len(split), model.n_features()))
        if kept is not None:
            return kept
        found = embed_split(model, split)
        try:
            write_atomic(path, lambda temporary: _write(temporary, found))
        except PipelineError as error:  # a full disk must not stop what does without
            _log.warning("embeddings are not kept: %s", error)
        self._forget(path)
        return found

    def _forget(self, newest: Path) -> None:
        """Those of other data, and the oldest ones beyond `KEPT_FILES`."""
        files = [path for path in self.folder.glob("*.npy") if path != newest]
        own = [path for path in files if path.name.startswith(f"{self.data}_")]
        own.sort(key=_age, reverse=True)
        for path in {*files} - {*own[: KEPT_FILES - 1]}:
            path.unlink(missing_ok=True)


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process was faster to delete it
        return 0.0


def _body_digest(model: Classifier) -> str:
    digest = hashlib.sha256(f"{torch.__version__} {model.mean.device.type}".encode())
    for name, value in sorted(model.state_dict().items()):
        if not name.startswith("head."):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


def _read(path: Path, shape: tuple[int, int]) -> Float32Array | None:
    """The array, or None where there is none that can be used."""
    try:
        found: Float32Array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError):
        _log.warning("%s cannot be read and is computed again", path)
        return None
    if found.shape != shape or found.dtype != np.float32:
        _log.warning("%s has another shape than expected and is computed again", path)
        return None
    return found


def _write(path: Path, values: Float32Array) -> None:
    with path.open("wb") as file:  # a path without .npy would get one
        np.save(file, values, allow_pickle=False)
