"""The Vision Transformer: built, saved, trained, mapped and attributed like any other network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from pipeline.artifacts.checkpoints import load_weights, save_weights
from pipeline.attribution.estimators.trak import TrakStore
from pipeline.attribution.selection import Examples
from pipeline.core.errors import InputError
from pipeline.explain.cam.adapter import choose_layer, raw_cams
from pipeline.models.interface import Classifier
from pipeline.models.registry import build_model
from pipeline.models.vision_transformer import Tokens, VitClassifier, build_vit, tokens_to_map
from pipeline.train.loop import train_seed
from tests.fixtures.attribution import make_settings
from tests.fixtures.train import make_erm, make_job, make_split

pytestmark = pytest.mark.slow

GREY = [0.5] * 3


def build(image_size: int | None = 16, n_classes: int = 2) -> Classifier:
    return build_model(
        "vit_tiny",
        n_classes=n_classes,
        width=4,
        image_size=image_size,
        pretrained=True,  # no weights of this size exist: never downloaded
        mean=GREY,
        std=GREY,
        seed=0,
    )


def small(depth: int = 2) -> VitClassifier:
    torch.manual_seed(0)
    return build_vit(16, 3, GREY, GREY, depth=depth, hidden=12, mlp=16).eval()


@pytest.mark.parametrize("side", [16, 32, 64])
def test_it_has_the_shape_of_a_classifier(side: int) -> None:
    model = build(side, n_classes=5).eval()
    pixels = torch.rand(2, 3, side, side)
    assert model(pixels).shape == (2, 5)
    assert model.embed(pixels).shape == (2, 192)
    torch.testing.assert_close(model.head(model.embed(pixels)), model(pixels))
    assert model.map_layers() == [f"stages.{i}.ln_1" for i in range(1, 7)]


@pytest.mark.parametrize("side", [None, 4, 30, 100])
def test_a_side_that_cannot_be_cut_is_an_error(side: int | None) -> None:
    with pytest.raises(InputError, match=rf"vit_tiny at data.image_size = {side}: .* multiple of 8"):
        build(side)


def test_it_is_rebuilt_from_its_file(tmp_path: Path) -> None:
    spec = {"name": "vit_tiny", "n_classes": 2, "width": 4, "stem_stride": 1, "image_size": 16}
    model = build().eval()
    save_weights(tmp_path / "w.safetensors", model.state_dict(), spec)
    pixels = torch.rand(2, 3, 16, 16)
    assert torch.equal(model(pixels), load_weights(tmp_path / "w.safetensors")(pixels))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_trains(precision: str) -> None:
    train, val = make_split(64), make_split(32, name="val")
    options = {"model": "vit_tiny", "optimizer": "adamw", "lr": 1e-3, "epochs": 2, "batch_size": 16}
    job = make_job(make_erm("last"), train, val, precision=precision, **options)
    outcome = train_seed(build(), train, val, job, resume=None, save=lambda _: None, tick=lambda _: None)
    assert outcome.precision == precision
    assert outcome.history[-1].train_loss < outcome.history[0].train_loss
    assert all(bool(torch.isfinite(value).all()) for value in outcome.weights.values())


def test_tokens_go_back_to_their_places() -> None:
    places = torch.cat([torch.full((1, 1, 1), -1.0), torch.arange(64.0).view(1, 64, 1)], dim=1)
    torch.testing.assert_close(tokens_to_map(places)[0, 0], torch.arange(64.0).view(8, 8))
    pictures = torch.rand(2, 3, 4, 4)
    assert small().to_map(pictures) is pictures


class MeanOfPatches(nn.Module):
    """Stands in for the blocks: every patch has an equal say in the class token."""

    def forward(self, tokens_NTD: Tensor) -> Tensor:
        return tokens_NTD[:, 1:].mean(dim=1, keepdim=True)


def test_a_planted_token_is_found_where_it_was_planted() -> None:
    """One white patch on black, a network that is surer the whiter: the map is that patch alone."""
    model = small()
    with torch.no_grad():
        tokens = model.stages[0]
        assert isinstance(tokens, Tokens)
        assert tokens.conv_proj.bias is not None
        tokens.conv_proj.weight.fill_(1)
        tokens.conv_proj.bias.fill_(12.0)  # black patches are then 0
        tokens.pos_embedding.zero_()
        model.head.weight.fill_(1)
    model.stages = nn.Sequential(tokens, MeanOfPatches())
    places = np.random.default_rng(0).integers(0, 8, (10, 2))
    images = np.zeros((10, 16, 16, 3), np.uint8)
    for image, (row, column) in zip(images, places, strict=True):
        image[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = 255
    maps = raw_cams(model, tokens, images, np.zeros(10, np.int64))
    expected = np.zeros((10, 8, 8), bool)
    expected[np.arange(10), places[:, 0], places[:, 1]] = True
    np.testing.assert_array_equal(maps > 1e-6, expected)


def test_maps_come_from_the_last_block_and_leave_no_trace() -> None:
    model = small().train()
    layer = choose_layer(model, 16, 4)
    assert (layer.name, layer.cells) == ("stages.2.ln_1", (8, 8))
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    assert raw_cams(model, layer.module, images, np.array([0, 1, 2])).shape == (3, 8, 8)
    assert model.training
    assert not any(m._forward_hooks for m in model.modules())
    with pytest.raises(InputError, match="has no map of cells"):
        choose_layer(model, 16, 4, "head")
    with pytest.raises(InputError, match=r"min_cells = 9.*stages\.1\.ln_1 8x8"):
        choose_layer(model, 16, 9)


def test_gradients_per_sample_equal_a_loop() -> None:
    model = small()
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
        [[small()]],
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
