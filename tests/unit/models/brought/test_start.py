"""A network of the user's before its training: its first weights, and what cannot be trained."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipeline.core.errors import InputError
from pipeline.models.brought import start as start_module
from pipeline.models.brought.networks import open_network
from pipeline.models.brought.open import bring, rebuild_brought
from pipeline.models.brought.sources import source_files
from pipeline.models.brought.start import introduce, start
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits
from pipeline.models.registry import build_model
from pipeline.settings.models import HuggingfaceModel, NetworkModel, PythonModel, TimmModel
from tests.fixtures.brought import NAMES, save_huggingface, save_timm
from tests.fixtures.own_networks import CLASSES, own


def begin(entry: NetworkModel, seed: int = 0, pretrained: bool | str = False, **given: Any) -> Classifier:
    chosen = {"classes": CLASSES, "image_size": 16, **given}
    return start(entry, where="models.mine", pretrained=pretrained, seed=seed, **chosen).model


def weights(model: Classifier) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def of_timm(folder: Path) -> NetworkModel:
    save_timm(folder / "timm", names=CLASSES)
    return TimmModel(kind="timm", path=str(folder / "timm"))


def of_huggingface(folder: Path) -> NetworkModel:
    save_huggingface(folder / "hf", names=CLASSES)
    return HuggingfaceModel(kind="huggingface", path=str(folder / "hf"))


UNSAVED = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.flat, self.head, self.how = nn.Flatten(), nn.Linear(8, 2), how
        drawn = torch.randn(3 * 16 * 16, 8) / 28
        if how == "attribute":
            self.drawn = drawn
        elif how == "hidden":
            self.register_buffer("drawn", drawn, persistent=False)
        elif how == "list":
            self.layers = [nn.Linear(3 * 16 * 16, 8)]
        else:
            self.register_buffer("drawn", drawn)

    def forward(self, x):
        x = self.flat(x)
        return self.head(torch.relu(self.layers[0](x) if self.how == "list" else x @ self.drawn))

def make(how):
    return Net(how)
"""


def test_what_a_function_imports_from_beside_it_is_a_part_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {
        "net.py": "import torch\nfrom helper import width\nfrom parts import blocks\nimport pipeline",
        "helper.py": "import other.deep",
        "parts/__init__.py": "from . import near",
        "parts/near.py": "from .blocks import x\nfrom ..helper import y\nfrom ......... import z",
        "parts/blocks.py": "x = 1\nthis is no Python",
        "other/deep.py": "",
        "unused.py": "",
        "pipeline.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    entry = PythonModel(kind="python", path="net.py:make")
    wanted = {"net.py", "helper.py", "parts/__init__.py", "parts/near.py", "parts/blocks.py", "other/deep.py"}
    assert {str(path) for path in source_files(entry)} == wanted


@pytest.mark.parametrize("how", ["attribute", "hidden", "list", "buffer"])
def test_what_is_drawn_lies_in_the_weights_or_is_refused(tmp_path: Path, how: str) -> None:
    """Every stage calls the function again: else it would be another network there."""
    (tmp_path / "unsaved.py").write_text(UNSAVED)
    path = f"{tmp_path / 'unsaved.py'}:make"
    entry = PythonModel(kind="python", path=path, args={"how": how}, classes=CLASSES)
    with pytest.raises(InputError, match=r"no trained network to audit. Write its files under `weights`"):
        bring(entry, None, CLASSES, 16, "models.mine")
    if how == "buffer":
        introduce(entry, CLASSES, 16, "models.mine", pretrained=False)
        return
    file = tmp_path / "weights.safetensors"
    save_file(open_network(entry, "models.mine").net.state_dict(), file)
    with pytest.raises(InputError, match="it holds numbers that its state_dict lacks"):
        introduce(entry, CLASSES, 16, "models.mine", pretrained=False)
    with pytest.raises(InputError, match="it holds numbers that its state_dict lacks"):
        bring(entry, file, CLASSES, 16, "models.mine")


@pytest.mark.parametrize(
    "make", [of_timm, of_huggingface, lambda f: own("small", f), lambda f: own("elsewhere", f)]
)
def test_a_seed_decides_the_first_weights_and_leaves_other_draws_alone(
    tmp_path: Path, make: Callable[[Path], NetworkModel]
) -> None:
    entry = make(tmp_path)
    begin(entry)
    before = random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    first = begin(entry, 3)
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tolist() == states[1]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])
    assert len(before) == 3
    assert torch.equal(weights(first), weights(begin(entry, 3)))
    assert not torch.equal(weights(first), weights(begin(entry, 4)))


