"""Gradients from hooks against a plain loop, for every layer that has a rule and for whole networks."""

from __future__ import annotations

import logging

import pytest
import torch
from timm.layers import RmsNorm
from torch import Tensor, nn
from trak.modelout_functions import ImageClassificationModelOutput

from pipeline.attribution.gradients.log_odds import label_log_odds, one_minus_p
from pipeline.attribution.gradients.plan import Plan, make_plan
from pipeline.models.registry import build_model
from pipeline.models.small_resnet import Norm
from tests.fixtures.gradients import per_sample_gradients
from tests.fixtures.zoo import ARGS, MOBILENET, RESNET18, VIT, build_small

B, SIDE = 3, 8


class Flat(nn.Module):
    """Layers under test between pixels and logits."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.head = nn.LazyLinear(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x).flatten(1))


class Tokens(nn.Module):
    def forward(self, x_BCHW: Tensor) -> Tensor:
        return x_BCHW.flatten(2).transpose(1, 2)


class Attention(nn.Module):
    def __init__(self, *, batch_first: bool = True, bias: bool = True) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, bias=bias, batch_first=batch_first)
        self.first = batch_first

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.first else x.transpose(0, 1)
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return x if self.first else x.transpose(0, 1)


class ClassToken(nn.Module):
    def __init__(self, features: int, tokens: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, features))
        self.places = nn.Parameter(torch.randn(1, tokens + 1, features))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places


class Twice(nn.Module):
    """One layer called twice, and its weight shared with another."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.other = nn.Conv2d(3, 3, 3, padding=1)
        self.other.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.other(self.first(self.first(x).relu()))


class InPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.conv(x))


class Windows(nn.Module):
    """Swin's way: windows of an image stand in the batch's place."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 5)

    def forward(self, x: Tensor) -> Tensor:
        n = len(x)
        cut = x.unfold(2, 4, 4).unfold(3, 4, 4).permute(0, 2, 3, 4, 5, 1).reshape(n * 4, 16, 3)
        return self.linear(cut).reshape(n, -1)


def _norm() -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(3)
    with torch.no_grad():
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.2, 2)
        norm.weight.normal_()
    return norm


LAYERS = {
    "conv": lambda: nn.Conv2d(3, 5, 3, padding=1),
    "conv_stride_dilation": lambda: nn.Conv2d(3, 5, (3, 2), stride=(2, 1), padding=(2, 1), dilation=(2, 3)),
    "conv_groups": lambda: nn.Conv2d(3, 6, 3, groups=3, padding=1),
    "conv_two_groups": lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 6, 3, stride=2, groups=2)),
    "conv_same": lambda: nn.Conv2d(3, 5, 4, padding="same", bias=False),
    "conv_reflect": lambda: nn.Conv2d(3, 5, 3, padding=2, padding_mode="reflect"),
    "conv_circular": lambda: nn.Conv2d(3, 5, 3, padding=1, padding_mode="circular"),
    "conv_in_place_relu": InPlace,
    "batch_norm": lambda: nn.Sequential(_norm(), nn.ReLU(), _norm()),
    "batch_norm_1d": lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 6), nn.BatchNorm1d(6), nn.Tanh()),
    "group_norm": lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.GroupNorm(3, 6), nn.Tanh()),
    "layer_norm": lambda: nn.Sequential(Tokens(), nn.LayerNorm(3), nn.Tanh()),
    "rms_norm": lambda: nn.Sequential(Tokens(), nn.RMSNorm(3), nn.Tanh()),
    "rms_norm_all": lambda: nn.Sequential(nn.RMSNorm([3, SIDE, SIDE], eps=1e-3), nn.Tanh()),
    "rms_norm_of_timm": lambda: nn.Sequential(Tokens(), RmsNorm(3), nn.Tanh()),
    "layer_norm_all": lambda: nn.Sequential(nn.LayerNorm([3, SIDE, SIDE]), nn.Tanh()),
    "linear_tokens": lambda: nn.Sequential(Tokens(), nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2, bias=False)),
    "attention": lambda: nn.Sequential(Tokens(), nn.Linear(3, 6), Attention()),
    "attention_no_bias": lambda: nn.Sequential(
        Tokens(), nn.Linear(3, 6), Attention(batch_first=False, bias=False)
    ),
    "class_token": lambda: nn.Sequential(Tokens(), ClassToken(3, SIDE**2), nn.Linear(3, 6), nn.Tanh()),
    "twice_and_shared": Twice,
    "windows": Windows,
}


def _images(side: int = SIDE, n: int = B, n_classes: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(n, 3, side, side, generator=generator), torch.arange(n) % n_classes


def _loop(model: nn.Module, pixels: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """torch.autograd image by image, by traker's definition of the margin."""
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    rows: dict[str, list[Tensor]] = {name: [] for name in parameters}
    training = {module: module.training for module in model.modules()}
    model.eval()
    for pixel, label in zip(pixels, labels, strict=True):
        output = ImageClassificationModelOutput.get_output(model, {}, {}, pixel, label)
        grads = torch.autograd.grad(output, list(parameters.values()))
        for name, grad in zip(parameters, grads, strict=True):
            rows[name].append(grad)
    for module, flag in training.items():
        module.training = flag
    return {name: torch.stack(grads) for name, grads in rows.items()}


