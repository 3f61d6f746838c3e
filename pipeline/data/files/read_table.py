"""A CSV or Parquet file as a table of text, and what had to be done to read it."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.data.files.listing import is_image

PARQUET_SUFFIXES = (".parquet", ".pq")
JSON_SUFFIXES = (".jsonl", ".ndjson")
TABLE_SUFFIXES = (".csv", ".tsv", *PARQUET_SUFFIXES, *JSON_SUFFIXES)
SEPARATORS = (",", ";", "\t", "|")
N_SNIFFED = 50  # rows that separator and header are guessed from
_N_BYTES = 4096  # looked at for an encoding without a mark
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class Table:
    """Every cell as text, and notes on what is not as plain CSV has it."""

    cells: pd.DataFrame
    notes: list[str]


def read_table(path: Path) -> Table:
    """A table with every cell as text, so that "007" and "NA" stay what they are.

    Without a header (its first row names an image) the columns are called column_1, column_2 ...

    Raises:
        InputError: missing, empty, none of `TABLE_SUFFIXES`, or two columns of one name.
    """
    if not path.is_file():
        raise InputError(
            f"{path} does not exist. Set `source.path` to its folder and `source.table` to its name."
        )
    try:
        table = _read(path)
    except InputError:
        raise
    except (ValueError, OSError, csv.Error) as error:  # of pandas and pyarrow, too
        reason = str(error).strip()
        raise InputError(
            f"{path} cannot be read as a table ({reason}). Use CSV (UTF-8), JSON lines or Parquet."
        ) from error
    if table.cells.empty:
        raise InputError(f"{path} has no rows.")
    return table


def _read(path: Path) -> Table:
    suffix = path.suffix.lower()
    if suffix in JSON_SUFFIXES:
        return _read_json_lines(path)
    return _read_parquet(path) if suffix in PARQUET_SUFFIXES else _read_csv(path)


def _read_parquet(path: Path) -> Table:
    cells = pd.read_parquet(path)
    names = _column_names([str(column) for column in cells.columns], path)
    cells = pd.DataFrame({name: as_text(cells.iloc[:, i]) for i, name in enumerate(names)})
    return Table(cells.reset_index(drop=True), [])


def _read_json_lines(path: Path) -> Table:
    rows = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                rows.append(parse_object(line, f"{path}, line {number}"))
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = {name: [row.get(name, "") for row in rows] for name in names}
    table = pd.DataFrame(dict(zip(_column_names(names, path), cells.values(), strict=True)), dtype=str)
    return Table(table, [])


def parse_object(text: str, where: str) -> dict[str, str]:
    """The keys of a JSON object with each value as a cell's text; what is nested as JSON, null as "".

    Raises:
        InputError: it is no JSON object; `where` says where it stands.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON ({error}). Mend or remove it.") from error
    if not isinstance(found, dict):
        raise InputError(f'{where}: a JSON {type(found).__name__}; expected an object, as in {{"label": 1}}.')
    return {key: _json_cell(value) for key, value in found.items()}


def _json_cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def as_text(column: pd.Series[Any]) -> pd.Series[str]:
    """Cells as a CSV would have them; "" where there is none."""
    if pd.api.types.is_float_dtype(column) and bool((column.dropna() % 1 == 0).all()):
        column = column.astype("Int64")  # an integer column with gaps: "1", not "1.0"
    return column.astype("string").fillna("").astype(str)


def _read_csv(path: Path) -> Table:
    encoding = _encoding(path)
    with path.open(encoding=encoding, newline="") as file:
        start = list(islice(file, 4 * N_SNIFFED))
    separator = max(SEPARATORS, key=lambda sign: _evenness(start, sign))
    rows = [row for row in islice(csv.reader(start, delimiter=separator), N_SNIFFED) if row]
    if not rows:
        return Table(pd.DataFrame(), [])
    _check_no_comments(rows, path)
    n_extra = _n_blank_ends(rows, path)
    has_header = not any(is_image(Path(cell.strip())) for cell in rows[0])
    names = [*rows[0], *[""] * (max(map(len, rows)) - len(rows[0]))]
    if has_header:
        names = _column_names(names[: len(names) - n_extra], path)
    else:
        names = [f"column_{i + 1}" for i in range(len(names) - n_extra)]
    cells = pd.read_csv(
        path,
        sep=separator,
        dtype=str,
        keep_default_na=False,
        encoding=encoding,
        header=None,
        names=[*names, *(f"\0{i}" for i in range(n_extra))],
        skiprows=_n_header_rows(start, separator) if has_header else 0,
        index_col=False,
    ).fillna("")[names]
    notes = _notes(path, encoding, n_extra, names if not has_header else None)
    return Table(cells.reset_index(drop=True), notes)


