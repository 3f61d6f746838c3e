"""Folders that timm and transformers write give the libraries' own logits, features, maps and gradients."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data.transforms_factory import create_transform
from torch import Tensor, nn

from pipeline.attribution.gradients.plan import make_plan
from pipeline.core.errors import InputError
from pipeline.explain.cam.adapter import choose_layer, raw_cams
from pipeline.models.adapted import Adapted
from pipeline.models.brought.networks import open_network
from pipeline.models.brought.open import Brought, bring, rebuild_brought, weights_of
from pipeline.models.brought.processors import DIFFERS
from pipeline.models.brought.sources import source_files
from pipeline.models.brought.weights import read_weights
from pipeline.models.dissect import unwrap
from pipeline.settings.models import HuggingfaceModel, NetworkModel, TimmModel
from tests.fixtures.brought import HUGGINGFACE, NAMES, SIDE, TIMM, save_huggingface, save_processor, save_timm

PACKED = 48  # px: every network is shown resized images
LAST_MAPS = {  # of those whose names are known: the last map, of a class token before the last attention
    "test_resnet": "net.layer4.0",
    "test_convnext": "net.stages.3",
    "test_efficientnet": "net.bn2",
    "mobilenetv3_small_050": "net.blocks.5.0",
    "vit_tiny_patch16_224": "net.blocks.0",
    "deit_tiny_distilled_patch16_224": "net.blocks.0",
    "swin_tiny_patch4_window7_224": "net.layers.1",
    "resnet": "net.resnet.encoder.stages.3",
    "convnext": "net.convnext.encoder.stages.3",
    "vit": "net.vit.layers.0",
    "deit": "net.deit.layers.0",
    "swin": "net.swin.encoder.layers.0.downsample",
    "efficientnet": "net.efficientnet.encoder.top_activation",
    "mobilenet_v2": "net.mobilenet_v2.conv_1x1",
}


def bring_only(entry: NetworkModel, classes: list[str] = NAMES) -> Brought:
    weights = weights_of(entry, open_network(entry, "models.m"), "models.m")
    assert len(weights) == 1
    return bring(entry, weights[0], classes, PACKED, "models.m")


def pixels_of(seed: int = 0) -> Tensor:
    return torch.rand(3, 3, PACKED, PACKED, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def check(name: str, brought: Brought, own: nn.Module) -> Adapted:
    """Logits, a round trip, features, map and gradients of one network."""
    model, pixels = brought.model, pixels_of()
    assert isinstance(model, Adapted)
    logits = model(pixels)
    torch.testing.assert_close(logits, unwrap(own(model._enter(pixels))), atol=1e-5, rtol=1e-5)
    assert float(logits.std()) > 0
    again = rebuild_brought(json.loads(json.dumps(brought.spec)))
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval()(pixels), logits)
    assert model.n_classes == again.n_classes == len(NAMES)
    if model.has_head:
        assert torch.equal(model.head(model.embed(pixels)), logits)
    assert model.map_layers()[-1] == LAST_MAPS.get(name, model.map_layers()[-1])
    layer = choose_layer(model, PACKED, 2)
    images = (pixels.permute(0, 2, 3, 1) * 255).byte().numpy()
    maps = raw_cams(model, layer.module, images, np.array([0, 1, 2]))
    assert maps.shape == (3, *layer.cells)
    assert np.isfinite(maps).all()
    with torch.enable_grad():
        plan = make_plan(model, (3, PACKED, PACKED))
    # LeViT's normalizations see tokens as images, so that no hook fits: all of it goes by torch.func
    assert (len(plan.by_vmap) < len(plan.shapes)) == (name != "levit_128s")
    parts = model.cascade()
    assert len(parts) >= 3
    assert len(set(parts)) == len(parts)
    return model


@pytest.mark.parametrize("name", TIMM)
def test_timm(name: str, tmp_path: Path) -> None:
    own = save_timm(tmp_path, name)
    brought = bring_only(TimmModel(kind="timm", path=str(tmp_path)))
    has_head = name not in ("deit_tiny_distilled_patch16_224", "levit_128s")
    model = check(name, brought, own)
    assert model.has_head == has_head
    assert has_head == (not any("another way than by one last linear layer" in n for n in brought.notes))
    theirs = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    with torch.no_grad():
        entered = model._enter(pixels_of())
        torch.testing.assert_close(theirs(entered), own(entered), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", HUGGINGFACE)
def test_huggingface(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    own = save_huggingface(tmp_path, name)
    capfd.readouterr()
    caplog.set_level(logging.INFO)
    brought = bring_only(HuggingfaceModel(kind="huggingface", path=str(tmp_path)))
    assert capfd.readouterr() == ("", ""), "no bars, no tables"
    assert not caplog.records
    assert check(name, brought, own).has_head
    assert len(brought.notes) == 1, brought.notes
    assert "resized for it" in brought.notes[0]


def test_a_distilled_network_of_transformers_has_no_single_head(tmp_path: Path) -> None:
    from transformers import DeiTForImageClassificationWithTeacher

    plain: Any = save_huggingface(tmp_path, "deit", architectures=None)
    plain.config.architectures = None
    torch.manual_seed(0)
    own = DeiTForImageClassificationWithTeacher(plain.config).eval()
    own.save_pretrained(tmp_path)
    brought = bring_only(HuggingfaceModel(kind="huggingface", path=str(tmp_path)))
    assert not check("deit", brought, own).has_head


def test_both_forms_of_weights_give_the_same(tmp_path: Path) -> None:
    logits = []
    for kind in (True, False):
        save_timm(tmp_path / str(kind), safe_serialization=kind)
        logits.append(bring_only(TimmModel(kind="timm", path=str(tmp_path / str(kind)))).model(pixels_of()))
    assert (tmp_path / "False" / "pytorch_model.bin").is_file()
    assert not (tmp_path / "False" / "model.safetensors").exists()
    assert torch.equal(*logits)


def test_weights_in_several_files_are_one_network(tmp_path: Path) -> None:
    own: Any = save_huggingface(tmp_path / "whole")
    own.save_pretrained(tmp_path / "cut", max_shard_size="20KB")
    shutil.copy(tmp_path / "whole" / "preprocessor_config.json", tmp_path / "cut")
    entries = [HuggingfaceModel(kind="huggingface", path=str(tmp_path / name)) for name in ("whole", "cut")]
    assert torch.equal(*(bring_only(entry).model(pixels_of()) for entry in entries))
    parts = sorted((tmp_path / "cut").glob("model-*.safetensors"))
    assert len(parts) > 1
    assert not (tmp_path / "cut" / "model.safetensors").exists()
    assert set(parts) < set(source_files(entries[1])), "an exchanged part is another model"
    parts[0].unlink()
    with pytest.raises(InputError, match=f"names {parts[0].name}, which is not beside it"):
        bring_only(entries[1])


@pytest.mark.parametrize(
    ("index", "says"),
    [
        ({"weight_map": {"x": "../evil.safetensors"}}, "is no file of weights beside it"),
        ({"weight_map": {"x": "/etc/passwd"}}, "is no file of weights beside it"),
        ({"weight_map": {"x": "model.safetensors.index.json"}}, "is no file of weights beside it"),
        ({"weight_map": {}}, "names no files of weights"),
        ({"weight_map": ["a"]}, "names no files of weights"),
        ([], "holds list"),
    ],
)
def test_an_index_that_lies_is_refused(tmp_path: Path, index: Any, says: str) -> None:
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps(index))
    with pytest.raises(InputError, match=says):
        read_weights(path)


def test_a_folder_of_old_timm_is_read(tmp_path: Path) -> None:
    own = save_timm(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    old = {"architecture": config["architecture"], "num_classes": 3, "labels": NAMES, "mean": [0.1, 0.2, 0.3]}
    (tmp_path / "config.json").write_text(json.dumps({**old, "input_size": [3, 32, 32], "crop_pct": 0.8}))
    brought = bring_only(TimmModel(kind="timm", path=str(tmp_path)))
    model = check("", brought, own)
    assert (list(model.door.mean), model.door.side, model.door.crop_pct) == ([0.1, 0.2, 0.3], 32, 0.8)


def test_a_wrapper_of_transformers_around_timm_is_one_of_timm(tmp_path: Path) -> None:
    from transformers import TimmWrapperConfig, TimmWrapperForImageClassification

    labels = {"id2label": dict(enumerate(NAMES)), "label2id": {n: k for k, n in enumerate(NAMES)}}
    torch.manual_seed(0)
    wrapped: Any = TimmWrapperForImageClassification(
        TimmWrapperConfig(architecture="test_resnet", num_labels=3, **labels)
    ).eval()
    wrapped.save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"wraps a network of timm's\. Write `kind: timm`"):
        bring_only(HuggingfaceModel(kind="huggingface", path=str(tmp_path)))
    brought = bring_only(TimmModel(kind="timm", path=str(tmp_path)))
    check("test_resnet", brought, wrapped)
    assert "without `timm_model.` in front" in brought.notes[0]


# --- the door ---------------------------------------------------------------------------------------


def photo(side: int) -> Image.Image:
    """Smooth shapes with edges, as photos have them."""
    y, x = np.mgrid[0:side, 0:side] / side
    red, green, blue = 255 * x, 255 * (np.hypot(x - 0.4, y - 0.6) < 0.3), 127 * (1 + np.sin(9 * x * y))
    return Image.fromarray(np.stack([red, green, blue], axis=2).astype(np.uint8))


def shown(model: Adapted, image: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
    return model._enter(pixels)


def assert_same_pixels(ours: Tensor, theirs: Tensor, std: Any) -> None:
    """In units of pixels from 0 to 255: rounding, which the libraries do in between, and no more."""
    assert ours.shape == theirs.shape
    off = ((ours - theirs).abs() * torch.tensor(list(std)).view(1, 3, 1, 1)) * 255
    assert float(off.mean()) < 0.5
    assert float(off.max()) < 2.1


@pytest.mark.parametrize("side", [40, 64, 97])
@pytest.mark.parametrize(
    "door",
    [
        {"crop_pct": 0.875, "interpolation": "bicubic"},
        {"crop_pct": 0.9, "interpolation": "bilinear", "mean": (0.1, 0.2, 0.3), "std": (0.3, 0.2, 0.1)},
        {"crop_pct": 1.0, "crop_mode": "squash"},
    ],
)
def test_pixels_enter_as_by_timms_transform(door: dict[str, Any], side: int, tmp_path: Path) -> None:
    save_timm(tmp_path, data_config=door)
    entry = TimmModel(kind="timm", path=str(tmp_path))
    model = bring(entry, tmp_path / "model.safetensors", NAMES, side, "models.m").model
    assert isinstance(model, Adapted)
    theirs = timm.create_model(f"local-dir:{tmp_path}", pretrained=True)
    transform: Any = create_transform(**timm.data.resolve_data_config({}, model=theirs), is_training=False)
    image = photo(side)
    assert_same_pixels(shown(model, image), transform(image)[None], model.door.std)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ViT", {}),
        ("ViT", {"size": SIDE, "resample": 3}),
        ("ViT", {"do_normalize": False}),
        ("ViT", {"rescale_factor": 1 / 127.5, "image_mean": [1.0, 1.0, 1.0]}),
        ("ViT", {"do_rescale": False, "image_mean": [127.0, 120.0, 100.0], "image_std": [60.0, 50.0, 40.0]}),
        ("ConvNext", {}),
        ("ConvNext", {"size": {"shortest_edge": 384}}),
        ("DeiT", {}),
        ("DeiT", {"size": {"shortest_edge": 74}}),
        ("EfficientNet", {}),
        ("EfficientNet", {"rescale_offset": True, "include_top": False, "rescale_factor": 1 / 127.5}),
        ("MobileNetV2", {}),
        ("Levit", {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}}),
        ("PoolFormer", {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}}),
        ("MobileViT", {"size": {"shortest_edge": 70}, "crop_size": {"height": 64, "width": 64}}),
        ("Beit", {"size": 60, "do_center_crop": True, "crop_size": 56}),
    ],
)
def test_pixels_enter_as_by_their_processor(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    save_huggingface(tmp_path, processor=False)
    processor = save_processor(tmp_path, name, **options)
    brought = bring_only(HuggingfaceModel(kind="huggingface", path=str(tmp_path)))
    assert DIFFERS not in brought.notes
    assert isinstance(brought.model, Adapted)
    image = photo(PACKED)
    theirs = processor(image, return_tensors="pt")["pixel_values"]
    assert_same_pixels(shown(brought.model, image), theirs, brought.model.door.std)


def test_a_processor_that_does_more_is_told_of(tmp_path: Path) -> None:
    save_huggingface(tmp_path, processor=False)
    save_processor(tmp_path, "MobileViT", size={"shortest_edge": 50}, crop_size={"height": 64, "width": 64})
    entry = HuggingfaceModel(kind="huggingface", path=str(tmp_path))
    assert DIFFERS in bring_only(entry).notes, "it pads"
    own = entry.model_copy(update={"input_size": 64, "mean": [0.0] * 3, "std": [1.0] * 3})
    assert DIFFERS not in bring_only(own).notes, "the user said how"
    (tmp_path / "preprocessor_config.json").unlink()
    assert "preprocessor_config.json is missing" in bring_only(entry).notes[0]
    assert len(bring_only(own).notes) == 1
