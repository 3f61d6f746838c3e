"""The training subset has the promised size and never asks for more than a group has."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.attribution.selection import choose_train


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 400), min_size=1, max_size=12),
    budget=st.integers(1, 800),
    seed=st.integers(0, 1000),
)
def test_size_uniqueness_and_favor_for_small_groups(sizes: list[int], budget: int, seed: int) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    rows = choose_train(groups, budget, seed)
    assert len(rows) == min(budget, len(groups))
    assert len(np.unique(rows)) == len(rows)
    counts = np.bincount(groups[rows], minlength=len(sizes))
    equal_part = budget // 2 // len(sizes)
    assert (counts >= np.minimum(sizes, equal_part)).all()
