"""Which files a model that was trained elsewhere is made of; nothing is opened, and no library loaded."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.settings.models import Model, NetworkModel, PredictionsModel, PythonModel

CONFIG = "config.json"
PROCESSOR = "preprocessor_config.json"  # of Hugging Face's
WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # beside it; the first that is there


def source_files(entry: Model) -> list[Path]:
    """The files that decide a network of this entry, as far as they can be named without opening it."""
    if isinstance(entry, PredictionsModel):
        return _there([Path(entry.path)])
    assert isinstance(entry, NetworkModel)
    if isinstance(entry, PythonModel):
        found = python_file(entry.path)
        files = [found] if found is not None else []
    else:
        folder = Path(entry.path)
        files = [folder / CONFIG, folder / PROCESSOR]
        files += [] if entry.weights else [folder / name for name in WEIGHTS]
    listed = [*entry.weights, *(path for paths in entry.checkpoints for path in paths)]
    return _there([*files, *map(Path, listed)])


def python_file(path: str) -> Path | None:
    """The file of `module:function` or `file.py:function`; None for a module without one. Nothing is run.

    Below the working folder it is relative to it, so that it is called the same on another machine.
    """
    module = path.rpartition(":")[0]
    found = Path(module) if module.endswith(".py") else _module_file(module)
    if found is None or not found.is_absolute() or not found.is_relative_to(Path.cwd()):
        return found
    return found.relative_to(Path.cwd())


def _there(paths: list[Path]) -> list[Path]:
    return [path for path in paths if path.is_file()]


@contextmanager
def working_folder_first(folder: Path | None = None) -> Iterator[None]:
    """Imports look there too, as they do in a script of the user's."""
    before = list(sys.path)
    sys.path[:0] = [str(folder or Path.cwd())]
    try:
        yield
    finally:
        sys.path[:] = before


def _module_file(name: str) -> Path | None:
    """The file of a module, without running it; None where it is not found."""
    try:
        with working_folder_first():
            spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and Path(spec.origin).is_file() else None
