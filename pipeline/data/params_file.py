"""Write an entry into params.yaml and leave everything else as its author wrote it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.util import load_yaml_guess_indent

from pipeline.artifacts.files import write_text
from pipeline.core.errors import InputError


def write_entry(params_path: Path, name: str, entry: dict[str, Any], *, overwrite: bool = False) -> None:
    """Add `datasets.<name>` to params.yaml; comments and order of everything else stay.

    Raises:
        InputError: the file is missing or not YAML, or the name exists and `overwrite` is False.
    """
    if not params_path.is_file():
        raise InputError(f"{params_path} does not exist. Run this in the project's folder.")
    text = params_path.read_text(encoding="utf-8")
    try:
        params, indent, offset = load_yaml_guess_indent(text)
    except YAMLError as error:
        raise InputError(f"{params_path} is not valid YAML: {error}.") from error
    if not isinstance(params, CommentedMap) or not isinstance(params.get("datasets"), CommentedMap):
        raise InputError(f"{params_path} has no mapping `datasets`. Restore it, for example with git.")
    datasets = params["datasets"]
    if name in datasets and not overwrite:
        raise InputError(
            f"{params_path} has a dataset {name!r} already. Choose another name, or overwrite it."
        )
    if name in datasets or not datasets:
        datasets[name] = entry
        write_text(params_path, _dump(params, indent, offset))
    else:
        write_text(params_path, _insert(text, params, name, entry))


def _insert(text: str, params: CommentedMap, name: str, entry: dict[str, Any]) -> str:
    """`text` with the entry after the last dataset: every other byte stays as it was."""
    lines = text.splitlines(keepends=True)
    datasets = params["datasets"]
    column = min(datasets.lc.key(key)[1] for key in datasets)
    end = max(datasets.lc.key(key)[0] for key in datasets) + 1
    for number in range(end, len(lines)):
        line = lines[number]
        depth = len(line) - len(line.lstrip())
        if line.strip() and not line.lstrip().startswith("#"):
            if depth < column or (depth == column and number > end):
                break
            end = number + 1
        elif line.strip() and depth > column:
            end = number + 1  # a comment inside the last entry
    block = _dump({name: entry}, 2, 0)
    indented = "".join(" " * column + line for line in block.splitlines(keepends=True))
    if end and not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    blank = "\n" if _separated_by_blanks(lines, datasets) else ""
    return "".join([*lines[:end], blank, indented, *lines[end:]])


def _separated_by_blanks(lines: list[str], datasets: CommentedMap) -> bool:
    rows = [datasets.lc.key(key)[0] for key in datasets]
    return any(row > 0 and not lines[row - 1].strip() for row in rows[1:])


def _dump(content: Any, indent: int | None, offset: int | None) -> str:
    yaml = YAML()
    yaml.width = 110
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=(indent or 2), offset=(offset or 0))
    stream = io.StringIO()
    yaml.dump(content, stream)
    return stream.getvalue()
