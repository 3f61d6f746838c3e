"""Folders of exported tables, figures and cards: replaced as a whole, and never anything else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from pipeline.artifacts.files import find_foreign, fresh_dir
from pipeline.core.errors import InputError

MARKER = ".export.json"  # lists the files that an export wrote, so that only these are replaced
# a spreadsheet takes such a cell for a formula, also behind spaces and in full width
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def save_export(folder: Path, tables: Mapping[str, pd.DataFrame], texts: Mapping[str, str]) -> list[str]:
    """Write tables as CSV and Parquet below `tables/`, and `texts` by their relative paths.

    Raises:
        InputError: `folder` holds something that is not an export's; nothing was changed.
    """
    target = folder.resolve()
    known = _check_replaceable(folder, target)
    names = [f"tables/{name}.{kind}" for name in tables for kind in ("csv", "parquet")] + list(texts)
    with fresh_dir(target, foreign=partial(find_foreign, holds=known)) as fresh:
        for name in names:
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            # line ends of two characters, as RFC 4180 has them: only then are both quoted inside a cell
            neutralize(table).to_csv(
                fresh / "tables" / f"{name}.csv", index=False, encoding="utf-8", lineterminator="\r\n"
            )
            table.to_parquet(fresh / "tables" / f"{name}.parquet", index=False)
        for name, text in texts.items():
            (fresh / name).write_text(text, encoding="utf-8")
        (fresh / MARKER).write_text(json.dumps({"files": names}, indent=1) + "\n", encoding="utf-8")
    return names


def neutralize(table: pd.DataFrame) -> pd.DataFrame:
    """Text cells that a spreadsheet would run as a formula get an apostrophe in front; numbers stay."""
    safe = table.copy()
    for name in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[name]):
            safe[name] = safe[name].map(_neutral, na_action="ignore")
    return safe


def _neutral(cell: object) -> object:
    if isinstance(cell, str) and (cell.lstrip(" ").startswith(_FORMULA_STARTS)):
        return f"'{cell}"
    return cell


def _check_replaceable(folder: Path, target: Path) -> list[str]:
    """The files that the last export wrote there: they and no others may go."""
    if not target.exists():
        return []
    if not target.is_dir():
        raise InputError(f"{folder} is a file. Name a folder that does not exist yet with --to.")
    if not any(target.iterdir()):
        return []
    remedy = "Move it away, or name another folder with --to."
    try:
        known = [*json.loads((target / MARKER).read_text(encoding="utf-8"))["files"], MARKER]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{folder} exists and is not an export (it has no {MARKER}). {remedy}") from None
    others = find_foreign(target, known)
    if others:
        raise InputError(f"{folder} holds {others[0]}, which no export wrote. {remedy}")
    return known
