"""Columns of the table of file facts as a cue's values.

Shape legend: N images, F numbers.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.cues.cue import Seen, Strings, Values


def stepped(seen: Seen, *columns: str) -> Values | None:
    """Numbers that may tell by any order; None where no image has any of them."""
    found = _known(seen, columns)
    if found is None:
        return None
    return Values(found.astype(np.float64).to_numpy(np.float32, na_value=np.nan), is_stepped=True)


def worded(seen: Seen, *columns: str) -> Values | None:
    """Words, one set of values a column; None where no image has any of them."""
    found = _known(seen, columns)
    return (
        None
        if found is None
        else Values.of_words(len(seen), {str(name): words(found[name]) for name in found})
    )


def words(column: pd.Series) -> Strings:
    """Values as text; missing ones are None."""
    return np.array([None if pd.isna(value) else str(value) for value in column], object)


def _known(seen: Seen, columns: tuple[str, ...]) -> pd.DataFrame | None:
    """The columns, if any image has any of them."""
    if seen.facts is None:
        return None
    found = seen.facts[[name for name in columns if name in seen.facts]]
    return found if found.notna().to_numpy().any() else None
