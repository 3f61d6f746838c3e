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
from pipeline.artifacts.plans import load_plan, plan_path
from pipeline.core.errors import ArtifactError, PipelineError
from pipeline.models.brought.sources import python_file
from pipeline.models.interface import Classifier
from pipeline.models.registry import BROUGHT, rebuild_model


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

    A function is only called for it where `params.yaml` names that function: a file of weights from
    elsewhere runs nothing.

    Raises:
        ArtifactError: missing, truncated, not of a network this code knows, or of a function that nobody
            planned.
        InputError: the network's own files are others since.
    """
    try:
        with safe_open(path, framework="pt") as file:
            spec = json.loads((file.metadata() or {})["spec"])
        state = load_file(path)
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise ArtifactError(f"{path} cannot be read ({error}). Run `dvc repro` to make it again.") from None
    try:
        _check_function(path, spec)
        model = rebuild_model(spec)
        model.load_state_dict(state)
    except PipelineError:
        raise
    except Exception as error:  # whatever a spec of another version, or of another's making, may raise
        raise ArtifactError(
            f"{path} holds no network that this version rebuilds ({type(error).__name__}: "
            f"{str(error).partition(chr(10))[0]}). Run `dvc repro` to make it again."
        ) from None
    return model.eval()


def _check_function(path: Path, spec: dict[str, Any]) -> None:
    """Refuse a network that a function makes, unless it is the one that this model's plan names."""
    if spec["name"] != BROUGHT or spec["made_of"]["kind"] != "python":
        return
    # models/<dataset>/<method>/weights/<file>
    dataset, method = path.absolute().parents[2].name, path.absolute().parents[1].name
    if spec["made_of"] != _planned_function(dataset, method):
        raise ArtifactError(
            f"{path} asks for the function {spec['made_of']['path']!r}, which was not called: it is not "
            f"what the plan of {dataset} and {method} says (`models` in params.yaml). Run "
            f"`dvc repro train@{dataset}-{method}`."
        )


def _planned_function(dataset: str, method: str) -> dict[str, Any] | None:
    """`made_of` of a network whose function `params.yaml` names; None where it names none."""
    found = load_plan(plan_path("train", dataset, method))
    settings: dict[str, Any] = {} if found is None else found[0].settings
    own = settings.get("train", {}).get("network") or {}  # what a method trains
    entry, files = (
        settings.get("brought") or own.get("entry", {}),
        settings.get("files") or own.get("files", {}),
    )
    if entry.get("kind") != "python":
        return None
    file = python_file(entry["path"])
    digest = "" if file is None else files.get(str(file), "")
    return {"kind": "python", "path": entry["path"], "args": entry["args"], "digest": digest}
