"""Tables of predictions that somebody else wrote: which column is what.

Shape legend: R rows of the table, K classes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array
from pipeline.core.words import list_some
from pipeline.data.files.read_table import PARQUET_SUFFIXES, as_text, read_table
from pipeline.methods.brought.matching import whole
from pipeline.models.brought.classes import folded
from pipeline.models.brought.sources import check_table
from pipeline.settings.models import PredictionColumns

USUAL = {  # names that people give these columns, folded
    "image": (
        "file, file name, filename, path, filepath, file path, image path, image file, image, img, "
        "img path, image id, id, name"
    ),
    "predicted": (
        "predicted, prediction, pred, preds, predictions, predicted class, predicted label, pred class, "
        "pred label, y pred, y hat, yhat"
    ),
    "label": "label, target, y, y true, true label, true class, ground truth, gt, class",
    "seed": "seed, run, replicate",
    "split": "split, set, partition, subset",
    "scores": "scores, score, probabilities, probability, probs, prob, softmax, logits, logit",
}
_ALONE = ("predicted", "label", "seed", "split")  # one column each
CONFIDENCES = ("confidence", "conf", "certainty")
PREFIXES = ("probability", "prob", "p", "proba", "score", "logit", "softmax", "")


@dataclass(frozen=True)
class Read:
    """A table of predictions, its columns by what they are; every cell is text."""

    path: Path
    images: dict[str, list[str]]  # columns that may name the image, the likeliest first
    predicted_R: list[str] | None
    labels_R: list[str] | None
    seeds_R: list[str]
    splits_R: list[str] | None
    scores_RK: Float64Array | None
    outputs: list[str] | None  # names of the scores' columns; None: one column of lists
    is_logits: bool  # by its name
    notes: list[str]


def read_predictions(path: Path, columns: PredictionColumns, classes: Sequence[str], where: str) -> Read:
    """Read a table of predictions.

    Raises:
        InputError: no such table, or no column names the image or says what was predicted.
    """
    check_table(str(path), where)
    table = read_table(path)
    raw = _raw(path)
    cells = _with_index(table.cells, raw)
    names = {key: _find(cells, getattr(columns, key), key, where) for key in _ALONE}
    asked = columns.image and _find(cells, columns.image, "image", where)
    images = [asked] if asked else _usual(cells, "image")
    if not images:
        raise InputError(
            f"{where}: no column of {path} names the image; it has {list_some(list(cells), 12)}. Write "
            f"which one does: `{where}.columns: {{ image: ... }}`."
        )
    scores, outputs, is_logits = _scores(
        cells, raw, columns, classes, says_class=names["predicted"] is not None, where=where
    )
    if names["predicted"] is None and scores is None:
        raise InputError(
            f"{where}: {path} says neither a class (a column `predicted`) nor scores (a column for each "
            f"class, or one of lists); it has {list_some(list(cells), 12)}. Write which column it is under "
            f"`{where}.columns`: `predicted`, or `scores`."
        )

    def cells_of(key: str) -> list[str] | None:
        name = names[key]
        return None if name is None else _without_zeros(_texts(cells[name]), classes)

    return Read(
        path,
        {name: _texts(cells[name]) for name in images},
        cells_of("predicted"),
        cells_of("label"),
        cells_of("seed") or ["0"] * len(cells),
        cells_of("split"),
        scores,
        outputs,
        is_logits,
        [
            *table.notes,
            _said(names, outputs, scores is not None),
            *_ignored(cells, columns, scores is not None),
        ],
    )


def _raw(path: Path) -> pd.DataFrame | None:
    """Of Parquet, where lists are lists; a named index of pandas is a column."""
    if path.suffix.lower() not in PARQUET_SUFFIXES:
        return None
    raw = pd.read_parquet(path)
    raw.columns = [str(name).strip() for name in raw.columns]
    named = [name for name in raw.index.names if name is not None and str(name).strip() not in raw]
    return raw.reset_index(named).reset_index(drop=True) if named else raw


def _with_index(cells: pd.DataFrame, raw: pd.DataFrame | None) -> pd.DataFrame:
    """The table's text, and that of the index that only Parquet has."""
    if raw is None:
        return cells
    more = [name for name in raw if name not in cells]
    return cells.assign(**{str(name): as_text(raw[name]).to_numpy() for name in more})


def _find(cells: pd.DataFrame, asked: str | None, key: str, where: str) -> str | None:
    if asked is not None:
        if asked not in cells:
            raise InputError(
                f"{where}.columns.{key} = {asked!r}: there is no such column; there are "
                f"{list_some(list(cells), 12)}."
            )
        return asked
    return next(iter(_usual(cells, key)), None)


def _usual(cells: pd.DataFrame, key: str) -> list[str]:
    """Columns that are called as `key` usually is, the most usual name first."""
    known = {folded(str(name)): str(name) for name in reversed(list(cells))}
    return [known[name] for name in USUAL[key].split(", ") if name in known]


def _texts(column: pd.Series[Any]) -> list[str]:
    return [str(cell).strip() for cell in column]


def _without_zeros(cells_R: list[str], classes: Sequence[str]) -> list[str]:
    """Whole numbers that pandas wrote as 1.0, as 1; unless classes are called so."""
    if any(whole(cell) is None for cell in cells_R) or set(cells_R) <= set(classes):
        return cells_R
    return [cell.split(".")[0] for cell in cells_R]


