"""What would stop training for want of images is known from the groups' sizes."""

from __future__ import annotations

import re

import pytest

from pipeline.methods.feasibility import reason_against
from pipeline.records.data import GroupInfo
from pipeline.settings.methods import MethodName
from tests.fixtures.train import make_method

FULL, NO_TRAIN, NO_VAL, FEW = (100, 30), (0, 30), (100, 0), (5, 3)


def reason(method: MethodName, *sizes: tuple[int, int]) -> str | None:
    groups = [
        GroupInfo(name=f"g{i}", label="a", attribute="b", n_train=n, n_val=v, n_test=0)
        for i, (n, v) in enumerate(sizes)
    ]
    error = reason_against(make_method(method), groups, batch_size=32)
    return None if error is None else str(error)


@pytest.mark.parametrize("method", ["erm", "group_dro", "rwg", "subg", "rwy", "jtt", "dfr", "repair"])
def test_large_groups_rule_nothing_out(method: MethodName) -> None:
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
    method: MethodName, sizes: tuple[tuple[int, int], ...], message: str | None
) -> None:
    found = reason(method, *sizes)
    if message is None:
        assert found is None
    else:
        assert re.search(message, found or "")
