"""Which files a model that was trained elsewhere is made of; no network is opened, and no library loaded."""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError
from pipeline.settings.models import Model, NetworkModel, PredictionsModel, PythonModel

CONFIG = "config.json"
PROCESSOR = "preprocessor_config.json"  # of Hugging Face's
# beside it, the first that is there; an index names the files that weights were cut into
WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_INDEX = ".index.json"


def source_files(entry: Model, *, with_weights: bool = True) -> list[Path]:
    """The files that decide a network of this entry, as far as they can be named without opening it.

    Args:
        with_weights: also those that lie beside it.
    """
    if isinstance(entry, PredictionsModel):
        return _there([Path(entry.path)])
    assert isinstance(entry, NetworkModel)
    if isinstance(entry, PythonModel):
        found = python_file(entry.path)
        files = [found, *_imported(found)] if found is not None else []
    else:
        folder = Path(entry.path)
        files = [folder / CONFIG, folder / PROCESSOR]
        files += [] if entry.weights or not with_weights else [folder / name for name in WEIGHTS]
    listed = [*entry.weights, *(path for paths in entry.checkpoints for path in paths)]
    named = _there([*files, *map(Path, listed)])
    return named + _there([part for path in named for part in shards(path)])


def check_files(entry: Model, where: str) -> None:
    """Whether what the entry names is there, before anything is computed.

    Raises:
        InputError: the first that is not, with what to give.
    """
    if isinstance(entry, PredictionsModel):
        check_table(entry.path, where)
        return
    assert isinstance(entry, NetworkModel)
    if not isinstance(entry, PythonModel):
        read_config(entry.path, f"{where}.path")
    elif (module := entry.path.rpartition(":")[0]).endswith(".py") and not Path(module).is_file():
        raise InputError(f"{where}.path: {module} does not exist. Give the file that has the function.")
    for key, paths in (("weights", entry.weights), *(("checkpoints", own) for own in entry.checkpoints)):
        for path in paths:
            if not Path(path).is_file():
                what = "is a folder" if Path(path).is_dir() else "does not exist"
                raise InputError(f"{where}.{key}: {path} {what}. Give a file of weights.")


def shards(path: Path) -> list[Path]:
    """The files that an index names; none for other files.

    Raises:
        InputError: it is no index, or names files elsewhere.
    """
    if not path.name.endswith(_INDEX):
        return []
    named = read_json(path).get("weight_map")
    if not isinstance(named, dict) or not named:
        raise InputError(f"{path} names no files of weights (weight_map). Save the model again.")
    files = sorted({str(name) for name in named.values()})
    wrong = [name for name in files if Path(name).name != name or name.endswith(_INDEX)]
    if wrong:
        raise InputError(
            f"{path} names {wrong[0]}, which is no file of weights beside it. Save the model again."
        )
    return [path.parent / name for name in files]


def weights_beside(folder: Path) -> Path | None:
    """The file of weights in a folder, an index where they were cut; None: there is none."""
    return next((path for name in WEIGHTS if (path := folder / name).is_file()), None)


def weights_file(path: str, where: str) -> Path:
    """A file of weights, or the one that lies in a folder.

    Raises:
        InputError: there is none.
    """
    given = Path(path)
    found = given if given.is_file() else weights_beside(given)
    if found is None:
        what = f"holds no {WEIGHTS[0]}" if given.is_dir() else "does not exist"
        raise InputError(f"{where} = {path} {what}. Give a file of weights, or a folder that holds one.")
    return found


def check_table(path: str, where: str) -> None:
    """Whether the table of predictions is there.

    Raises:
        InputError: it is not.
    """
    if not Path(path).is_file():
        raise InputError(f"{where}.path: {path} does not exist. Give a table of predictions, CSV or Parquet.")


def python_file(path: str) -> Path | None:
    """The file of `module:function` or `file.py:function`; None for a module without one. Nothing is run.

    Below the working folder it is relative to it, so that it is called the same on another machine.
    """
    module = path.rpartition(":")[0]
    found = Path(module) if module.endswith(".py") else _module_file(module)
    return None if found is None else _from_here(found)


def _from_here(path: Path) -> Path:
    is_below = path.is_absolute() and path.is_relative_to(Path.cwd())
    return path.relative_to(Path.cwd()) if is_below else path


def _imported(file: Path) -> list[Path]:
    """Files beside a function's own, or in the working folder, that it imports, and those that these import.

    They are read, not run; what is imported in another way than by name is not seen.
    """
    found: dict[Path, Path] = {file.resolve(): file}
    left = [file]
    while left:
        here = left.pop()
        for name, folders in _import_names(here, file):
            for base in (folder.joinpath(*name.split(".")) for folder in folders):
                for path in (base.with_suffix(".py"), base / "__init__.py"):
                    if path.is_file() and path.resolve() not in found:
                        found[path.resolve()] = _from_here(path)
                        left.append(path)
    return list(found.values())[1:]


def _import_names(here: Path, first: Path) -> Iterator[tuple[str, list[Path]]]:
    """Modules that a file names, and the folders that they may lie in."""
    try:
        tree = ast.parse(here.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names, folders = [alias.name for alias in node.names], [first.parent, Path()]
        elif isinstance(node, ast.ImportFrom):
            own = f"{node.module}." if node.module else ""
            names = [*filter(None, [node.module]), *(f"{own}{alias.name}" for alias in node.names)]
            parents = here.absolute().parents
            folders = list(parents[node.level - 1 : node.level]) if node.level else [first.parent, Path()]
        else:
            continue
        yield from ((name, folders) for name in names if name.partition(".")[0] != "pipeline")


def read_config(path: str, where: str) -> dict[str, Any]:
    """What the folder of a model says of itself.

    Raises:
        InputError: it has no such file, or one that is no JSON.
    """
    file = Path(path) / CONFIG
    if not file.is_file():
        there = (
            "is a file"
            if Path(path).is_file()
            else "does not exist"
            if not Path(path).exists()
            else f"has no {CONFIG}"
        )
        raise InputError(f"{where}: {path} {there}. Give the folder that the model was saved into.")
    return read_json(file)


def read_json(file: Path) -> dict[str, Any]:
    """Settings by name.

    Raises:
        InputError: the file is not JSON, or holds something else.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file} is not JSON ({error}). Save the model again.") from None
    if not isinstance(found, dict):
        raise InputError(f"{file} holds {type(found).__name__}, not settings by name. Save the model again.")
    return found


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
