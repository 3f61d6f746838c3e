"""What each column or folder was taken for, and which flag says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.data.files.read_table import read_table
from pipeline.data.names.columns import Given, guess_columns
from pipeline.data.names.folder_levels import ATTRIBUTE
from pipeline.data.raw import RawDataset
from pipeline.settings.sources import FolderSource, Source, TableSource

N_SHOWN = 8  # columns passed over that are listed
BORDER = "no annotated attribute: groups are made from the border's color"


def describe_roles(source: Source, raw: RawDataset, given: Mapping[str, Any]) -> str:
    """Lines "role: what" for the terminal; "" for a published dataset.

    Args:
        raw: what was read.
        given: flags of `new-dataset` and their values; None or missing: guessed.
    """
    if isinstance(source, TableSource):
        rows = _table_roles(source, given)
    elif isinstance(source, FolderSource):
        rows = _folder_roles(source, raw)
    else:
        return ""
    width = max(len(role) for role, _ in rows)
    return "taken for:\n" + "\n".join(f"  {role.ljust(width)}  {what}" for role, what in rows)


def _table_roles(source: TableSource, given: Mapping[str, Any]) -> list[tuple[str, str]]:
    columns = source.columns

    def role(column: str | None, flag: str, none: str) -> str:
        how = "" if given.get(flag) else f" (guessed; {flag})"
        return f"column {column!r}{how}" if column else f"{none} ({flag})"

    split = role(columns.split, "--split-column", "none: made by chance")
    where = "" if source.images == "." else f", below {source.images}/"
    attributes = [repr(name) for name in columns.attributes]
    how = "" if given.get("--attribute-column") else "guessed; "
    groups = (
        f"column {attributes[0]} ({how}--attribute-column)"
        if attributes
        else f"{BORDER} (--attribute-column)"
    )
    rows = [
        ("image file", role(columns.file, "--file-column", "none") + where),
        ("label", role(columns.label, "--label-column", "none")),
        (
            "split",
            split if not columns.split else f"{split[:-1]}, --no-split)" if split.endswith(")") else split,
        ),
        ("groups", groups),
        ("also compared", ", ".join(attributes[1:]) or "nothing"),
        ("kept together", role(columns.group_column, "--group-column", "nothing")),
        ("masks", f"folder {source.masks}/" if source.masks else "none"),
    ]
    return rows + [("passed over", why) for why in _passed_over(source)]


def _passed_over(source: TableSource) -> list[str]:
    columns, root = source.columns, Path(source.path).expanduser()
    table = read_table(root / source.table).cells
    names = (columns.file, columns.label, columns.split, None, columns.group_column or "")
    found = guess_columns(table, root, Given(*names, has_split=columns.split is not None))
    over = {c: why for c, why in found.passed_over.items() if c not in columns.attributes}
    over |= {c: "not asked for" for c in found.attributes if c not in columns.attributes}
    shown = [f"column {column!r}: {why}" for column, why in list(over.items())[:N_SHOWN]]
    hidden = len(over) - len(shown)
    lines = [*shown, *([f"{hidden} more columns"] if hidden > 0 else [])]
    return [*lines[:-1], f"{lines[-1]}; compare one with --attribute-column NAME"] if lines else []


def _folder_roles(source: FolderSource, raw: RawDataset) -> list[tuple[str, str]]:
    has_split = any(row.split is not None for row in raw.rows)
    label_level = source.label_level or 1
    groups = BORDER
    if source.attribute_level is not None:
        groups = f"folders of level {source.attribute_level} (attribute {ATTRIBUTE!r}; --attribute-level)"
    return [
        (
            "label",
            f"folders of level {label_level}{', below the splits' if has_split else ''} (--label-level)",
        ),
        ("split", "folders (--split, --no-split)" if has_split else "none: made by chance (--split)"),
        ("groups", groups),
    ]
