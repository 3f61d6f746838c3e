"""A transformer of timm's: built, saved, trained, mapped and attributed like any other network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from pipeline.artifacts.checkpoints import load_weights, save_weights
from pipeline.attribution.estimators.trak import TrakStore
from pipeline.attribution.selection import Examples
from pipeline.core.errors import CannotExplainError, InputError
from pipeline.explain.cam.adapter import choose_layer, raw_cams
from pipeline.models.dissect import as_map
from pipeline.models.interface import Classifier
from pipeline.train.loop import train_seed
from tests.fixtures.attribution import make_settings
from tests.fixtures.train import make_erm, make_job, make_split
from tests.fixtures.zoo import ARGS, VIT, build_small

pytestmark = pytest.mark.slow


def small(image_size: int = 32, n_classes: int = 3) -> Classifier:
    return build_small(VIT, image_size=image_size, n_classes=n_classes).eval()


@pytest.mark.parametrize("side", [16, 32])
def test_it_has_the_shape_of_a_classifier(side: int) -> None:
    model = small(side, n_classes=5)
    pixels = torch.rand(2, 3, side, side)
    assert model(pixels).shape == (2, 5)
    assert model.embed(pixels).shape == (2, 12)
    torch.testing.assert_close(model.head(model.embed(pixels)), model(pixels))
    assert model.map_layers() == ["net.blocks.0"]  # behind the last block only the class token counts
    assert model.cascade() == ["head", "net.norm", "net.blocks", "net.patch_embed"]


def test_its_normalizations_may_be_of_another_kind() -> None:
    by_root_mean_square = build_small(VIT, args={**ARGS[VIT], "norm_layer": "rmsnorm"})
    assert by_root_mean_square.map_layers() == ["net.blocks.0"]


def test_a_side_below_that_of_a_patch_is_an_error() -> None:
    with pytest.raises(InputError, match=r"does not take images of 3 x 8 x 8: .*`input_size`"):
        build_small(VIT, image_size=8, args={**ARGS[VIT], "patch_size": 16})


def test_it_is_rebuilt_from_its_file(tmp_path: Path) -> None:
    spec = {"name": VIT, "n_classes": 3, "width": 4, "stem_stride": 1, "image_size": 16, "args": ARGS[VIT]}
    model = small(16)
    save_weights(tmp_path / "w.safetensors", model.state_dict(), spec)
    pixels = torch.rand(2, 3, 16, 16)
    assert torch.equal(model(pixels), load_weights(tmp_path / "w.safetensors")(pixels))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_trains(precision: str) -> None:
    train, val = make_split(64), make_split(32, name="val")
    network = {"model": VIT, "model_args": ARGS[VIT]}
    options = {**network, "optimizer": "adamw", "lr": 5e-3, "epochs": 3, "batch_size": 16}
    job = make_job(make_erm("last"), train, val, precision=precision, **options)
    outcome = train_seed(small(16), train, val, job, resume=None, save=lambda _: None, tick=lambda _: None)
    assert outcome.precision == precision
    assert outcome.history[-1].train_loss < outcome.history[0].train_loss
    assert all(bool(torch.isfinite(value).all()) for value in outcome.weights.values())


def test_tokens_go_back_to_their_places() -> None:
    places = torch.cat([torch.full((1, 1, 1), -1.0), torch.arange(64.0).view(1, 64, 1)], dim=1)
    torch.testing.assert_close(as_map(places, "NTD")[0, 0], torch.arange(64.0).view(8, 8))
    torch.testing.assert_close(as_map(places[:, 1:], "NTD")[0, 0], torch.arange(64.0).view(8, 8))
    torch.testing.assert_close(
        as_map(torch.arange(64.0).view(1, 8, 8, 1), "NHWC")[0, 0, 1, 0], torch.tensor(8.0)
    )
    pictures = torch.rand(2, 3, 4, 4)
    assert small().to_map(pictures) is pictures


class MeanOfPatches(nn.Module):
    """Stands in for the blocks: every patch has an equal say in the class token."""

    def forward(self, tokens_NTD: Tensor) -> Tensor:
        return tokens_NTD[:, 1:].mean(dim=1, keepdim=True)


def test_a_planted_token_is_found_where_it_was_planted() -> None:
    """One white patch on black, a network that is surer the whiter: the map is that patch alone."""
    model = small()
    model.map_layers()  # how tokens lie is known of the network as it was made
    net: Any = model.net
    with torch.no_grad():
        net.patch_embed.proj.weight.fill_(1)
        net.patch_embed.proj.bias.fill_(96.0)  # black patches are then 0
        net.pos_embed.zero_()
        net.cls_token.zero_()
        model.head.weight.fill_(1)
    net.blocks, net.norm = nn.Sequential(MeanOfPatches()), nn.Identity()
    places = np.random.default_rng(0).integers(0, 8, (10, 2))
    images = np.zeros((10, 32, 32, 3), np.uint8)
    for image, (row, column) in zip(images, places, strict=True):
        image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 255
    maps = raw_cams(model, net.norm_pre, images, np.zeros(10, np.int64))
    expected = np.zeros((10, 8, 8), bool)
    expected[np.arange(10), places[:, 0], places[:, 1]] = True
    np.testing.assert_array_equal(maps > 1e-6, expected)


def test_maps_come_from_before_the_last_attention_and_leave_no_trace() -> None:
    model = small().train()
    layer = choose_layer(model, 32, 4)
    assert (layer.name, layer.cells) == ("net.blocks.0", (8, 8))
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    assert raw_cams(model, layer.module, images, np.array([0, 1, 2])).shape == (3, 8, 8)
    assert model.training
    assert not any(m._forward_hooks for m in model.modules())
    with pytest.raises(InputError, match="has no map of cells"):
        choose_layer(model, 32, 4, "head")
    with pytest.raises(CannotExplainError, match=r"min_cells = 9.*net\.blocks\.0 8x8"):
        choose_layer(model, 32, 9)


def test_gradients_per_sample_equal_a_loop() -> None:
    model = small(16)
    parameters = {name: value.detach() for name, value in model.named_parameters()}
    buffers = dict(model.named_buffers())
    pixels = torch.rand(3, 3, 16, 16)

    def logit(values: dict[str, Tensor], image: Tensor) -> Tensor:
        out: Tensor = functional_call(model, (values, buffers), (image[None],))[0, 1]
        return out

    per_sample = vmap(grad(logit), in_dims=(None, 0))(parameters, pixels)
    for i, image in enumerate(pixels):
        grads = torch.autograd.grad(model(image[None])[0, 1], list(model.parameters()))
        for name, expected in zip(parameters, grads, strict=True):
            torch.testing.assert_close(per_sample[name][i], expected, rtol=1e-4, atol=1e-6)


def test_training_images_can_be_attributed(tmp_path: Path) -> None:
    """A target's own copy in the training set helps it more than nearly all others do."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (24, 16, 16, 3), dtype=np.uint8)
    labels, rows = rng.integers(0, 3, 24), np.arange(24)
    train = Examples(images, rows, labels, np.zeros(24, np.int64), rows)
    targets = Examples(images, rows[:6], labels[:6], np.zeros(6, np.int64), rows[:6])
    store = TrakStore(
        [[small(16)]],
        train=train,
        targets=targets,
        settings=make_settings(proj_dim=128, ridge=0.1, batch_size=8),
        work_dir=tmp_path,
        device="cpu",
    )
    store.compute()
    assert store.projection.gradients == "hooks"
    scores = store.scores().block(slice(0, 24), slice(0, 6))
    assert np.isfinite(scores).all()
    own = [np.mean(scores[:, i] <= scores[i, i]) for i in range(6)]
    assert np.mean(own) > 0.9