def test_the_embedded_network_as_a_function_has_the_same_first_weights(tmp_path: Path) -> None:
    theirs = begin(own("embedded", tmp_path), 5)
    statistics = {"mean": [0.4] * 3, "std": [0.2] * 3}
    ours = build_model("small_resnet", n_classes=2, width=4, pretrained=False, **statistics, seed=5)
    for (name, own_value), (other, value) in zip(
        theirs.state_dict().items(), ours.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(own_value, value)


def test_what_a_module_draws_once_is_the_same_in_a_process_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that keeps its network, and one that draws while it is imported."""
    (tmp_path / "kept_nets.py").write_text(
        "from functools import cache\nimport torch\nfrom torch import nn\nSHIFT = torch.rand(1).item()\n\n"
        "@cache\ndef kept():\n    return nn.Sequential(nn.Flatten(), nn.Linear(768, 2))\n\n"
        "def shifted():\n    net = nn.Sequential(nn.Flatten(), nn.Linear(768, 2))\n"
        "    nn.init.constant_(net[1].bias, SHIFT)\n    return net\n"
    )
    monkeypatch.chdir(tmp_path)
    found = []
    for seeds in ((0, 1), (1,)):  # a whole run, and a process that begins with the second seed
        start_module._called.clear()
        sys.modules.pop("kept_nets", None)
        for function in ("kept", "shifted"):
            entry = own("x", tmp_path).model_copy(update={"path": f"kept_nets:{function}"})
            found.append([weights(begin(entry, seed)) for seed in seeds][-1])
    assert torch.equal(found[0], found[2])
    assert torch.equal(found[1], found[3])


def test_a_rebuilt_network_takes_the_weights(tmp_path: Path) -> None:
    for function in ("embedded", "small", "Wrapped", "NoHead", "Viewed"):
        first = start(own(function, tmp_path), CLASSES, 16, "models.mine", pretrained=False, seed=1)
        again = rebuild_brought(first.spec)
        again.load_state_dict(first.model.state_dict())
        pixels = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
        np.testing.assert_array_equal(*(predict_logits(m, pixels) for m in (first.model, again.eval())))


# --- given weights -----------------------------------------------------------------------------------


def test_a_seed_starts_from_its_own_file_of_the_entry(tmp_path: Path) -> None:
    entry = own("small", tmp_path)
    files = []
    for seed in range(2):
        files.append(str(tmp_path / f"{seed}.safetensors"))
        torch.manual_seed(seed)
        save_file({k: torch.rand_like(v) for k, v in net_of(entry).items()}, files[-1])
    entry = entry.model_copy(update={"weights": files})
    for seed, file in ((0, 0), (1, 1), (2, 0), (5, 1)):
        assert torch.equal(begin(entry, seed, True).head.weight, load_file(files[file])["6.weight"])
    assert torch.equal(begin(entry, 7, files[1]).head.weight, load_file(files[1])["6.weight"])


def net_of(entry: NetworkModel) -> dict[str, Tensor]:
    from pipeline.models.brought.networks import open_network

    return {
        name: value.abs()
        for name, value in open_network(entry, "m").net.state_dict().items()
        if "num" not in name
    }


def test_a_function_that_keeps_its_weights_keeps_them(tmp_path: Path) -> None:
    (tmp_path / "given.py").write_text(
        "import torch\nfrom torch import nn\n\ndef make():\n"
        "    net = nn.Sequential(nn.Flatten(), nn.Linear(768, 2))\n"
        "    nn.init.constant_(net[1].weight, 0.5)\n    nn.init.zeros_(net[1].bias)\n    return net\n"
    )
    entry = own("small", tmp_path).model_copy(update={"path": f"{tmp_path / 'given.py'}:make"})
    for pretrained in (False, True):
        assert torch.equal(*(weights(begin(entry, seed, pretrained)) for seed in (0, 1)))


@pytest.mark.parametrize("kind", ["timm", "huggingface", "python"])
def test_a_head_for_other_classes_is_drawn_anew_and_said(tmp_path: Path, kind: str) -> None:
    entry: NetworkModel
    if kind == "python":
        entry, given = own("small", tmp_path), tmp_path / "five.safetensors"
        save_file(net_of(own("small", tmp_path, args={"n_out": 5})), given)
    else:
        entry = of_timm(tmp_path) if kind == "timm" else of_huggingface(tmp_path)
        given = tmp_path / "five"
        save = save_timm if kind == "timm" else save_huggingface
        save(given, names=[*NAMES, "fox", "hen"])  # type: ignore[operator]
    one = start(entry, CLASSES, 16, "models.mine", pretrained=str(given), seed=0)
    other = begin(entry, 1, str(given))
    assert any("was made for another number of classes" in note for note in one.notes)
    file = given if given.is_file() else given / "model.safetensors"
    saved = load_file(file)
    own_body = [v for k, v in one.model.state_dict().items() if k.startswith("net.") and v.ndim == 4]
    assert own_body
    assert all(any(torch.equal(v, w) for w in saved.values()) for v in own_body)
    assert one.model.head.weight.shape[0] == 2
    assert not torch.equal(one.model.head.weight, other.head.weight)
    assert torch.equal(one.model.head.weight, begin(entry, 0, str(given)).head.weight)
    with pytest.raises(InputError, match="has the weights of another network"):
        begin(entry.model_copy(update={"weights": [str(file)]}), 0, True)


def test_weights_of_another_body_are_refused(tmp_path: Path) -> None:
    save_file(net_of(own("Viewed", tmp_path)), tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="has the weights of another network than Sequential"):
        begin(own("small", tmp_path), 0, str(tmp_path / "other.safetensors"))
    with pytest.raises(InputError, match=r"train.pretrained = no does not exist. Give a file of weights"):
        begin(own("small", tmp_path), 0, "no")
    with pytest.raises(InputError, match=r"holds no model\.safetensors"):
        begin(own("small", tmp_path), 0, str(tmp_path))


# --- can it be trained? --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "args", "says"),
    [
        ("unseeded", {}, r"gives two networks \(head.weight differ\).*Let it draw weights from torch's own"),
        ("frozen", {"whole": True}, "all its parameters are frozen"),
        ("NoGradientAtAll", {}, "do not depend on parameters that can learn .* Let gradients through"),
        (
            "Unlike",
            {},
            "in training mode the network returns a tensor of 2 x 1 x 2 for 2 images and 2",
        ),
        ("Stops", {}, "in training mode the network stops with no targets"),
        ("small", {"n_out": 3}, r"needs an output for each of the 2 classes \(left, right\), and has 3. Let"),
        ("small", {"n_out": 1000}, r"and has 1,000. Let .*nets.py:small return one with 2 outputs, .*\.args"),
        ("small", {"n_out": 1}, "the network has 1 output"),
        ("HandNorm", {}, r"trained and built again, the network has other outputs .*register_buffer"),
        ("Counter", {}, "gives other logits for the same images, weights and seed"),
        ("OwnGenerator", {}, "has a generator of its own, or counts .* Draw from torch's own generator"),
    ],
)
def test_what_cannot_be_trained_is_said_before(
    tmp_path: Path, function: str, args: dict[str, Any], says: str
) -> None:
    entry = own(function, tmp_path, args=args)
    with pytest.raises(InputError, match=rf"(?s)models\.mine.*{says}"):
        introduce(entry, CLASSES, 16, "models.mine", pretrained=False)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("frozen", "2 of its 6 parameters are frozen (requires_grad is False) and stay as they are: net.0."),
        ("NoGradient", "4 of its 6 parameters get no gradient (its forward does not use them, detaches, or"),
        ("small", ""),
    ],
)
def test_what_stays_as_it_is_is_said(tmp_path: Path, function: str, says: str) -> None:
    notes = introduce(own(function, tmp_path), CLASSES, 16, "models.mine", pretrained=False).notes
    assert [note for note in notes if "parameters" in note][:1] == [
        note for note in notes if says and note.startswith(says)
    ]
    assert bool(says) == any(note.startswith(says) for note in notes if "parameters" in note)


def test_which_output_is_which_class_training_decides_and_weights_are_asked(tmp_path: Path) -> None:
    entry = own("embedded", tmp_path).model_copy(update={"classes": None})
    begun, told = begin(entry), begin(own("embedded", tmp_path))
    assert type(begun) is type(told), "the network itself, not one that is adapted"
    assert all(torch.equal(v, told.state_dict()[k]) for k, v in begun.state_dict().items())
    save_file(net_of(entry), tmp_path / "given.safetensors")
    with pytest.raises(InputError, match=r"Write it, .* `models.mine.classes: \[left, right\]`"):
        begin(entry, 0, str(tmp_path / "given.safetensors"))


@pytest.mark.parametrize("kind", ["timm", "huggingface"])
def test_a_folder_for_more_classes_is_told_so_unless_their_names_say_which(tmp_path: Path, kind: str) -> None:
    save: Any = save_timm if kind == "timm" else save_huggingface
    kinds: dict[str, Any] = {"timm": TimmModel, "huggingface": HuggingfaceModel}
    entry = kinds[kind](kind=kind, path=str(tmp_path / "net"))
    save(tmp_path / "net", names=["right", "fox", "left"])
    assert begin(entry)(torch.rand(2, 3, 16, 16)).shape == (2, 2)
    save(tmp_path / "net", names=["LABEL_0", "LABEL_1", "LABEL_2"])
    with pytest.raises(InputError, match=r"and has 3. Save one with 2 outputs there"):
        begin(entry)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("AlwaysDrops", "it answers the same image differently each time"),
        ("AlwaysNumpy", "it answers the same image differently each time"),
        ("OfTheBatch", "its answer to an image depends on the other images of the batch"),
        ("ForeignDropout", ""),
        ("small", ""),
    ],
)
def test_answers_that_depend_on_more_than_the_image_are_told(
    tmp_path: Path, function: str, says: str
) -> None:
    notes = start(own(function, tmp_path), CLASSES, 16, "models.mine", pretrained=False, seed=0).notes
    about = [note for note in notes if "answer" in note]
    assert [note.startswith(says) for note in about] == ([True] if says else [])


def test_a_function_that_seeds_itself_is_told_that_seeds_start_alike(tmp_path: Path) -> None:
    for function, is_told in (("same", True), ("small", False), ("elsewhere", False)):
        notes = introduce(own(function, tmp_path), CLASSES, 16, "models.mine", pretrained=False).notes
        assert any("every seed starts from the same weights" in note for note in notes) == is_told
        assert not any("says nothing of preprocessing" in note for note in notes), "it is trained as shown"


def test_several_outputs_of_one_class_are_trained_as_it(tmp_path: Path) -> None:
    entry = own("small", tmp_path, args={"n_out": 3}, classes={"left": [0, 2], "right": 1})
    model = begin(entry)
    logits = model(torch.rand(4, 3, 16, 16))
    assert logits.shape == (4, 2)
    nn.functional.cross_entropy(logits, torch.tensor([0, 1, 0, 1])).backward()
    assert all(p.grad is not None for p in model.parameters())
