"""Rows of exported tables: long format, one number a row with its interval and count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.records.base import Estimate, GroupEstimate

Row = dict[str, Any]
# what an all-empty column would have held; every other one holds numbers
TEXT_COLUMNS = frozenset(
    {
        "group",
        "given",
        "label",
        "attribute",
        "class_name",
        "suggested",
        "unit",
        "reason",
        "known",
        "part",
        "verdict",
    }
)


@dataclass(frozen=True)
class Table:
    """One table of an export; without rows it is not written, and `missing` says why."""

    name: str  # of its files
    about: str
    rows: list[Row]
    missing: str

    def frame(self) -> pd.DataFrame:
        """With types that can be missing, so that counts stay whole numbers."""
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        return pd.DataFrame(
            {name: _typed(name, [row.get(name) for row in self.rows]) for name in columns},
        )


def spread(estimate: Estimate | None) -> Row:
    """The four columns of an estimate; empty where there is none."""
    if estimate is None:
        return {"value": None, "low": None, "high": None, "n": None}
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}


def spread_group(estimate: GroupEstimate) -> Row:
    """The same with whether there were enough images."""
    return {**spread(estimate), "sufficient": estimate.sufficient}


def measured(estimates: Mapping[str, Estimate | None]) -> list[Row]:
    """One row a measure, those that were not taken left out."""
    return [{"measure": name, **spread(e)} for name, e in estimates.items() if e is not None]


def name_at(names: Sequence[str], index: int | None) -> str | None:
    """The name of a class or group; its number where a file names none."""
    if index is None:
        return None
    return names[index] if 0 <= index < len(names) else str(index)


def two_groups(before: str, after: str) -> str:
    """Whose numbers a difference of two worst groups compares: "a", or "a → b" where these are two."""
    return before if before == after else f"{before} → {after}"


def _typed(name: str, values: list[Any]) -> pd.Series[Any]:
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        dtype = "string" if name in TEXT_COLUMNS else "Float64"
    elif kinds == {bool}:
        dtype = "boolean"
    elif kinds == {int}:
        dtype = "Int64"
    elif kinds <= {int, float}:
        dtype = "Float64"
    else:
        dtype = "string"
    return pd.Series(values, dtype=dtype)
