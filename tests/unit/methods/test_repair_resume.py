"""Repair goes on after a kill with the same result, and without the attribute where groups are inferred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.core.types import BoolArray, Float64Array, Split
from pipeline.models.interface import Classifier
from tests.fixtures.repair import make_attributor, make_harmed_split, with_attribution
from tests.fixtures.train import (
    KilledError,
    MemoryStore,
    Result,
    make_recipe,
    make_settings,
    make_split,
    run_method,
)

pytestmark = pytest.mark.slow

VAL = make_split(120, name="val", strength=0.5, seed=1)


@dataclass
class KnownEffects:
    """Says which images harm without looking; counts how often it is asked."""

    harms_N: BoolArray
    asked: int = 0

    def effects(
        self, models: Sequence[Classifier], train: Split, targets: Split, weights_VJ: Float64Array
    ) -> Float64Array:
        self.asked += 1
        return np.where(self.harms_N, -1.0, 1.0)[:, None] * weights_VJ.sum(axis=0)

    def vectors(self, models: Sequence[Classifier], train: Split, targets: Split) -> Float64Array:
        raise AssertionError("given groups need no clusters")


def run(attribution: Any, train: Split, store: Any = None, **changes: Any) -> Result:
    settings = make_settings(epochs=3, batch_size=16, seeds=[0, 1, 2])
    method = {"fractions": [0.25], "curve_seeds": 1, "controls": False} | changes
    recipe = with_attribution(make_recipe("repair", settings=settings, **method), attribution)
    return run_method(recipe, train, VAL, store)


def test_a_killed_run_ends_as_an_undisturbed_one() -> None:
    train, is_wrong_N = make_harmed_split()
    whole = run(KnownEffects(is_wrong_N), train)
    assert whole.history.removal is not None
    assert whole.history.removal.chosen == is_wrong_N.sum()
    # saves: three epochs of ERM with three seeds, the scores, as many of the only size tried
    for fail_after, asked_again in ((2, 1), (12, 0)):
        store = MemoryStore(fail_after=fail_after)
        with pytest.raises(KilledError):
            run(KnownEffects(is_wrong_N), train, store)
        attribution = KnownEffects(is_wrong_N)
        resumed = run(attribution, train, store)
        assert attribution.asked == asked_again, fail_after
        assert resumed.history.removal == whole.history.removal
        for name, value in whole.weights[0].items():
            assert torch.equal(value, resumed.weights[0][name]), (fail_after, name)


def test_inferred_groups_repair_a_group_that_nobody_named(tmp_path: Path) -> None:
    train, is_wrong_N = make_harmed_split()
    blind = replace(train, groups=2 * train.labels, attributes=np.zeros_like(train.attributes))
    test = make_split(200, name="test", strength=0.5, seed=2)
    result = run(make_attributor(tmp_path), blind, groups="inferred")
    removal = result.history.removal
    assert removal is not None
    assert removal.groups == "inferred"
    assert removal.worst_group.startswith("right, attribution cluster")
    assert removal.chosen == is_wrong_N.sum()
    assert removal.clusters is not None
    assert removal.clusters.worst_group_recall > 0.9
    erm = run_method(
        make_recipe("erm", settings=make_settings(epochs=3, batch_size=16, seeds=[0, 1, 2])), blind, VAL
    )
    assert result.worst_group(test) > erm.worst_group(test) + 0.3
