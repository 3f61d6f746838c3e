"""Files that lie, are broken or would run code: nothing runs, and the error says what to do."""

from __future__ import annotations

import json
import os
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipeline.core.errors import InputError
from pipeline.models.adapted import Adapted
from pipeline.models.brought.networks import open_network
from pipeline.models.brought.open import Brought, bring, rebuild_brought, weights_of
from pipeline.models.brought.weights import read_weights
from pipeline.settings.models import HuggingfaceModel, PythonModel, TimmModel
from tests.fixtures.brought import NAMES, save_huggingface, save_timm

State = dict[str, Tensor]


def bring_timm(folder: Path, **options: Any) -> Brought:
    entry = TimmModel(kind="timm", path=str(folder), **options)
    return bring(
        entry, weights_of(entry, open_network(entry, "models.m"), "models.m")[0], NAMES, 64, "models.m"
    )


def bring_huggingface(folder: Path, **options: Any) -> Brought:
    entry = HuggingfaceModel(kind="huggingface", path=str(folder), **options)
    return bring(
        entry, weights_of(entry, open_network(entry, "models.m"), "models.m")[0], NAMES, 64, "models.m"
    )


# --- weights ----------------------------------------------------------------------------------------


class Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch ran.txt",)


def damaged(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda p: torch.save({"x": Evil()}, p), "nothing in it was run.*os|posix"),
        (lambda p: torch.save(nn.Linear(2, 2), p), r"nothing in it was run.*save_file\(model.state_dict"),
        (lambda p: torch.save([torch.zeros(1)], p), r"holds no tensors by name \(list\)"),
        (lambda p: torch.save({"epoch": 3}, p), r"holds no tensors by name \(dict\)"),
        (lambda p: torch.save(torch.zeros(1), p), r"holds no tensors by name \(Tensor\)"),
        (lambda p: torch.jit.save(torch.jit.script(nn.Linear(2, 2)), str(p)), "nothing in it was run"),
        (damaged(b""), "nothing in it was run"),
        (damaged(b"PK\x03\x04 and no more"), "nothing in it was run"),
        (damaged(b"<html>not found</html>"), "nothing in it was run"),
        (damaged(b"cos\nsystem\n(S'touch ran.txt'\ntR."), "nothing in it was run"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_checkpoints_run_nothing(
    write: Callable[[Path], None], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_timm(tmp_path / "net")
    write(tmp_path / "net" / "other.pt")
    with pytest.raises(InputError, match=says) as error:
        bring_timm(tmp_path / "net", weights="net/other.pt")
    assert "other.pt" in str(error.value)
    assert not Path("ran.txt").exists()


def test_a_checkpoint_that_holds_itself_ends(tmp_path: Path) -> None:
    found: dict[str, Any] = {"epoch": 1}
    found["state_dict"] = found
    torch.save(found, tmp_path / "w.pt")
    with pytest.raises(InputError, match="holds no tensors"):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize("keep", [0, 7, 200, -1])
def test_truncated_weights_are_told_of(keep: int, tmp_path: Path) -> None:
    save_timm(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(
        InputError, match=r"model.safetensors is not a whole safetensors file .* Save it again"
    ):
        bring_timm(tmp_path)


def changed(key: str, value: Callable[[Tensor], Tensor]) -> Callable[[State], State]:
    return lambda state: {**state, key: value(state[key])}


@pytest.mark.parametrize("bring_one", [bring_timm, bring_huggingface])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: {k: v for k, v in s.items() if v.ndim != 2}, "another network than ResNet.*1 .*missing"),
        (lambda s: {**s, "more.weight": torch.zeros(2)}, r"1 .*belong to no part of it \(more.weight\)"),
        (lambda s: {k: v[:1] if v.ndim == 2 else v for k, v in s.items()}, "1 .*have another shape"),
        (lambda s: {k: v * float("nan") if v.ndim == 2 else v for k, v in s.items()}, "1 tensors hold NaN"),
        (lambda s: {k: v / 0 if v.ndim == 4 else v for k, v in s.items()}, "NaN or infinity.*earlier epoch"),
        (lambda s: {k: v.to(torch.int8) for k, v in s.items()}, "int8 numbers .* as quantized weights do"),
        (lambda s: {"x": torch.zeros(1)}, "another network than"),
        (lambda s: {}, "another network than|holds no tensors"),
    ],
)
def test_weights_of_another_network_are_refused(
    bring_one: Any, change: Callable[[State], State], says: str, tmp_path: Path
) -> None:
    (save_timm if bring_one is bring_timm else save_huggingface)(tmp_path)
    path = tmp_path / "model.safetensors"
    save_file({k: v.contiguous() for k, v in change(load_file(path)).items()}, path)
    with pytest.raises(InputError, match=says) as error:
        bring_one(tmp_path)
    assert str(path) in str(error.value)


