"""Write an entry into params.yaml and leave every other byte as its author wrote it.

ruamel.yaml says where things are; the text itself is spliced, because even a comment-preserving
dump would re-space what it does not change.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from pipeline.artifacts.files import write_text
from pipeline.core.errors import InputError

_ONE_LINE = 90  # characters
_CLOSING = ("}", "]")  # of a flow collection that spans lines; may stand in its key's column


def write_entry(
    params_path: Path,
    name: str,
    entry: dict[str, Any],
    *,
    overwrite: bool = False,
    section: Literal["datasets", "models"] = "datasets",
) -> None:
    """Add `datasets.<name>`, or `models.<name>`, after the last one, or replace it where it stands.

    Raises:
        InputError: the file is missing or not YAML, or the name exists and `overwrite` is False.
    """
    text, params = _load(params_path)
    datasets = params.get(section)
    if not isinstance(datasets, CommentedMap):
        raise InputError(
            f"{params_path} has no mapping `{section}`. Write `{section}: {{}}` into it, or restore it, for "
            "example with git."
        )
    if name in datasets and not overwrite:
        raise InputError(
            f"{params_path} has a {section[:-1]} {name!r} already. Choose another name, or overwrite it."
        )
    lines = text.splitlines(keepends=True)
    if not datasets:
        start, column = params.lc.key(section)
        comment = re.search(r"\s#.*$", lines[start].rstrip("\n"))
        head = f"{section}:{comment.group() if comment else ''}\n"
        lines[start : _end_of(lines, start, column)] = [head, *_block(name, entry, 2)]
    elif name in datasets:
        start, column = datasets.lc.key(name)
        lines[start : _end_of(lines, start, column)] = _block(name, entry, column)
    else:
        rows = sorted(datasets.lc.key(key) for key in datasets)
        end = _end_of(lines, *rows[-1])
        lines[end - 1] = lines[end - 1].rstrip("\n") + "\n"
        is_spaced = any(not line.strip() for line in lines[rows[0][0] : end])
        lines[end:end] = [*(["\n"] if is_spaced else []), *_block(name, entry, rows[-1][1])]
    write_text(params_path, "".join(lines))


def write_section(params_path: Path, name: str, section: str, values: dict[str, Any]) -> None:
    """Add a section to `datasets.<name>` behind its others, or replace it where it stands.

    Raises:
        InputError: the file is missing or not YAML, or has no such dataset with one key a line.
    """
    text, params = _load(params_path)
    entry = (params.get("datasets") or {}).get(name)
    if not isinstance(entry, CommentedMap) or not entry or entry.fa.flow_style():
        raise InputError(
            f"{params_path} has no dataset {name!r} with one key a line, so {section!r} is not written. "
            f"Write it into the file yourself: {_dump({section: _styled(values)}).strip()}"
        )
    lines = text.splitlines(keepends=True)
    rows = sorted(entry.lc.key(key) for key in entry)
    start, column = entry.lc.key(section) if section in entry else rows[-1]
    end = _end_of(lines, start, column)
    lines[end - 1] = lines[end - 1].rstrip("\n") + "\n"
    lines[start if section in entry else end : end] = _block(section, values, column)
    write_text(params_path, "".join(lines))


def write_lists(params_path: Path, lists: Mapping[str, Sequence[str]]) -> None:
    """Replace top-level lists of names in params.yaml.

    Raises:
        InputError: the file is missing, not YAML, or lacks one of the lists.
    """
    text, params = _load(params_path)
    shown = {key: f"{key}: [{', '.join(names)}]" for key, names in lists.items()}
    for key, line in shown.items():
        if not isinstance(params.get(key), list):
            raise InputError(f"{params_path} has no list `{key}`. Write `{line}`.")
    lines = text.splitlines(keepends=True)
    for key in sorted(lists, key=params.lc.key, reverse=True):  # from below: those above do not move
        start, column = params.lc.key(key)
        end = _end_of(lines, start, column, is_list=True)
        comment = re.search(r"\s#.*$", lines[start].rstrip("\n"))
        lines[start:end] = [f"{shown[key]}{comment.group() if comment else ''}\n"]
    write_text(params_path, "".join(lines))


def _load(params_path: Path) -> tuple[str, CommentedMap]:
    """The file's text, and its content with line numbers."""
    if not params_path.is_file():
        raise InputError(f"{params_path} does not exist. Run this in the project's folder.")
    text = params_path.read_text(encoding="utf-8")
    try:
        params = YAML().load(text)
    except YAMLError as error:
        raise InputError(f"{params_path} is not valid YAML: {error}.") from error
    if not isinstance(params, CommentedMap):
        raise InputError(f"{params_path} is not a mapping. Restore it, for example with git.")
    return text, params


def _end_of(lines: list[str], start: int, column: int, *, is_list: bool = False) -> int:
    """The line after the value of the key at (`start`, `column`).

    Comments and blank lines belong to it only where something deeper follows or they are deeper.
    """
    end = start + 1
    for number in range(start + 1, len(lines)):
        content = lines[number].strip()
        depth = len(lines[number]) - len(lines[number].lstrip())
        is_inside = depth > column or (depth == column and content.startswith(_CLOSING))
        if is_list and depth == column and content.startswith("- "):
            is_inside = True  # YAML lets list items stand in their key's column
        if content and is_inside:
            end = number + 1
        elif content and not content.startswith("#"):
            break
    return end


def _block(name: str, entry: dict[str, Any], column: int) -> list[str]:
    text = _dump({name: _styled(entry)})
    return [" " * column + line for line in text.splitlines(keepends=True)]


def _styled(value: Any) -> Any:
    """Lists, and mappings without further ones, on one line where they fit."""
    styled: CommentedMap | CommentedSeq
    if isinstance(value, Mapping):
        styled = CommentedMap({key: _styled(inner) for key, inner in value.items()})
        is_leaf = not any(isinstance(inner, Mapping) for inner in value.values())
    elif isinstance(value, list):
        styled, is_leaf = CommentedSeq(map(_styled, value)), True
    else:
        return value
    if is_leaf:
        styled.fa.set_flow_style()
        if len(_dump(styled)) > _ONE_LINE:
            styled.fa.set_block_style()
    return styled


def _dump(value: Any) -> str:
    yaml = YAML()
    yaml.width = 10 * _ONE_LINE  # what does not fit is written as a block, not wrapped
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()
