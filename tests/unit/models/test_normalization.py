"""Normalization within an image: what it computes, that images stay separate, and that weights rebuild it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pipeline.artifacts.checkpoints import load_weights, save_weights
from pipeline.core.errors import InputError
from pipeline.models.fused import fuse_for_prediction
from pipeline.models.predict import predict_logits
from pipeline.models.registry import check_norm
from pipeline.models.small_resnet import Norm, normalization
from pipeline.train.networks import first_network, spec_of
from tests.fixtures.train import make_info, make_settings, make_split
from tests.fixtures.zoo import RESNET18, VIT, build_small

WITHIN: list[Norm] = ["group", "layer"]
PIXELS = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_layer_is_over_all_of_an_image() -> None:
    x = torch.randn(2, 6, 3, 3)
    norm = normalization("layer", 6)
    nn.init.uniform_(norm.weight)
    nn.init.normal_(norm.bias)
    expected = F.layer_norm(x, [6, 3, 3]) * norm.weight[:, None, None] + norm.bias[:, None, None]
    torch.testing.assert_close(norm(x), expected)


@pytest.mark.parametrize(
    ("channels", "groups"), [(4, 1), (8, 1), (24, 1), (32, 2), (64, 4), (100, 2), (80, 5)]
)
def test_a_group_has_16_channels_or_more(channels: int, groups: int) -> None:
    norm = normalization("group", channels)
    assert isinstance(norm, nn.GroupNorm)
    assert norm.num_groups == groups
    x = torch.randn(2, channels, 3, 3)
    parts = x.reshape(2, groups, -1)
    expected = (parts - parts.mean(2, keepdim=True)) / (
        parts.var(2, keepdim=True, correction=0) + 1e-5
    ).sqrt()
    torch.testing.assert_close(norm(x), expected.reshape(x.shape), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", ["batch", "group", "layer"])
def test_images_of_a_batch_are_separate_in_training_but_for_batch_normalization(norm: Norm) -> None:
    model = build_small("small_resnet", width=8, norm=norm).train()
    with torch.no_grad():
        alone, together = model(PIXELS[:2]), model(PIXELS)[:2]
    assert torch.allclose(alone, together, atol=1e-5) == (norm != "batch")


@pytest.mark.parametrize("norm", WITHIN)
def test_prediction_is_training_without_dropout_and_fused_the_same(norm: Norm) -> None:
    model = build_small("small_resnet", width=8, norm=norm).train()
    images = (PIXELS * 255).byte().permute(0, 2, 3, 1).numpy()
    with torch.no_grad():
        training = model(torch.from_numpy(images).permute(0, 3, 1, 2) / 255).numpy()
    np.testing.assert_allclose(predict_logits(model.eval(), images), training, atol=1e-4)
    np.testing.assert_allclose(predict_logits(fuse_for_prediction(model), images), training, atol=1e-4)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in model.modules())


@pytest.mark.parametrize("norm", ["batch", "group", "layer"])
def test_weights_rebuild_it(tmp_path: Path, norm: Norm) -> None:
    settings = make_settings(width=8, norm=norm)
    info = make_info(make_split(20), make_split(20, name="val"))
    model = first_network(settings, info.classes, 16, seed=0, mean=[0.4] * 3, std=[0.2] * 3)
    spec = spec_of(settings, info)
    assert ("norm" in spec) == (norm != "batch"), "files of batch normalization are what they were"
    save_weights(tmp_path / "w.safetensors", model.state_dict(), spec)
    rebuilt = load_weights(tmp_path / "w.safetensors")
    assert [type(m) for m in rebuilt.modules()] == [type(m) for m in model.modules()]
    with torch.no_grad():
        assert torch.equal(rebuilt(PIXELS), model.eval()(PIXELS))


@pytest.mark.parametrize("name", [RESNET18, VIT])
def test_networks_with_their_own_normalization_refuse_it(name: str) -> None:
    with pytest.raises(InputError, match=r"train\.norm = group is of small_resnet.*Set train\.norm: batch"):
        build_small(name, norm="group")


def test_what_the_refusal_tells_to_write_works() -> None:
    with pytest.raises(InputError, match=r"train\.model_args: \{ norm_layer: groupnorm \}"):
        check_norm(RESNET18, "layer")
    model = build_small(RESNET18, image_size=64, args={"channels": (32,) * 4, "norm_layer": "groupnorm"})
    assert any(isinstance(part, nn.GroupNorm) for part in model.modules())
    assert not any(isinstance(part, nn.BatchNorm2d) for part in model.modules())
    with pytest.raises(InputError, match="built into the network itself"):
        check_norm("models.mine", "group")