def test_counters_that_old_files_lack_are_not_missed(tmp_path: Path) -> None:
    for kind, save, bring_one in (
        ("timm", save_timm, bring_timm),
        ("huggingface", save_huggingface, bring_huggingface),
    ):
        save(tmp_path / kind)
        path = tmp_path / kind / "model.safetensors"
        state = {k: v for k, v in load_file(path).items() if not k.endswith("num_batches_tracked")}
        save_file(state, path)
        bring_one(tmp_path / kind)


@pytest.mark.parametrize("bring_one", [bring_timm, bring_huggingface])
@pytest.mark.parametrize(
    ("wrap", "prefix"),
    [
        (lambda s: s, ""),
        (lambda s: {"state_dict": s, "epoch": 3, "lr": 0.1}, ""),
        (lambda s: {"model": {"state_dict": s}}, ""),
        (lambda s: OrderedDict((f"module.{k}", v) for k, v in s.items()), "module."),
        (lambda s: {"state_dict": {f"model.{k}": v for k, v in s.items()}}, "model."),
        (lambda s: {f"module._orig_mod.{k}": v for k, v in s.items()}, "module._orig_mod."),
    ],
)
def test_wrapped_weights_are_unwrapped(bring_one: Any, wrap: Any, prefix: str, tmp_path: Path) -> None:
    (save_timm if bring_one is bring_timm else save_huggingface)(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    torch.save(wrap(state), tmp_path / "last.ckpt")
    one = bring_one(tmp_path, weights=[str(tmp_path / "last.ckpt")])
    pixels = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(one.model(pixels), bring_one(tmp_path).model(pixels))
    assert any(f"without `{prefix}` in front" in note for note in one.notes) == bool(prefix)


def test_what_a_wrapper_keeps_beside_the_network_is_named(tmp_path: Path) -> None:
    save_timm(tmp_path)
    state = {f"model.{k}": v for k, v in load_file(tmp_path / "model.safetensors").items()}
    torch.save({"state_dict": state | {"loss.weight": torch.ones(3)}}, tmp_path / "l.ckpt")
    with pytest.raises(InputError, match=r"tensors 1 belong to no part of it \(loss.weight\)"):
        bring_timm(tmp_path, weights=str(tmp_path / "l.ckpt"))


@pytest.mark.parametrize("bring_one", [bring_timm, bring_huggingface])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_computed_with_in_float32(
    bring_one: Any, dtype: torch.dtype, tmp_path: Path
) -> None:
    (save_timm if bring_one is bring_timm else save_huggingface)(tmp_path)
    path = tmp_path / "model.safetensors"
    state = load_file(path)
    save_file({k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}, path)
    one = bring_one(tmp_path)
    name = str(dtype).removeprefix("torch.")
    assert f"weights in {name} are computed with in float32" in one.notes
    assert {v.dtype for v in one.model.state_dict().values()} <= {torch.float32, torch.int64}


# --- folders ----------------------------------------------------------------------------------------


def test_each_kind_names_the_other(tmp_path: Path) -> None:
    save_timm(tmp_path / "t")
    save_huggingface(tmp_path / "h")
    with pytest.raises(
        InputError, match=r"models.m: .*config.json names no `model_type`.*write `kind: timm`"
    ):
        bring_huggingface(tmp_path / "t")
    with pytest.raises(InputError, match=r"names no `architecture`.*write `kind: huggingface`"):
        bring_timm(tmp_path / "h")


@pytest.mark.parametrize("bring_one", [bring_timm, bring_huggingface])
def test_what_is_no_folder_of_a_model_is_an_error(bring_one: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"models.m.path: .*nowhere does not exist"):
        bring_one(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"has no config.json. Give the folder"):
        bring_one(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"is a file. Give the folder"):
        bring_one(tmp_path / "file")
    (save_timm if bring_one is bring_timm else save_huggingface)(tmp_path)
    with pytest.raises(InputError, match=r"weights .*no.pt do not exist"):
        bring_one(tmp_path, weights=str(tmp_path / "no.pt"))
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"holds no model.safetensors. Write its file under `weights`"):
        bring_one(tmp_path)
    for text in ("", "{", "\xff", "[" * 100_000):
        (tmp_path / "config.json").write_text(text, encoding="latin-1")
        with pytest.raises(InputError, match=r"config.json is not JSON"):
            bring_one(tmp_path)
    for text in ("[]", "3", '"x"', "null"):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(InputError, match=r"config.json holds .*, not settings by name"):
            bring_one(tmp_path)


