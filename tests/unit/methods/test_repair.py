"""Repair finds planted harm, undoes it, and leaves ERM alone where there is nothing to gain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Split
from pipeline.methods.removal.scoring import Attribution
from tests.fixtures.repair import HARMED, make_attributor, make_harmed_split, with_attribution
from tests.fixtures.train import (
    GROUP_NAMES,
    Result,
    make_recipe,
    make_settings,
    make_split,
    run_method,
)

pytestmark = pytest.mark.slow

SHARE = 0.25  # about as many as are wrong


def val_split() -> Split:
    return make_split(120, name="val", strength=0.5, seed=1)


def run(attribution: Attribution, train: Split, val: Split, store: Any = None, **changes: Any) -> Result:
    usual = {"epochs": 3, "batch_size": 16, "seeds": [0, 1, 2]}
    train_settings = make_settings(**changes.pop("network", usual))
    method = {"fractions": [SHARE], "curve_seeds": 1} | changes
    recipe = with_attribution(make_recipe("repair", settings=train_settings, **method), attribution)
    return run_method(recipe, train, val, store)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, BoolArray, Split]:
    train, is_wrong_N = make_harmed_split()
    result = run(make_attributor(tmp_path_factory.mktemp("store")), train, val_split())
    return result, is_wrong_N, train


def test_leaving_harmful_images_out_lifts_the_worst_group_where_random_ones_do_not(
    planted: tuple[Result, BoolArray, Split],
) -> None:
    result, _, _ = planted
    removal = result.history.removal
    assert removal is not None
    assert removal.worst_group == GROUP_NAMES[HARMED]
    assert removal.chosen == removal.tried[-1] > 0
    at = {(p.kind, p.n_removed): p.val_worst for p in removal.points}
    assert at["repair", removal.chosen] > at["repair", 0] + 0.2
    assert at["repair", removal.chosen] > at["random", removal.chosen] + 0.2
    test = make_split(200, name="test", strength=0.5, seed=2)
    controls = Result(result.history, result.controls["random"], {})
    for seed in (0, 1, 2):
        assert result.worst_group(test, seed) > controls.worst_group(test, seed) + 0.15


def test_most_of_what_is_left_out_is_what_was_planted(planted: tuple[Result, BoolArray, Split]) -> None:
    result, is_wrong_N, _ = planted
    removal = result.history.removal
    assert removal is not None
    assert removal.chosen == is_wrong_N.sum()
    assert removal.removed_by_group[GROUP_NAMES.index("left/red")] > 0.9 * removal.chosen
    assert removal.chosen < removal.n_harmful < removal.n_train
    assert set(result.controls) == {"random", "balanced", "suspected"}
    assert all(set(weights) == {0, 1, 2} for weights in result.controls.values())


def test_the_ids_of_all_images_left_out_are_on_record(planted: tuple[Result, BoolArray, Split]) -> None:
    result, _, train = planted
    removal = result.history.removal
    assert removal is not None
    by_kind = {(found.kind, found.seed): found.ids for found in removal.left_out}
    drawn = {(kind, seed) for kind in ("random", "balanced") for seed in (0, 1, 2)}
    suspected = by_kind.pop(("suspected", None))
    assert set(by_kind) == {("repair", None), *drawn}
    assert all(len(set(ids)) == removal.chosen for ids in by_kind.values())
    assert set(suspected) <= set(by_kind["repair", None])
    assert by_kind["random", 0] != by_kind["random", 1]
    groups = train.groups[np.isin(train.ids, by_kind["repair", None])]
    assert np.bincount(groups, minlength=len(GROUP_NAMES)).tolist() == removal.removed_by_group


def test_the_wrong_labels_among_them_look_wrong_to_models_that_never_saw_them(
    planted: tuple[Result, BoolArray, Split],
) -> None:
    result, is_wrong_N, train = planted
    removal = result.history.removal
    assert removal is not None
    assert removal.suspected is not None
    ids = {found.kind: found.ids for found in removal.left_out if found.kind in ("repair", "suspected")}
    assert len(ids["repair"]) == removal.chosen
    assert len(ids["suspected"]) == removal.suspected.n
    assert [i for i in ids["repair"] if i in ids["suspected"]] == ids["suspected"], "in their order"
    is_wrong = dict(zip(train.ids.tolist(), is_wrong_N.tolist(), strict=True))
    wrong, right = ([i for i in ids["repair"] if is_wrong[i] == answer] for answer in (True, False))
    assert len(set(ids["suspected"]).intersection(wrong)) > 0.9 * len(wrong)
    assert len(set(ids["suspected"]).intersection(right)) <= 0.5 * len(right)
    assert removal.suspected.known_wrong_by_group is None, "the data do not say which they are"
    assert {(p.n_removed, p.seed) for p in removal.points if p.kind == "suspected"} == {
        (removal.suspected.n, 0)
    }


def test_where_nothing_can_be_gained_it_is_erm(tmp_path: Path) -> None:
    train, val = make_split(160, strength=0.5), val_split()
    network = {"epochs": 3, "batch_size": 16, "seeds": [0]}
    result = run(make_attributor(tmp_path), train, val, network=network)
    erm = run_method(make_recipe("erm", settings=make_settings(**network)), train, val)
    removal = result.history.removal
    assert removal is not None
    assert removal.chosen == 0
    assert len(removal.tried) == 2
    assert not result.controls
    assert not any(removal.removed_by_group)
    assert removal.left_out == []
    for name, value in erm.weights[0].items():
        assert torch.equal(value, result.weights[0][name]), name
    untimed = [[e.model_dump(exclude={"seconds"}) for e in h.history.epochs] for h in (result, erm)]
    assert untimed[0] == untimed[1]
    assert result.history.seconds > sum(e.seconds for e in result.history.epochs), "the search took time"


def test_given_groups_need_validation_images(tmp_path: Path) -> None:
    val = val_split()
    with pytest.raises(InputError, match=r"none in: right/red.*methods\.repair\.groups: inferred"):
        run(make_attributor(tmp_path), make_split(60), val.take(val.groups != HARMED))
