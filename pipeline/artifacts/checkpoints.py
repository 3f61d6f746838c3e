"""Training checkpoints (resumable, git-ignored) and finished weights (safetensors)."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from pipeline.artifacts.files import write_atomic
from pipeline.core.errors import ArtifactError
from pipeline.models.interface import Classifier
from pipeline.models.registry import rebuild_model


class CheckpointStore:
    """One folder of checkpoints, keyed by everything that decides the result."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Replace the checkpoint `name` atomically."""
        buffer = io.BytesIO()  # torch writing to a full disk fails without saying why
        torch.save(state, buffer)
        write_atomic(self.folder / f"{name}.pt", lambda path: _write_bytes(path, buffer.getbuffer()))

    def load(self, name: str) -> dict[str, Any] | None:
        """The checkpoint `name`, or None where there is none."""
        path = self.folder / f"{name}.pt"
        if not path.exists():
            return None
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return state


def weights_path(folder: Path, seed: int, *, epoch: int | None = None, control: str = "") -> Path:
    """A seed's weights: the selected ones, those of an epoch that was kept too, or a control's.

    A control is another model of the seed that the method is compared with.
    """
    name = f"{control or 'seed'}_{seed}"
    return folder / (f"{name}.safetensors" if epoch is None else f"{name}_epoch_{epoch}.safetensors")


def save_weights(path: Path, state: dict[str, torch.Tensor], spec: dict[str, Any]) -> None:
    """Write weights with the arguments that rebuild their network."""
    tensors = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    metadata = {"spec": json.dumps(spec)}
    content = to_bytes(tensors, metadata=metadata)  # its save_file hides that the disk is full
    write_atomic(path, lambda temporary: _write_bytes(temporary, content))


def _write_bytes(path: Path, content: bytes | memoryview) -> None:
    path.write_bytes(content)


def load_weights(path: Path) -> Classifier:
    """Rebuild the network of `save_weights`, in evaluation mode.

    Raises:
        ArtifactError: missing, truncated or not of a network this code knows.
    """
    try:
        with safe_open(path, framework="pt") as file:
            spec = json.loads((file.metadata() or {})["spec"])
        state = load_file(path)
    except (OSError, KeyError, SafetensorError, json.JSONDecodeError) as error:
        raise ArtifactError(f"{path} cannot be read ({error}). Run `dvc repro` to make it again.") from None
    model = rebuild_model(spec)
    model.load_state_dict(state)
    return model.eval()
