"""What would stop training for want of images is known from the groups' sizes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.methods.run import reason_against
from pipeline.methods.subg import subset_size
from pipeline.records.data import GroupInfo
from pipeline.train.groups import Groups
from tests.fixtures.train import make_method, make_settings, make_setup

FULL, NO_TRAIN, NO_VAL, FEW = (100, 30), (0, 30), (100, 0), (5, 3)


def reason(method: str, *sizes: tuple[int, int]) -> str | None:
    groups = [
        GroupInfo(name=f"g{i}", label="a", attribute="b", n_train=n, n_val=v, n_test=0)
        for i, (n, v) in enumerate(sizes)
    ]
    setup = make_setup(method, settings=make_settings(batch_size=32), **make_method(method).model_dump())
    error = reason_against(setup, groups)
    return None if error is None else str(error)


@pytest.mark.parametrize(
    "method", ["erm", "group_dro", "rwg", "subg", "rwy", "jtt", "dfr", "exchange", "repair"]
)
def test_large_groups_rule_nothing_out(method: str) -> None:
    assert reason(method, FULL, FULL, FULL) is None


@pytest.mark.parametrize(
    ("method", "sizes", "message"),
    [
        ("erm", (FULL, FULL, NO_TRAIN), None),
        ("rwy", (FULL, FULL, FEW), None),
        ("group_dro", (FULL, FULL, NO_TRAIN), "group_dro needs training images in every group.* g2"),
        ("group_dro", (FULL, FULL, NO_VAL), "needs validation images in every group.* g2"),
        ("rwg", (FULL, FULL, FEW), None),
        ("subg", (FULL, FULL, FEW), "SUBG's subset has 15 images .*the smallest is g2"),
        ("jtt", (FULL, FULL, NO_VAL), "needs validation images in every group.* g2"),
        ("repair", (FULL, FULL, NO_TRAIN, FEW), None),
        ("repair", (FULL, FULL, NO_VAL), "needs validation images in every group.* g2"),
        ("dfr", (FULL, FULL, FEW), "DFR fits on as many images.* g2 has 3 in val"),
    ],
)  # fmt: skip
def test_small_groups_rule_out_what_cannot_work(
    method: str, sizes: tuple[tuple[int, int], ...], message: str | None
) -> None:
    found = reason(method, *sizes)
    if message is None:
        assert found is None
    else:
        assert re.search(message, found or "")


def test_a_subset_smaller_than_a_batch_is_refused_with_a_remedy() -> None:
    groups = Groups(np.repeat([0, 1, 3], [50, 7, 20]), np.empty(0, np.int64), ["a", "b", "c", "d"])
    assert subset_size(groups, batch_size=21) == 21, "the group without images does not count"
    with pytest.raises(InputError, match=r"21 images \(7 of each group; the smallest is b\).*22.*Use rwg"):
        subset_size(groups, batch_size=22)