def edit(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


CFG = {"input_size": [3, 64, 64], "mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 1.0}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"architecture": "test_resnett"}, r"'test_resnett' is not one of timm .*test_resnet"),
        ({"architecture": ["x"]}, "is not one of timm"),
        ({"architecture": "hf-hub:someone/something"}, "is not one of timm"),
        ({"architecture": "local-dir:/tmp"}, "is not one of timm"),
        ({"architecture": "test_resnet.nobody_has_this"}, "timm cannot build|not one of"),
        ({"architecture": "test_convnext"}, "weights of another network than ConvNeXt"),
        ({"num_classes": "three"}, "timm cannot build test_resnet"),
        ({"num_classes": 4}, "have another shape"),
        ({"num_classes": 0}, "belong to no part"),
        ({"model_args": ["x"]}, "model_args of config.json is no mapping"),
        ({"model_args": {"no_such": 1}}, "timm cannot build test_resnet"),
        ({"model_args": {"checkpoint_path": "x.pt"}}, "holds checkpoint_path"),
        ({"model_args": {"pretrained": True}}, "holds pretrained"),
        ({"model_args": {"in_chans": 1}}, "made for images of 1 channels"),
        ({"pretrained_cfg": "x"}, "pretrained_cfg of .* is no mapping"),
        ({"pretrained_cfg": CFG | {"input_size": [1, 64, 64]}}, "made for images of 1 channels"),
        ({"pretrained_cfg": CFG | {"input_size": [3, 64, 32]}}, "64 x 32 px; .* `input_size`"),
        ({"pretrained_cfg": CFG | {"input_size": 64}}, "cannot be read"),
        ({"pretrained_cfg": CFG | {"mean": [0.5]}}, "1 numbers for 3 channels"),
        ({"pretrained_cfg": CFG | {"mean": "gray"}}, "preprocessing cannot be read"),
        ({"pretrained_cfg": CFG | {"std": [0.0, 1.0, 1.0]}}, "makes no sense: .*std"),
        ({"pretrained_cfg": CFG | {"crop_pct": -1}}, "makes no sense: .*crop_pct -1"),
        ({"pretrained_cfg": CFG | {"crop_pct": float("nan")}}, "makes no sense"),
        ({"pretrained_cfg": CFG | {"input_size": [3, 0, 0]}}, "makes no sense: .*side 0"),
        ({"label_names": "cat"}, "neither a list nor a mapping"),
        ({"label_names": {"0": "cat", "9": "dog"}}, "names output 9, .* are 0 to 2"),
        ({"label_names": {"x": "cat"}}, "neither a list nor a mapping"),
        ({"label_names": ["cat", "dog"]}, "the model names 2 classes, and the model has 3 outputs"),
    ],
)
def test_a_config_of_timm_that_lies(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    save_timm(tmp_path)
    edit(tmp_path, **changes)
    with pytest.raises(InputError, match=says) as error:
        bring_timm(tmp_path)
    assert "models.m" in str(error.value) or str(tmp_path) in str(error.value) or "the model names" in says


def test_labels_of_timm_may_be_numbered(tmp_path: Path) -> None:
    save_timm(tmp_path)
    edit(tmp_path, label_names={"2": "cat", "0": "owl", "1": "dog"})
    assert bring_timm(tmp_path).spec["columns"] == [[2], [1], [0]]
    edit(tmp_path, label_names={"2": "cat", "0": "owl"})
    with pytest.raises(InputError, match="no output for dog"):
        bring_timm(tmp_path)


def test_a_side_that_the_user_gives_is_taken(tmp_path: Path) -> None:
    save_timm(tmp_path)
    edit(tmp_path, pretrained_cfg=CFG | {"input_size": [3, 64, 32]})
    model = bring_timm(tmp_path, input_size=48, mean=[0.1] * 3).model
    assert isinstance(model, Adapted)
    assert (model.door.side, list(model.door.mean), model.door.crop_pct) == (48, [0.1] * 3, 1.0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_type": "no_such_thing"}, "no image classifier of model_type 'no_such_thing'"),
        ({"model_type": "bert"}, "no image classifier of model_type 'bert'"),
        ({"model_type": ["x"]}, "no image classifier of model_type"),
        ({"model_type": "convnext"}, "no image classifier|another network"),
        ({"auto_map": {"AutoModelForImageClassification": "evil.Net"}}, r"auto_map.*not run.*`kind: python`"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantized"),
        ({"num_channels": 1}, "made for images of 1 channels"),
        ({"image_size": [64, 32]}, None),
        ({"hidden_sizes": "wide"}, "no image classifier of model_type 'resnet'"),
        ({"depths": [1]}, "no image classifier|another network"),
        ({"layer_type": "evil"}, "no image classifier"),
        ({"id2label": {"a": "cat"}}, "neither a list nor a mapping"),
        ({"id2label": {"0": "cat", "7": "dog"}}, "names output 7"),
        ({"id2label": {"0": "cat", "1": "dog"}}, "another network"),
    ],
)
def test_a_config_of_transformers_that_lies(
    changes: dict[str, Any], says: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_huggingface(tmp_path)
    (tmp_path / "evil.py").write_text("open('ran.txt', 'w')")
    edit(tmp_path, **changes)
    if says is None:
        bring_huggingface(tmp_path)  # the processor's size is gone by
        (tmp_path / "preprocessor_config.json").unlink()
        says = "64 x 32 px; only squares"
    with pytest.raises(InputError, match=says):
        bring_huggingface(tmp_path)
    assert not Path("ran.txt").exists()


def test_code_for_attention_is_not_fetched(tmp_path: Path) -> None:
    save_huggingface(tmp_path, "vit")
    before = bring_huggingface(tmp_path).model
    for key in ("attn_implementation", "_attn_implementation", "_attn_implementation_internal"):
        edit(tmp_path, **{key: "someone/kernel"})
    pixels = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(bring_huggingface(tmp_path).model(pixels), before(pixels))


@pytest.mark.parametrize(
    ("saved", "says"),
    [
        ([], "preprocessor_config.json holds list"),
        ({"size": {"height": 64, "width": 32}}, "64 x 32 px"),
        ({"size": "big"}, "cannot be read"),
        ({"image_mean": "x"}, "cannot be read"),
        ({"image_std": [0, 1, 1]}, "makes no sense"),
        ({"rescale_factor": "x"}, "cannot be read"),
        ({"size": 64, "crop_pct": -0.5}, "makes no sense|cannot be read"),
        ({"size": -3}, "makes no sense"),
    ],
)
def test_a_processor_that_lies(saved: Any, says: str, tmp_path: Path) -> None:
    save_huggingface(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(saved))
    with pytest.raises(InputError, match=says):
        bring_huggingface(tmp_path)


def test_a_processor_with_code_of_its_own_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_huggingface(tmp_path)
    (tmp_path / "evil.py").write_text("open('ran.txt', 'w')\nclass P: pass")
    saved = {"auto_map": {"AutoImageProcessor": "evil.P"}, "image_processor_type": "P", "size": 64}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(saved))
    bring_huggingface(tmp_path)
    assert not Path("ran.txt").exists()


# --- functions --------------------------------------------------------------------------------------

NETS = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self, say=None):
        super().__init__()
        self.a, self.b, self.say = nn.Linear(3, 4), nn.Linear(4, 3), say
    def forward(self, x):
        z = self.b(self.a(x.mean((2, 3))))
        return self.say(z) if self.say else z