def _scores(
    cells: pd.DataFrame,
    raw: pd.DataFrame | None,
    columns: PredictionColumns,
    classes: Sequence[str],
    *,
    says_class: bool,
    where: str,
) -> tuple[Float64Array | None, list[str] | None, bool]:
    if isinstance(columns.scores, list):
        lacking = [name for name in columns.scores if name not in cells]
        if lacking:
            raise InputError(f"{where}.columns.scores: there is no column {list_some(lacking, 3)}.")
        found = {name: name for name in columns.scores}
        of_classes = (_columns_of(cells[columns.scores], classes) or ("", {}))[1]
        outputs = {column: output for output, column in of_classes.items()}
        names = [outputs.get(name, name) for name in columns.scores]
        return _numbers(cells, found, where), names, any("logit" in folded(n) for n in found)
    name = _find(cells, columns.scores, "scores", where)
    by_class = _columns_of(cells, classes)
    one_number = columns.scores is None and name is not None and _is_one_number(cells[name])
    if name is not None and not (one_number and (by_class or says_class)):
        return _lists(cells[name] if raw is None else raw[name], name, where), None, "logit" in folded(name)
    if by_class is None:
        return None, None, False
    prefix, found = by_class
    return _numbers(cells, found, where), list(found), prefix == "logit"


def _is_one_number(column: pd.Series[Any]) -> bool:
    return bool(pd.to_numeric(column, errors="coerce").notna().all())


def _ignored(cells: pd.DataFrame, columns: PredictionColumns, has_scores: bool) -> list[str]:
    """A column of one number beside the class: how sure the model was, in a way that is not known."""
    alone = [
        name
        for name in _usual(cells, "scores")
        + [str(name) for name in cells if folded(str(name)) in CONFIDENCES]
        if columns.scores is None and _is_one_number(cells[name])
    ]
    said = "scores of every class are read" if has_scores else "give those of every class"
    return [f"column {name} has one number for each image and is not read: {said}" for name in alone]


def _columns_of(cells: pd.DataFrame, classes: Sequence[str]) -> tuple[str, dict[str, str]] | None:
    """Output -> column, of columns that are called like classes, with one prefix or none; all with it."""
    known = {folded(str(name)): str(name) for name in cells}
    for prefix in PREFIXES:
        if all(folded(f"{prefix} {name}") in known for name in classes):
            of_classes = {name: known[folded(f"{prefix} {name}")] for name in classes}
            others = {
                n.removeprefix(prefix).strip(): c
                for n, c in known.items()
                if prefix and n.startswith(f"{prefix} ")
            }
            more = {name: column for name, column in others.items() if column not in of_classes.values()}
            return prefix, _in_order(of_classes | more, list(known.values()))
    return None


def _in_order(columns: dict[str, str], order: Sequence[str]) -> dict[str, str]:
    """As in the table; numbers from the smallest on, as places in a list are counted."""
    numbers = {name: whole(name) for name in columns}
    if None in numbers.values():
        return dict(sorted(columns.items(), key=lambda item: order.index(item[1])))
    return dict(sorted(columns.items(), key=lambda item: numbers[item[0]] or 0))


def _numbers(cells: pd.DataFrame, columns: dict[str, str], where: str) -> Float64Array:
    table: Float64Array = (
        cells[list(columns.values())].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    )
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        row, column = int(bad[0, 0]), list(columns.values())[int(bad[0, 1])]
        raise InputError(
            f"{where}: row {row + 1}, column {column} holds {cells[column].iloc[row]!r}, which is no finite "
            "number. Every image needs a score for every class."
        )
    return table


def _lists(column: pd.Series[Any], name: str, where: str) -> Float64Array:
    rows: list[list[float]] = []
    for at, cell in enumerate(column):
        try:
            values = _parsed(cell) if isinstance(cell, str) else cell
            if not isinstance(values, list | tuple | np.ndarray):
                raise TypeError  # a mapping or text would be read by its keys or letters
            rows.append([float(value) for value in values])
        except (TypeError, ValueError, RecursionError):
            raise InputError(
                f"{where}: row {at + 1}, column {name} holds {str(cell)[:60]!r}, which is no list of "
                "numbers such as [0.1, 0.9]."
            ) from None
    lengths = sorted({len(row) for row in rows})
    if lengths[0] == 0:
        at = next(at for at, row in enumerate(rows) if not row)
        raise InputError(
            f"{where}: row {at + 1}, column {name} holds an empty list. Every image needs a score for every "
            "class."
        )
    if len(lengths) > 1 or not np.isfinite(np.array(rows, np.float64)).all():
        wrong = (
            f"lists of {lengths[0]} and of {lengths[-1]} numbers"
            if len(lengths) > 1
            else "numbers that are not finite"
        )
        raise InputError(f"{where}: column {name} holds {wrong}. Every image needs a score for every class.")
    return np.array(rows, np.float64)


def _parsed(cell: str) -> list[float]:
    """A list as JSON, or as Python and NumPy print it: [0.1 0.9], [np.float64(0.1), ...]."""
    bare = re.sub(r"np\.float\d+\(([^)]*)\)", r"\1", cell.strip())
    if "," not in bare:
        bare = re.sub(r"(?<=[^\s\[])\s+(?=[^\s\]])", ", ", bare)
    found: list[float] = json.loads(re.sub(r"(?<=\d)\.(?=[\s,\]])", ".0", bare))
    return found


def _said(names: dict[str, str | None], outputs: Sequence[str] | None, has_scores: bool) -> str:
    found = [f"{key} from {name}" for key, name in names.items() if name is not None]
    if has_scores:
        found.append(
            "scores from a column of lists" if outputs is None else f"scores of {len(outputs)} classes"
        )
    return f"columns read: {', '.join(found)}"
