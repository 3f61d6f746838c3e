"""Layer choice, raw maps, and that the model is left as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.core.errors import CannotExplainError, InputError
from pipeline.explain.cam.adapter import choose_layer, raw_cams
from pipeline.models.interface import Classifier
from pipeline.models.registry import build_model
from tests.fixtures.zoo import RESNET18, RESNET50, build_small


def build(name: str = "small_resnet", width: int = 4) -> Classifier:
    return build_model(
        name, n_classes=3, width=width, pretrained=False, mean=[0.5] * 3, std=[0.25] * 3, seed=0
    )


def noise(n: int, side: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def n_hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules())


@pytest.mark.parametrize(
    ("side", "min_cells", "name", "cells"),
    [(32, 4, "stages.3", (4, 4)), (64, 4, "stages.3", (8, 8)), (32, 8, "stages.2", (8, 8))],
)
def test_small_resnet_takes_the_last_stage_with_enough_cells(side, min_cells, name, cells):
    layer = choose_layer(build(), side, min_cells)
    assert (layer.name, layer.cells) == (name, cells)


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_maps_of_other_normalizations_lie_where_those_of_batches_do(norm):
    model = build_small("small_resnet", norm=norm)
    layer = choose_layer(model, 32, 4)
    assert (layer.name, layer.cells) == ("stages.3", (4, 4))
    maps = raw_cams(model, layer.module, noise(3, 32), np.array([0, 1, 2]))
    assert maps.shape == (3, 4, 4)
    assert np.isfinite(maps).all()
    assert maps.max() > 0


@pytest.mark.parametrize(
    ("side", "min_cells", "name", "cells"),
    [(32, 4, "net.layer2.1", (4, 4)), (64, 5, "net.layer2.1", (8, 8)), (128, 4, "net.layer4.1", (4, 4))],
)
def test_resnet18_skips_stages_that_are_too_coarse(side, min_cells, name, cells):
    resnet18 = build_small(RESNET18, image_size=side)
    layer = choose_layer(resnet18, side, min_cells)
    assert (layer.name, layer.cells) == (name, cells)
    assert layer.module is resnet18.get_submodule(name)


@pytest.mark.parametrize(("name", "last"), [(RESNET18, "net.layer3.1"), (RESNET50, "net.layer3.5")])
def test_one_cell_is_no_map_and_nothing_inside_a_block_stands_in(name, last):
    """A bottleneck's first layer still has 2 x 2 cells at 32 px, but half of the image goes around it."""
    layer = choose_layer(build_small(name), 32, 1)
    assert (layer.name, layer.cells) == (last, (2, 2))


def test_an_explicit_layer_is_taken_even_where_it_is_coarse():
    model = build_small(RESNET18)
    layer = choose_layer(model, 32, 4, "net.layer4.1")
    assert layer.name == "net.layer4.1"
    assert layer.cells == (1, 1)
    assert layer.module is model.get_submodule("net.layer4.1")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("stages.33", ["gradcam.layer = 'stages.33'", "did you mean 'stages.3", "stages.0"]),
        ("head", ["has no map of cells"]),
        ("", ["not a module"]),
    ],
)
def test_an_unusable_layer_name_is_an_error_that_names_the_choices(name, words):
    with pytest.raises(InputError) as error:
        choose_layer(build(), 32, 4, name)
    assert all(word in str(error.value) for word in words)


def test_no_stage_with_enough_cells_is_an_error_with_the_sizes():
    with pytest.raises(CannotExplainError, match=r"net\.maxpool 2x2.*min_cells to 4 or less"):
        choose_layer(build_small(RESNET18, image_size=8), 8, 5)


def test_choosing_and_mapping_leave_no_trace_on_the_model():
    model = build().train()
    for parameter in model.stages[0].parameters():
        parameter.requires_grad_(False)
    flags = [p.requires_grad for p in model.parameters()]
    before = {k: v.clone() for k, v in model.state_dict().items()}
    layer = choose_layer(model, 16, 4)
    for _ in range(3):
        raw_cams(model, layer.module, noise(5, 16), np.array([0, 1, 2, 0, 1]), batch_size=2)
    assert n_hooks(model) == 0
    assert model.training
    assert [p.requires_grad for p in model.parameters()] == flags
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_an_index_error_is_raised_not_swallowed_and_hooks_are_removed():
    model = build().train()
    layer = choose_layer(model, 16, 4)
    with pytest.raises(IndexError):
        raw_cams(model, layer.module, noise(2, 16), np.array([0, 7]))
    assert n_hooks(model) == 0
    assert model.training
    assert all(p.requires_grad for p in model.parameters())


def test_maps_are_raw_not_normalized():
    """Doubling the head doubles the maps; the library's own scaling would hide it."""
    model = build().eval()
    layer = choose_layer(model, 16, 4)
    images, targets = noise(6, 16), np.array([0, 1, 2, 0, 1, 2])
    once = raw_cams(model, layer.module, images, targets)
    with torch.no_grad():
        model.head.weight *= 2
    np.testing.assert_allclose(raw_cams(model, layer.module, images, targets), 2 * once, rtol=1e-5, atol=1e-9)
    assert once.dtype == np.float32
    assert once.shape == (6, *layer.cells)
    assert (once >= 0).all()


def test_no_positive_evidence_gives_a_blank_map():
    """Features after a ReLU, and a head that counts all of them against class 0."""
    model = build().eval()
    with torch.no_grad():
        model.stages[3] = nn.Identity()
        model.head = nn.Linear(16, 2, bias=False)
        model.head.weight[0], model.head.weight[1] = -1.0, 1.0
    maps = raw_cams(model, model.stages[2], noise(4, 16), np.array([0, 1, 0, 1]))
    assert (maps[[0, 2]] == 0).all()
    assert (maps[[1, 3]].max(axis=(1, 2)) > 0).all()


def test_rows_select_images_without_reading_others():
    model = build().eval()
    layer = choose_layer(model, 16, 4)
    images, rows = noise(8, 16), np.array([5, 1, 7])
    targets = np.array([2, 0, 1])
    picked = raw_cams(model, layer.module, images, targets, rows=rows, batch_size=2)
    np.testing.assert_allclose(
        picked, raw_cams(model, layer.module, images[rows], targets), rtol=1e-4, atol=1e-7
    )