def _compare(model: nn.Module, pixels: Tensor, labels: Tensor, *, relative: float = 1e-5) -> Plan:
    plan = make_plan(model, pixels.shape[1:])
    found, expected = per_sample_gradients(model, pixels, labels, plan), _loop(model, pixels, labels)
    assert list(found) == list(expected)
    for name, grads in expected.items():
        assert found[name].shape == grads.shape
        assert float(grads.norm()) > 0
        for ours, theirs in zip(found[name], grads, strict=True):
            assert float((ours - theirs).norm()) <= relative * float(theirs.norm()) + 1e-9, name
    return plan


def _seeded(name: str) -> Flat:
    torch.manual_seed(0)
    model = Flat(LAYERS[name]())
    model(_images()[0][:2])  # the lazy head
    return model


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_equals_the_loop_without_fallback(name: str) -> None:
    plan = _compare(_seeded(name), *_images())
    assert plan.by_vmap == ()


@pytest.mark.parametrize("name", ["small_resnet", RESNET18, MOBILENET, VIT])
def test_networks_equal_the_loop(name: str) -> None:
    model = build_small(name, n_classes=4, width=6)
    _shake(model)
    assert _compare(model.train(), *_images(32)).by_vmap == ()


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_networks_normalized_within_images_equal_the_loop(norm: Norm) -> None:
    model = build_small("small_resnet", n_classes=4, width=8, norm=norm)
    assert _compare(model.train(), *_images(32)).by_vmap == ()


def test_a_transformer_with_layer_scale_equals_the_loop() -> None:
    model = build_small(VIT, n_classes=4, image_size=16, args={**ARGS[VIT], "init_values": 0.1})
    assert _compare(model, *_images(16)).by_vmap == ()


def test_parameters_without_room_for_the_images_do_not_cost_the_others_their_hooks() -> None:
    args = {"depths": (1, 1, 1, 1), "dims": (8, 8, 8, 8), "ls_init_value": 0.1}
    model = build_small("timm/convnext_atto", n_classes=4, args=args)
    plan = _compare(model, *_images(32))
    assert {name.rpartition(".")[2] for name in plan.by_vmap} == {"gamma"}
    assert not plan.is_looped


