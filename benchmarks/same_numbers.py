"""Whether two runs of an audit have the same numbers, to the last digit: `same_numbers.py BEFORE AFTER`.

Compares, file by file, what two checkouts hold after `dvc repro`: every number and text of the stages' JSON
files, every column of their tables, every array, every weight. Times, paths, library versions and hashes are
left out. A file or a key that moved between two versions of the code is told with `--moved`, once for each:
`--moved data/*/packed/dataset.json:groups=groups/*/groups.json:groups`. Exits with 1 where anything differs.

Written for redesigns: behaviour stays, so every difference must be explained.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
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
Values = dict[str, Any]  # what one file says, by the place in it
LEFT_OUT = {"provenance", "seconds", "schema_version", "digest", "source_fingerprint", "checksums"}


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
        _move(before, after, source, target)
    n_values = n_same = 0
    found: Counter[tuple[str, str]] = Counter()
    for path in sorted(before.keys() | after.keys()):
        if path.startswith("reports/"):
            continue  # read for what moved out of them; the rest shows what other files hold
        ours, theirs = before.get(path, {}), after.get(path, {})
        for key in ours.keys() | theirs.keys():
            n_values += 1
            what = _difference(ours, theirs, key)
            if what is None:
                n_same += 1
            else:
                found[_kind(path), f"{_shown(key, what)}: {what}"] += 1
    for (kind, what), n in sorted(found.items()):
        print(f"{kind}  {what}" + (f"  ({n} times)" if n > 1 else ""))
    n_values_changed = sum(n for (_, what), n in found.items() if " -> " in what)
    print(f"{n_values:,} values: {n_same:,} the same, {n_values_changed:,} others, the rest only on one side")
    return 1 if found else 0


def _kind(path: str) -> str:
    """A file's place whatever the dataset, the method and the seed: models/*/*/history.json."""
    top, *folders, name = path.split("/")
    folders = ["packed" if folder == "packed" else "*" for folder in folders]
    return "/".join([top, *folders, re.sub(r"[0-9]+", "*", name)])


def _shown(key: str, what: str) -> str:
    """A key without its numbers in lists; of what stands on one side alone the last part is enough."""
    plain = re.sub(r"\[[0-9]+\]", "[]", key)
    return (
        f"{plain.split('.')[0].split('[')[0]} ... {plain.split('.')[-1]}"
        if what.startswith("only")
        else plain
    )


def _place(text: str) -> tuple[str, str]:
    path, _, key = text.partition(":")
    return path, key


def _move(
    before: dict[str, Values], after: dict[str, Values], source: tuple[str, str], target: tuple[str, str]
) -> None:
    """Lay what the earlier version keeps at `source` where the later one does; what is in both stays."""
    (pattern, key), (new, new_key) = source, target
    matching = re.compile(re.escape(pattern).replace(r"\*", "([^/]+)"))
    for path in list(before):
        if caught := matching.fullmatch(path):
            kept = {name: value for name, value in before[path].items() if _is_below(name, key)}
            for name in kept.keys() - after.get(path, {}).keys():
                del before[path][name]
            home = before.setdefault(new.replace("*", "{}").format(*caught.groups()), {})
            home.update({new_key + name.removeprefix(key): value for name, value in kept.items()})


def _is_below(name: str, key: str) -> bool:
    return not key or name == key or name.startswith((f"{key}.", f"{key}["))


def _read(root: Path) -> Iterator[tuple[str, Values]]:
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            flat = _values(path) if path.is_file() else None
            if flat is not None:
                yield path.relative_to(root).as_posix(), flat


def _values(path: Path) -> Values | None:
    """Everything that a file says, by the place in it; None of a kind that says nothing by itself."""
    reader = _READERS.get(path.suffix)
    return reader(path) if reader else None


def _columns(table: pd.DataFrame) -> Values:
    return {name: table[name].to_numpy() for name in table if "second" not in name}


def _arrays(path: Path) -> Values:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


_READERS: dict[str, Callable[[Path], Values]] = {
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


def _difference(before: Values, after: Values, key: str) -> str | None:
    if key not in before or key not in after:
        return f"only {'before' if key in before else 'after'}"
    if _is_same(before[key], after[key]):
        return None
    return f"{_short(before[key])} -> {_short(after[key])}"


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
