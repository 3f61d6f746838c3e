"""A file of weights from elsewhere calls no function that params.yaml does not name."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.artifacts.checkpoints import load_weights, save_weights
from pipeline.artifacts.plans import StagePlan, plan_path, save_plan
from pipeline.core.errors import ArtifactError, InputError
from pipeline.models.brought.open import bring
from pipeline.models.brought.sources import source_files
from pipeline.settings.models import PythonModel

WEIGHTS = Path("models/toy/mine/weights/seed_0.safetensors")
NETS = """
from pathlib import Path
import torch
from torch import nn

def build(width=4):
    torch.manual_seed(0)
    with Path("called.txt").open("a") as file:
        file.write("x")
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(width, 2))

def other(width=4):
    return build(width)
"""


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PythonModel:
    """A planned and read model in a project of its own."""
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NETS)
    entry = PythonModel(kind="python", path="nets.py:build", classes=["a", "b"])
    plan(entry)
    one = bring(entry, None, ["a", "b"], 16, "models.mine")
    save_weights(WEIGHTS, one.model.state_dict(), one.spec)
    Path("called.txt").unlink()
    return entry


def plan(entry: PythonModel, **also: Any) -> None:
    files = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in source_files(entry)}
    settings = {"brought": entry.model_dump(mode="json"), "entry": "mine", "files": files} | also
    save_plan(plan_path("train", "toy", "mine"), StagePlan(settings=settings, code="0"), {})


def forged(**made_of: Any) -> None:
    """The file again, with another function."""
    whole = {"kind": "python", "path": "nets.py:build", "args": {}, "digest": ""} | made_of
    spec = {"name": "brought", "where": "x", "made_of": whole, "door": {}, "image_size": 16}
    save_weights(WEIGHTS, {"x": torch.zeros(1)}, spec | {"columns": None, "head": None, "is_own": False})


@pytest.mark.usefixtures("entry")
def test_the_planned_function_rebuilds_it_also_from_an_absolute_path() -> None:
    pixels = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(load_weights(WEIGHTS)(pixels), load_weights(WEIGHTS.resolve())(pixels))
    assert Path("called.txt").exists()


@pytest.mark.parametrize(
    "made_of",
    [
        {"path": "os:getcwd"},
        {"path": "os:system", "args": {"command": "touch called.txt"}},
        {"path": "pathlib:Path"},
        {"path": "builtins:exec"},
        {"path": "nets.py:other"},
        {"path": "./nets.py:build"},
        {"args": {"width": 5}},
        {"digest": "0" * 64},
        {"more": 1},
    ],
)
@pytest.mark.usefixtures("entry")
def test_a_function_that_nobody_planned_is_not_called(made_of: dict[str, Any]) -> None:
    digest = {"digest": hashlib.sha256(NETS.encode()).hexdigest()}
    forged(**(digest if "nets" in made_of.get("path", "nets") else {}) | made_of)
    with pytest.raises(ArtifactError, match=r"was not called: .* Run `dvc repro train@toy-mine`"):
        load_weights(WEIGHTS)
    assert not Path("called.txt").exists()


def test_nor_without_a_plan_or_with_that_of_another_kind(entry: PythonModel) -> None:
    kinds: list[dict[str, Any]] = [
        {"brought": {"kind": "timm", "path": "nets.py:build"}},
        {"brought": {}},
        {"files": {}},
    ]
    for also in kinds:
        plan(entry, **also)
        with pytest.raises(ArtifactError, match="was not called"):
            load_weights(WEIGHTS)
    plan_path("train", "toy", "mine").unlink()
    with pytest.raises(ArtifactError, match="was not called"):
        load_weights(WEIGHTS)
    assert not Path("called.txt").exists()


def test_a_changed_function_is_not_called_with_old_weights(entry: PythonModel) -> None:
    Path("nets.py").write_text(NETS.replace("nn.ReLU", "nn.GELU"))
    with pytest.raises(InputError, match=r"nets\.py:build was changed since .* Run `dvc repro`"):
        load_weights(WEIGHTS)
    plan(entry)
    with pytest.raises(ArtifactError, match="was not called"):
        load_weights(WEIGHTS)
    assert not Path("called.txt").exists()


@pytest.mark.parametrize(
    "spec",
    [
        [],
        None,
        {},
        {"name": "brought"},
        {"name": "brought", "made_of": []},
        {"name": "brought", "made_of": {"kind": "python"}},
        {"name": "brought", "made_of": {"kind": "timm", "config": {}}, "where": "x"},
        {"name": "small_resnet", "n_classes": 3, "width": 4, "what": 1},
        {"name": "small_resnet", "n_classes": 3, "width": 4},
    ],
)
@pytest.mark.usefixtures("entry")
def test_a_spec_of_anything_else_is_an_error(spec: Any) -> None:
    save_weights(WEIGHTS, {"x": torch.zeros(1)}, spec)
    with pytest.raises(ArtifactError, match="holds no network that this version rebuilds"):
        load_weights(WEIGHTS)


@pytest.mark.parametrize("key", ["checkpoint_path", "pretrained", "cache_dir", "pretrained_cfg_overlay"])
@pytest.mark.usefixtures("entry")
def test_a_spec_makes_timm_read_no_other_file(key: str) -> None:
    torch.save({"x": torch.zeros(1)}, "other.pt")
    config = {"architecture": "test_vit", "model_args": {key: "other.pt"}}
    brought = {"name": "brought", "made_of": {"kind": "timm", "config": config}, "where": "x", "door": {}}
    own = {"name": "timm/test_vit", "n_classes": 2, "width": 4, "args": {key: "other.pt"}}
    for spec in (brought, own):
        save_weights(WEIGHTS, {"x": torch.zeros(1)}, spec)
        with pytest.raises(InputError, match=rf"{key}.*decide"):
            load_weights(WEIGHTS)