torch.manual_seed(0)
ONE = Net()
good = lambda: Net()
same = lambda: ONE
needs = lambda width: Net()
raises = lambda: 1 / 0
leaves = lambda: exit(3)
nothing = lambda: None
a_class = lambda: Net
boxed = lambda: Net(lambda z: {"logits": z})
unboxed = lambda: Net(lambda z: {"scores": z})
pair = lambda: Net(lambda z: (z, z.sum()))
single = lambda: Net(lambda z: z[:, :1])
flat = lambda: Net(lambda z: z[:, 0])
maps = lambda: Net(lambda z: z[:, :, None, None])
angry = lambda: Net(lambda z: 1 / 0)
empty = lambda: nn.Flatten()
meta = lambda: Net().to("meta")
lazy = lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
broken = lambda: [nn.init.constant_(n.a.weight, float("nan")) for n in [Net()]] and n
half = lambda: Net().half()
other = 3
def nan():
    net = Net()
    nn.init.constant_(net.a.weight, float("nan"))
    return net
def late():
    from helper import WIDTH
    return Net()
class Twice(Net):
    def forward(self, x):
        z = self.a(x.mean((2, 3)))
        return self.b(z) + self.b(2 * z)
twice = Twice
class Cosine(Net):
    def forward(self, x):
        z, w = self.a(x.mean((2, 3))), self.b.weight
        return nn.functional.linear(nn.functional.normalize(z), nn.functional.normalize(w))