class Idle(nn.Module):
    """A table that is read by index, which one with room for the images does not bear; and for naught."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(12))

    def forward(self, x: Tensor) -> Tensor:
        return x + 0 * self.table[torch.arange(12)].sum()


def test_a_parameter_without_gradient_whose_hook_does_not_fit_is_not_hooked() -> None:
    torch.manual_seed(0)
    model = Flat(nn.Conv2d(3, 4, 3), nn.ReLU(), Idle())
    pixels, labels = _images()
    model(pixels)  # lazy layers take their shape
    plan = make_plan(model, pixels.shape[1:])
    assert plan.by_vmap == ("layers.2.table",)
    assert not per_sample_gradients(model, pixels, labels, plan)["layers.2.table"].any()


def test_vgg_with_in_place_relus_equals_the_loop() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(4), nn.Flatten(),
        nn.Linear(128, 16), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(16, 4),
    )  # fmt: skip
    assert _compare(model, *_images(16)).by_vmap == ()


def _shake(model: nn.Module) -> None:
    """BatchNorm statistics and affine parameters far from where they start."""
    torch.manual_seed(2)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.3, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)


def test_frozen_parameters_are_left_out_and_everything_is_restored() -> None:
    model = build_model(
        "small_resnet", n_classes=4, width=4, pretrained=False, mean=[0.5] * 3, std=[0.2] * 3, seed=0
    )
    model.train()
    model.stages[2].eval()
    for name, p in model.named_parameters():
        p.requires_grad_("stages.1" not in name and not name.endswith("bias"))
        p.grad = torch.full_like(p, 7.0)
    before = _state(model)
    plan = _compare(model, *_images(16))
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert plan.n_parameters == trainable < sum(p.numel() for p in model.parameters())
    assert _state(model) == before


def test_everything_is_restored_after_an_error() -> None:
    class Broken(nn.Module):
        broken = False

        def forward(self, x: Tensor) -> Tensor:
            if self.broken:
                raise ValueError("broken on purpose")
            return x

    model = Flat(Tokens(), ClassToken(3, SIDE**2), nn.Linear(3, 6), Attention(), Broken()).train()
    model(_images()[0][:2])
    plan = make_plan(model, (3, SIDE, SIDE))
    before = _state(model)
    Broken.broken = True
    with pytest.raises(ValueError, match="on purpose"):
        per_sample_gradients(model, *_images(), plan)
    assert _state(model) == before


def _state(model: nn.Module) -> list[object]:
    """Everything a pass might leave changed."""
    modules = [
        (m.training, len(m._forward_hooks), len(m._backward_hooks), "forward" in vars(m))
        for m in model.modules()
    ]
    grads = [None if p.grad is None else float(p.grad.sum()) for p in model.parameters()]
    return [modules, [(p.requires_grad, id(p)) for p in model.parameters()], grads]


class Scaled(nn.Module):
    """A parameter in a matrix product, for which there is no rule."""

    def __init__(self) -> None:
        super().__init__()
        self.mixing = nn.Parameter(torch.randn(3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bchw,cd->bdhw", x, self.mixing)


def test_fallback_equals_the_loop_and_is_said(caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    model = Flat(nn.Conv2d(3, 3, 3), Scaled(), nn.ConvTranspose2d(3, 2, 2))
    model(_images()[0][:2])
    with caplog.at_level(logging.INFO):
        plan = _compare(model, *_images())
    assert set(plan.by_vmap) == {"layers.1.mixing", "layers.2.weight", "layers.2.bias"}
    said = [record.getMessage() for record in caplog.records if "vmap" in record.getMessage()]
    assert len(said) == 1
    assert "layers.1 (Scaled)" in said[0]
    assert "layers.2 (ConvTranspose2d)" in said[0]


class Choosy(nn.Module):
    """Looks at its values, which torch.func.vmap refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.bright, self.dark = nn.Parameter(torch.randn(3, 3)), nn.Parameter(torch.randn(3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bchw,cd->bdhw", x, self.bright if x.sum() > 0 else self.dark)


def test_a_network_that_looks_at_its_values_is_looped_where_hooks_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    torch.manual_seed(0)
    model = Flat(nn.Conv2d(3, 3, 3), Choosy())
    model(_images()[0][:2])
    with torch.no_grad():
        model.layers[0].bias.fill_(3.0)  # every image takes the same turn
    with caplog.at_level(logging.INFO):
        plan = make_plan(model, (3, SIDE, SIDE))
    assert plan.is_looped
    assert set(plan.by_vmap) == {"layers.1.bright", "layers.1.dark"}, "another image may take the other turn"
    assert {layer.module for layer in plan.tapped} >= {"layers.0", "head"}
    (said,) = [r.getMessage() for r in caplog.records if "one image at a time" in r.getMessage()]
    assert "layers.1 (Choosy)" in said
    pixels, labels = _images()
    found = per_sample_gradients(model, pixels, labels, plan)
    model.layers[1].dark.requires_grad_(False)
    for name, expected in _loop(model, pixels, labels).items():
        torch.testing.assert_close(found[name], expected, rtol=1e-4, atol=1e-6)


def test_a_weight_used_behind_its_layers_back_is_found_out() -> None:
    class Sneaky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) @ self.inner.weight  # the second use has no hook

    torch.manual_seed(0)
    model = Flat(Tokens(), Sneaky())
    model(_images()[0][:2])
    assert _compare(model, *_images()).by_vmap == ("layers.1.inner.weight",)


def test_batch_statistics_go_to_the_fallback() -> None:
    torch.manual_seed(0)
    model = Flat(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, track_running_stats=False))
    model(_images()[0][:2])
    plan = _compare(model, *_images(), relative=1e-4)
    assert len(plan.by_vmap) == 5


def test_margin_and_weighting_are_trakers() -> None:
    logits, labels = torch.randn(5, 4) * 3, torch.tensor([0, 3, 1, 2, 2])
    task = ImageClassificationModelOutput()
    model = nn.Identity()
    theirs = [
        ImageClassificationModelOutput.get_output(model, {}, {}, row, label)
        for row, label in zip(logits, labels, strict=True)
    ]
    torch.testing.assert_close(label_log_odds(logits, labels), torch.stack(theirs))
    weights = task.get_out_to_loss_grad(model, {}, {}, (logits, labels))
    torch.testing.assert_close(one_minus_p(logits, labels), weights[:, 0])
