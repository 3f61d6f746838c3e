"""What the loop is told about a method, and groups that a method cannot train with."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.core.errors import InputError
from pipeline.core.types import Split
from pipeline.train.groups import Groups
from pipeline.train.objectives import GroupDro, mean_loss
from pipeline.train.plans import Plan, listed_plan
from tests.fixtures.train import GROUP_NAMES, make_method, make_split, network_method

TRAIN, VAL = make_split(400, strength=0.8), make_split(80, name="val", strength=0.5)


def plan_of(name: str, train: Split = TRAIN, val: Split = VAL, **changes: object) -> Plan:
    groups = Groups(train.groups, val.groups, GROUP_NAMES)
    return network_method(name).plan(make_method(name, **changes), train, groups, batch_size=32)


def check_groups(name: str, groups: Groups, **changes: object) -> None:
    network_method(name).check(make_method(name, **changes), groups, batch_size=1)


def test_erm_draws_every_image_once() -> None:
    plan = plan_of("erm")
    assert sorted(plan.order(seed=0, epoch=2)) == list(range(400))
    assert plan.objective is mean_loss
    assert plan.initial_weights_G is None


@pytest.mark.parametrize("name", ["rwg", "group_dro"])
def test_rwg_and_group_dro_draw_groups_equally_often(name: str) -> None:
    plan = plan_of(name)
    drawn = np.concatenate([plan.order(seed=0, epoch=e) for e in range(20)])
    np.testing.assert_allclose(np.bincount(TRAIN.groups[drawn]) / 8000, 0.25, atol=0.02)
    assert plan.n_per_epoch == 400
    assert isinstance(plan.objective, GroupDro) == (name == "group_dro")


def test_rwy_draws_classes_equally_often_and_does_not_look_at_groups() -> None:
    train = TRAIN.take(np.r_[np.flatnonzero(TRAIN.labels == 0), np.flatnonzero(TRAIN.labels == 1)[:40]])
    plan = plan_of("rwy", train)
    drawn = np.concatenate([plan.order(seed=0, epoch=e) for e in range(20)])
    np.testing.assert_allclose(np.bincount(train.labels[drawn]) / len(drawn), 0.5, atol=0.03)
    shares = [np.bincount(split, minlength=4) / len(split) for split in (train.groups[drawn], train.groups)]
    ratio = shares[0][:2] / shares[1][:2]  # groups of class 0 keep their proportion
    assert ratio[0] == pytest.approx(ratio[1], rel=0.15)


@pytest.mark.parametrize(("keep_steps", "n_rows"), [(True, 400), (False, None)])
def test_subg_passes_over_its_subset(keep_steps: bool, n_rows: int | None) -> None:
    smallest = int(np.bincount(TRAIN.groups).min())
    plan = plan_of("subg", keep_steps=keep_steps)
    assert plan.n_per_epoch == (n_rows or 4 * smallest)
    order = plan.order(seed=1, epoch=0)
    assert len(order) == plan.n_per_epoch
    assert len(set(order)) == 4 * smallest


def test_a_listed_plan_draws_its_rows() -> None:
    plan = listed_plan(np.array([3, 3, 7]), Groups(TRAIN.groups, VAL.groups, GROUP_NAMES), "last")
    assert sorted(plan.order(seed=0, epoch=0)) == [3, 3, 7]


@pytest.mark.parametrize("name", ["group_dro", "rwg", "subg"])
def test_an_empty_group_is_an_error_that_names_it_and_the_remedy(name: str) -> None:
    train = TRAIN.take(TRAIN.groups != 2)
    with pytest.raises(
        InputError, match=rf"{name} needs.*none in: right/red\..*methods\.{name}\.allow_empty_groups"
    ):
        plan_of(name, train)
    plan = plan_of(name, train, allow_empty_groups=True)
    drawn = train.groups[plan.order(seed=0, epoch=0)]
    assert set(drawn) == {0, 1, 3}
    if name == "group_dro":
        assert torch.equal(plan.initial_weights_G, torch.tensor([1, 1, 0, 1], dtype=torch.float64) / 3)


@pytest.mark.parametrize("name", ["erm", "rwy"])
def test_methods_without_groups_do_not_mind_an_empty_group(name: str) -> None:
    assert plan_of(name, TRAIN.take(TRAIN.groups != 2)).n_per_epoch < 400


@pytest.mark.parametrize("name", ["erm", "jtt", "subg"])
def test_selection_by_groups_needs_validation_images_of_every_training_group(name: str) -> None:
    groups = Groups(TRAIN.groups, VAL.groups[VAL.groups != 1], GROUP_NAMES)
    rule = "worst_group_lower_bound"
    remedy = "allow_empty_groups: true" if name == "subg" else r": \{ selection: average \}\."
    with pytest.raises(
        InputError,
        match=rf"methods\.{name}\.selection: worst_group_lower_bound.*none in: left/blue\..*"
        rf"set methods\.{name}\.?{remedy}",
    ):
        check_groups(name, groups, selection=rule)
    check_groups(name, groups, selection="average")
    with_neither = Groups(TRAIN.groups[TRAIN.groups != 1], groups.val_V, GROUP_NAMES)
    if name != "subg":
        check_groups(name, with_neither, selection=rule)


def test_empty_groups_may_be_left_out_of_selection_too() -> None:
    groups = Groups(TRAIN.groups, VAL.groups[VAL.groups != 1], GROUP_NAMES)
    check_groups("rwg", groups, selection="worst_group", allow_empty_groups=True)