cosine = Cosine
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NETS)
    Path("helper.py").write_text("WIDTH = 3")
    Path("fails.py").write_text("import no_such_package")
    Path("leaves.py").write_text("import sys\nsys.exit(2)")
    Path("typo.py").write_text("def f(:")
    return tmp_path


def bring_python(path: str, **options: Any) -> Brought:
    entry = PythonModel(kind="python", path=path, **{"classes": NAMES, **options})
    return bring(
        entry, weights_of(entry, open_network(entry, "models.m"), "models.m")[0], NAMES, 16, "models.m"
    )


@pytest.mark.usefixtures("nets")
@pytest.mark.parametrize("name", ["good", "boxed", "pair", "half", "late", "same", "twice", "Net"])
def test_functions(name: str) -> None:
    one = bring_python(f"nets.py:{name}")
    pixels = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        logits = one.model(pixels)
        assert logits.shape == (2, 3)
        again = rebuild_brought(json.loads(json.dumps(one.spec)))
        again.load_state_dict(one.model.state_dict())
        assert torch.equal(again.eval()(pixels), logits)
        if name == "same":
            for path in ("nets:same", "nets:same"):  # of a module, which is imported once
                assert torch.equal(bring_python(path).model(pixels), logits), "it was not taken apart"
            del sys.modules["nets"]


