"""Small data and networks of studies: what is planted is there, and measures agree with plain ones."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from studies.frame.registry import NAMES
from studies.small.images import cued_digits, first, plain_digits
from studies.small.measures import adaptive_sharpness, along_line, group_losses
from studies.small.networks import accuracies, make_mlp, train_network


def test_the_tint_is_as_strong_and_as_easy_as_planted() -> None:
    train, test = cued_digits(0, 1000, strength=0.9, ease=3.0)
    agrees = train.labels == train.attributes
    assert [agrees[train.labels == label].mean() for label in (0, 1)] == pytest.approx([0.9, 0.9], abs=0.002)
    assert (test.labels == test.attributes).mean() == pytest.approx(0.5, abs=0.001)
    tint = test.images[..., 0].astype(float).min(axis=(1, 2)) - test.images[..., 2].min(axis=(1, 2))
    one, zero = tint[test.attributes == 1], tint[test.attributes == 0]
    d = (one.mean() - zero.mean()) / np.sqrt((one.var() + zero.var()) / 2)
    assert d == pytest.approx(3.0, abs=0.6)  # pixel noise lies over it


def test_without_a_distance_the_tint_says_nothing() -> None:
    _, test = cued_digits(0, 100, strength=0.9, ease=0.0)
    tint = test.images[..., 0].mean(axis=(1, 2)) - test.images[..., 2].mean(axis=(1, 2))
    assert abs(np.corrcoef(tint, test.attributes)[0, 1]) < 0.08


def test_dvc_knows_which_studies_depend_on_this() -> None:
    root = Path(__file__).parents[2]
    stages = YAML(typ="safe", pure=True).load((root / "studies" / "dvc.yaml").read_text())["stages"]
    for name in NAMES:
        reads = "studies.small" in (root / "studies" / f"{name}.py").read_text()
        assert ("studies/small" in stages[name]["deps"]) == reads


def test_no_digit_is_in_train_and_test() -> None:
    train, test = plain_digits(0, 1000)
    rows = {image.tobytes() for image in train.images}
    assert len(train) + len(test) == 1797
    assert sum(image.tobytes() in rows for image in test.images) <= 2  # scikit-learn has a few twins


@pytest.mark.slow
def test_the_loop_trains_and_says_when() -> None:
    train, test = plain_digits(0, 500)
    seen: list[int] = []
    model = make_mlp(train, [32], 10, seed=0)
    before = accuracies(model, test)[0]
    train_network(model, train, 0, steps=120, options={"lr": 0.05}, watch=lambda step, _: seen.append(step))
    assert seen == list(range(1, 121))
    assert before < 0.3
    assert accuracies(model, test)[0] > 0.85


def test_the_line_ends_at_its_networks_and_leaves_them() -> None:
    train, test = cued_digits(0, 200, strength=0.9, ease=3.0)
    start, end = make_mlp(train, [8], 2, seed=0), make_mlp(train, [8], 2, seed=1)
    before = copy.deepcopy(start.state_dict())
    (losses,) = along_line(start, end, [0.0, 0.5, 1.0], train, [test])
    assert losses[0] == pytest.approx(group_losses(start, test), rel=1e-5)
    assert losses[-1] == pytest.approx(group_losses(end, test), rel=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in start.state_dict().items())


def test_sharpness_does_not_know_the_scale_of_weights() -> None:
    train, _ = cued_digits(0, 200, strength=0.9, ease=3.0)
    model = make_mlp(train, [16], 2, seed=0)
    found = adaptive_sharpness(model, train, n=100)
    with torch.no_grad():
        model.layers[0].weight.mul_(4)
        model.layers[0].bias.mul_(4)
        model.head.weight.div_(4)
    assert adaptive_sharpness(model, train, n=100) == pytest.approx(found, rel=1e-3)
    assert found.worst > 0
    assert len(first(train, 100)) == 100
