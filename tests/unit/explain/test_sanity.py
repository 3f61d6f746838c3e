"""Cascading randomization: what is redrawn, what is left alone, and what the number says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.explain.cam.closed_form import raw_maps
from pipeline.explain.cam.sanity import check_randomization, redraw
from pipeline.models.interface import Classifier, StagedClassifier
from tests.fixtures.cam import make_split, train
from tests.fixtures.zoo import RESNET18, VIT, build_small

SEEDS = (0, 1)


def build(name: str = "small_resnet", seed: int = 0) -> Classifier:
    return build_small(name, image_size=16, seed=seed).eval()


@pytest.mark.parametrize("name", ["small_resnet", VIT, RESNET18])
def test_a_redraw_changes_every_weight_even_with_the_seed_of_the_network(name: str) -> None:
    for seed in SEEDS:
        model = build(name, seed)
        fresh = redraw(model, (seed, 0)).state_dict()
        for key, value in model.named_parameters():
            drawn_with_spread = value.std() > 0 if value.numel() > 1 else False
            if drawn_with_spread:
                assert not torch.allclose(fresh[key], value), key
        for key in ("mean", "std"):
            assert torch.equal(fresh[key], model.state_dict()[key])


def test_a_redraw_forgets_normalization_statistics_and_is_seeded() -> None:
    model = build()
    norm = model.get_submodule("stages.0.1")
    assert isinstance(norm, nn.BatchNorm2d)
    with torch.no_grad():
        norm.running_mean.fill_(3)  # type: ignore[union-attr]
        norm.weight.fill_(2)
    fresh, again, other = (redraw(model, entropy).state_dict() for entropy in ((0, 0), (0, 0), (0, 1)))
    assert float(fresh["stages.0.1.running_mean"].abs().sum()) == 0
    assert torch.equal(fresh["stages.0.1.weight"], torch.ones(4))
    assert torch.equal(fresh["head.weight"], again["head.weight"])
    assert not torch.equal(fresh["head.weight"], other["head.weight"])
    assert norm.weight.tolist() == [2, 2, 2, 2]


def test_parameters_that_no_module_can_draw_change_places() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factors = nn.Parameter(torch.arange(32.0).view(1, 8, 2, 2))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.factors

    model = build()
    model.stages[3] = Scale()
    (fresh, again, other) = (
        redraw(model, entropy).get_parameter("stages.3.factors") for entropy in ((0, 0), (0, 0), (0, 1))
    )
    assert fresh.shape == (1, 8, 2, 2)
    assert sorted(fresh.flatten().tolist()) == list(range(32))
    assert float((fresh != torch.arange(32.0).view_as(fresh)).float().mean()) > 0.8
    assert torch.equal(fresh, again)
    assert not torch.equal(fresh, other)
    assert model.get_parameter("stages.3.factors").flatten().tolist() == list(range(32)), "its own stay"


def check(models: list[Classifier], layer: str, images: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    predicted = np.stack([targets] * len(models))
    maps = np.stack([raw_maps(model, layer, images, targets) for model in models])
    steps = check_randomization(models, layer, images, predicted, maps, batch_size=32, seed=0)
    assert all(step.spearman.low <= step.spearman.value <= step.spearman.high for step in steps)
    return {step.layer: step.spearman.value for step in steps}


def test_a_trained_networks_maps_do_not_survive_and_the_network_does() -> None:
    split = make_split(512, 1, rho=1.0)
    model = train(split, 0, epochs=3)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    images, targets = split.images[:24], split.labels[:24]
    found = check([model], "stages.3", images, targets)
    assert list(found) == ["head", "stages.3", "stages.2", "stages.1", "stages.0"]
    assert all(value < 0.5 for value in found.values())
    assert found == check([model], "stages.3", images, targets)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_maps_that_ignore_the_network_survive() -> None:
    """A first stage without weights and a head of one class: the map is the image, up to a sign."""

    class Pixels(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.avg_pool2d(x, 4)[:, :1] + 4

    model = StagedClassifier(nn.Sequential(Pixels()), 1, 3, [0.5] * 3, [0.25] * 3).eval()
    with torch.no_grad():
        model.head.weight.fill_(1)
    images = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
    found = check([model], "stages.0", images, np.zeros(12, np.int64))
    assert list(found) == ["head"]  # the stage has nothing to redraw
    # Exactly 1 where the redrawn weight is positive, and 0 (blank) where it is not.
    assert found["head"] * 5 == pytest.approx(round(found["head"] * 5))


def test_blank_maps_leave_nothing_to_say() -> None:
    model = build()
    images = np.zeros((3, 16, 16, 3), np.uint8)
    maps = np.zeros((1, 3, 2, 2), np.float32)
    targets = np.zeros((1, 3), np.int64)
    assert check_randomization([model], "stages.3", images, targets, maps, batch_size=8, seed=0) == []