@pytest.mark.usefixtures("nets")
@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nets.py:god", r"nets.py has no function god.*good"),
        ("nets.py:other", "has no function other"),
        ("nets.py:needs", r"does not take `args: \{\}`: missing a required argument: 'width'"),
        ("nets.py:raises", "failed with ZeroDivisionError"),
        ("nets.py:leaves", "failed with SystemExit: 3"),
        ("nets.py:nothing", "returned NoneType, not a torch.nn.Module"),
        ("nets.py:a_class", "returned type, not a torch.nn.Module"),
        ("nets.py:unboxed", r"returns dict, in which there are no logits"),
        ("nets.py:single", r"has 1 output. .*torch.stack"),
        ("nets.py:flat", r"returns a tensor of 2; it must be images x classes"),
        ("nets.py:maps", r"returns a tensor of 2 x 3 x 1 x 1; it must be images x classes"),
        ("nets.py:angry", "does not take images of 3 x 16 x 16"),
        ("nets.py:empty", "parameters hold no numbers"),
        ("nets.py:meta", "parameters hold no numbers"),
        ("nets.py:lazy", "parameters hold no numbers"),
        ("nets.py:nan", "NaN or infinity"),
        ("gone.py:good", r"gone.py does not exist. Write `file.py:function`"),
        ("no_such_module:good", "no_such_module cannot be imported: ModuleNotFoundError"),
        (
            "fails.py:good",
            "fails.py cannot be imported: ModuleNotFoundError: No module named 'no_such_package'",
        ),
        ("leaves.py:good", "leaves.py cannot be imported: SystemExit"),
        ("typo.py:f", "typo.py cannot be imported: SyntaxError"),
    ],
)
def test_functions_that_fail(path: str, says: str) -> None:
    before = list(sys.path)
    with pytest.raises(InputError, match=says) as error:
        bring_python(path)
    assert str(error.value).startswith("models.m")
    assert sys.path == before


@pytest.mark.usefixtures("nets")
def test_args_and_heads_are_checked() -> None:
    with pytest.raises(InputError, match=r"does not take `args: \{'no': 1\}`"):
        bring_python("nets.py:good", args={"no": 1})
    assert bring_python("nets.py:good", head="b").model.head.out_features == 3
    with pytest.raises(
        InputError, match=r"models.m: head: 'c' is no linear layer of the network; it has a, b"
    ):
        bring_python("nets.py:good", head="c")
    with pytest.raises(InputError, match=r"models.m: head: 'a' is not the last layer"):
        bring_python("nets.py:good", head="a")
    with pytest.raises(InputError, match=r"models.m: head: 'b' is not the last layer"):
        bring_python("nets.py:cosine", head="b")  # a function uses its weights
    for name in ("twice", "cosine"):
        brought = bring_python(f"nets.py:{name}")
        assert not brought.model.has_head  # type: ignore[union-attr]
        assert any("another way than by one last linear layer" in note for note in brought.notes)


OWN = """
from pipeline.models.registry import build_model
def build():
    statistics = {"mean": [0.5] * 3, "std": [0.2] * 3}
    return build_model("small_resnet", n_classes=3, width=4, pretrained=False, **statistics, seed=1)
"""


@pytest.mark.parametrize(
    "classes", [NAMES, {n: k for k, n in enumerate(NAMES)}, {"cat": 2, "dog": 1, "owl": 0}]
)
def test_a_network_with_this_interface_keeps_it(
    classes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)
    one = bring_python("own.py:build", classes=classes)
    assert isinstance(one.model, Adapted) == (classes != NAMES)
    again = rebuild_brought(json.loads(json.dumps(one.spec)))
    again.load_state_dict(one.model.state_dict())
    pixels = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        logits = one.model(pixels)
        assert torch.equal(again.eval()(pixels), logits)
        plain = bring_python("own.py:build").model(pixels)
        order = [0, 1, 2] if isinstance(classes, list) else list(classes.values())
        torch.testing.assert_close(logits, plain[:, order])