def _notes(path: Path, encoding: str, n_extra: int, columns: Sequence[str] | None) -> list[str]:
    notes = []
    if encoding not in ("utf-8", "utf-8-sig"):
        unsure = "; if letters look wrong, save it as UTF-8" if encoding == "cp1252" else ""
        notes.append(f"{path.name} is not UTF-8: it was read as {encoding}{unsure}")
    if n_extra:
        notes.append(f"{path.name}: empty columns at the end of the rows (a trailing separator) are not read")
    if columns is not None:
        notes.append(
            f"{path.name} has no header: its first row names an image and was read as one; the columns are "
            f"called {', '.join(columns)}"
        )
    return notes


def _encoding(path: Path) -> str:
    """utf-8, utf-16 by its mark or its zero bytes, else cp1252 (Windows, western European).

    Raises:
        InputError: none of them.
    """
    data = path.read_bytes()
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            data.decode(encoding)  # a file cut in half is no table
            return encoding
    start = data[:_N_BYTES]
    if b"\0" in start:
        return "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"
    for encoding in ("utf-8", "cp1252"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    raise InputError(f"{path} is in an encoding that is not known here (not UTF-8). Save it as UTF-8.")


def _evenness(lines: Sequence[str], separator: str) -> tuple[float, int]:
    """Share of rows that have as many cells as most, which is more than one; and how many."""
    lengths = Counter(len(row) for row in islice(csv.reader(lines, delimiter=separator), N_SNIFFED) if row)
    most, n_rows = max(lengths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
    return (n_rows / lengths.total() if most > 1 else 0.0, most)


def _n_header_rows(lines: Sequence[str], separator: str) -> int:
    """The header and blank lines before it."""
    return next(i for i, row in enumerate(csv.reader(lines, delimiter=separator)) if row) + 1


def _check_no_comments(rows: Sequence[Sequence[str]], path: Path) -> None:
    """Comments or a title above the header would be taken for it.

    Raises:
        InputError: there are some, by their mark or because they alone have fewer cells.
    """
    images = [i for i, row in enumerate(rows) if any(is_image(Path(cell.strip())) for cell in row)]
    is_marked = [row[0].lstrip().startswith(("#", "%", "//")) for row in rows]
    n = is_marked.index(False) if False in is_marked else 0
    width = max(map(len, rows))
    if n == 1 and len(rows[0]) == width and images[:1] == [1]:
        return  # a header that starts with a mark
    if n == 0:
        n = next(i for i, row in enumerate(rows) if len(row) == width)
        is_title = all(len(row) == width for row in rows[n:]) and all(len(row) == 1 for row in rows[:n])
        n = n if is_title and n + 1 < len(rows) else 0
    if 0 < n < len(rows) and (not images or images[0] > n):
        raise InputError(
            f"{path}: above its header ({', '.join(rows[n])}) there are {n} lines of comments or a title, "
            f"first {', '.join(rows[0])!r}. Remove them: the first line must be the header."
        )


def _n_blank_ends(rows: Sequence[Sequence[str]], path: Path) -> int:
    """How many columns at the end are empty in every row, header included.

    Raises:
        InputError: rows with more cells than the header, and something in them.
    """
    width = max(map(len, rows))
    filled = max((i + 1 for row in rows for i, cell in enumerate(row) if cell.strip()), default=0)
    named = max((i + 1 for i, cell in enumerate(rows[0]) if cell.strip()), default=0)
    if filled > len(rows[0]):
        number, row = next((i, row) for i, row in enumerate(rows) if len(row) > len(rows[0]))
        raise InputError(
            f"{path}: row {number + 1} has {len(row)} cells, the first row {len(rows[0])}: "
            f"{list_some(row, 8)}. "
            'Put cells that hold the separator into double quotes ("a, b").'
        )
    return width - max(filled, named)


def _column_names(names: Sequence[str], path: Path) -> list[str]:
    """Names without spaces around; those without one are called as pandas calls them.

    Raises:
        InputError: two that are then the same.
    """
    stripped = [name.strip() or f"Unnamed: {i}" for i, name in enumerate(names)]
    twice = [name for name, n in Counter(stripped).items() if n > 1]
    if twice:
        written = ", ".join(repr(name) for name in names if name.strip() in twice)
        raise InputError(
            f"{path} has several columns called {list_some(twice)} ({written}; spaces around names "
            "do not count). Rename or remove all but one."
        )
    return stripped
