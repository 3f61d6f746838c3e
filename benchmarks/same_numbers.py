"""Whether two runs of an audit have the same numbers, to the last digit: `same_numbers.py BEFORE AFTER`.

Compares, file by file, what two checkouts hold after `dvc repro`: every number and text of the stages' JSON
files, every column of their tables, every array, every weight. Times, paths, library versions and hashes are
left out. A file or a key that moved between two versions of the code is told with `--moved`, once for each:
`--moved data/*/packed/dataset.json:groups=groups/*/groups.json:groups`. Exits with 1 where anything differs.

Written for redesigns: behaviour stays, so every difference must be explained.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

FOLDERS = (
    "data",
    "groups",
    "audit",
    "models",
    "evaluation",
    "retrained",
    "attribution",
    "gradcam",
    "verdict",
)
LEFT_OUT = {"provenance", "seconds", "schema_version", "digest", "source_fingerprint", "checksums"}
SHOWN = 12  # differences listed for each file


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--moved", action="append", default=[], metavar="FROM[:KEY]=TO[:KEY]")
    options = parser.parse_args()
    moves = [tuple(_place(side) for side in move.split("=")) for move in options.moved]
    before, after = (dict(_read(root)) for root in (options.before, options.after))
    for source, target in moves:
        _move(before, source, target)
    n_values = n_different = 0
    for path in sorted(before.keys() | after.keys()):
        if path not in before or path not in after:
            print(f"{path}: only {'before' if path in before else 'after'}")
            n_different += 1
            continue
        found = list(_differences(before[path], after[path]))
        n_values += len(before[path])
        n_different += len(found)
        for line in found[:SHOWN]:
            print(f"{path}: {line}")
        if len(found) > SHOWN:
            print(f"{path}: and {len(found) - SHOWN} more")
    print(f"{n_values:,} values of {len(before)} files compared: {n_different} differ")
    return 1 if n_different else 0


def _place(text: str) -> tuple[str, str]:
    path, _, key = text.partition(":")
    return path, key


def _move(files: dict[str, dict[str, Any]], source: tuple[str, str], target: tuple[str, str]) -> None:
    """Lay what the earlier version keeps at `source` where the later one keeps it."""
    (pattern, key), (new, new_key) = source, target
    for path in [path for path in files if fnmatch.fnmatch(path, pattern)]:
        wild = path.split("/")[1]
        kept = (
            {k: v for k, v in files[path].items() if k == key or k.startswith((f"{key}.", f"{key}["))}
            if key
            else dict(files[path])
        )
        for name in kept:
            del files[path][name]
        if not files[path]:
            del files[path]
        home = files.setdefault(new.replace("*", wild), {})
        home.update({new_key + name.removeprefix(key): value for name, value in kept.items()})


def _read(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            flat = _values(path) if path.is_file() else None
            if flat is not None:
                yield path.relative_to(root).as_posix(), flat


def _values(path: Path) -> dict[str, Any] | None:
    """Everything that a file says, by the place in it; None of a kind that says nothing by itself."""
    reader = _READERS.get(path.suffix)
    return reader(path) if reader else None


def _columns(table: pd.DataFrame) -> dict[str, Any]:
    return {name: table[name].to_numpy() for name in table if "second" not in name}


def _arrays(path: Path) -> dict[str, Any]:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


_READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    ".json": lambda path: dict(_flatten(json.loads(path.read_text()), "")),
    ".parquet": lambda path: _columns(pd.read_parquet(path)),
    ".csv": lambda path: _columns(pd.read_csv(path)),
    ".npy": lambda path: {"array": np.load(path, mmap_mode="r")},
    ".npz": _arrays,
    ".safetensors": load_file,
    ".png": lambda path: {"bytes": path.read_bytes()},
}


def _flatten(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in LEFT_OUT:
                yield from _flatten(inner, f"{place}.{key}" if place else key)
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for i, inner in enumerate(value):
            yield from _flatten(inner, f"{place}[{i}]")
    else:
        yield place, value


def _differences(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for key in before.keys() | after.keys():
        if key not in before or key not in after:
            yield f"{key}: only {'before' if key in before else 'after'}"
        elif not _is_same(before[key], after[key]):
            yield f"{key}: {_short(before[key])} -> {_short(after[key])}"


def _is_same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        if a.dtype.kind == "O":
            return a.shape == b.shape and pd.Series(a).equals(pd.Series(b))
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return type(a) is type(b) and bool(a == b)


def _short(value: Any) -> str:
    text = f"array {value.shape}" if isinstance(value, np.ndarray) else repr(value)
    return text if len(text) < 60 else f"{text[:57]}..."


if __name__ == "__main__":
    sys.exit(main())
