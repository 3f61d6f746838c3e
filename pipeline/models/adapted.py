"""A network that was written elsewhere, behind the interface of `Classifier`.

Shape legend: N images, C channels, S side of the packed images, T side that the network is made for,
K classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from pipeline.core.errors import CannotExplainError, InputError
from pipeline.models.dissect import as_map, find_head, find_maps, unwrap
from pipeline.models.interface import Classifier


@dataclass(frozen=True)
class Door:
    """How packed pixels become what a network is made for."""

    mean: Sequence[float] = (0.0, 0.0, 0.0)
    std: Sequence[float] = (1.0, 1.0, 1.0)
    side: int | None = None  # None: the images' own
    crop_pct: float = 1.0  # of the resized image's side, that the network sees
    interpolation: str = "bilinear"
    is_bgr: bool = False  # blue, green, red

    def changes(self, image_size: int) -> bool:
        """Whether images of this side are resized or cut."""
        return self.side is not None and (self.side != image_size or self._resized != image_size)

    @property
    def _resized(self) -> int:
        return math.floor((self.side or 0) / self.crop_pct + 1e-6)  # 224 / (224 / 256) is 256

    def matrix(self, image_size: int) -> Tensor | None:
        """T x S: what resizing and cutting the middle out do along one side; None where nothing is done.

        Both are linear, so that a product does the same as the image library, with gradients, and for
        many images under torch.func.
        """
        if self.side is None or not self.changes(image_size):
            return None
        # along a row: torch's smoothing of columns that are one pixel wide gives every row the first one
        basis = torch.eye(image_size).view(1, image_size, 1, image_size)
        size, is_smooth = (1, self._resized), self.interpolation in ("bilinear", "bicubic")
        resized = functional.interpolate(
            basis,
            size,
            mode=self.interpolation if is_smooth else "nearest-exact",
            antialias=is_smooth,
            **({"align_corners": False} if is_smooth else {}),
        )
        first = round((self._resized - self.side) / 2)
        return resized[0, :, 0, first : first + self.side].T.contiguous()


def enter(
    pixels_NCHW: Tensor, matrix_TS: Tensor | None, mean: Tensor, std: Tensor, *, is_bgr: bool = False
) -> Tensor:
    """Pixels in [0, 1] as a network is shown them, N x 3 x T x T."""
    if matrix_TS is not None:
        matrix = matrix_TS.to(pixels_NCHW.dtype)
        # cubic curves overshoot, and image libraries cut that off after each of the two directions
        pixels_NCHW = (matrix @ (pixels_NCHW @ matrix.T).clamp(0, 1)).clamp(0, 1)
    return ((pixels_NCHW.flip(1) if is_bgr else pixels_NCHW) - mean) / std


class Readout(nn.Module):
    """Logits of the dataset's classes from those of a network that knows more or finer ones.

    Several classes that are one here: the logarithm of their summed probabilities.
    """

    def __init__(self, columns: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.columns = [list(own) for own in columns]

    def forward(self, logits_NC: Tensor) -> Tensor:
        own = [logits_NC[:, columns].logsumexp(1) for columns in self.columns]
        return torch.stack(own, dim=1)


class Adapted(Classifier):
    """Door, network, head.

    The network's last linear layer is taken out and stands here as `head`; where it has none, or its
    classes are summed up, `head` is missing, and with it whatever needs the features before it.
    """

    def __init__(
        self,
        net: nn.Module,
        door: Door,
        *,
        image_size: int,
        columns: Sequence[Sequence[int]] | None = None,
        head: str | None = None,
    ) -> None:
        """`head`: name of the last linear layer, where it is not the one that is found.

        Args:
            columns: for each class of the dataset those of the network; None: they are the same.

        Raises:
            InputError: `head` is no linear layer of the network, or the network takes no images of this size.
        """
        super().__init__(door.mean, door.std)
        matrix = door.matrix(image_size)
        self.resize_TS: Tensor | None
        self.register_buffer("resize_TS", matrix, persistent=False)
        self.door, self.image_size = door, image_size
        self.columns = None if columns is None else [list(own) for own in columns]
        without_in_place(net)
        without_caches(net)
        self.net = net
        self._layers: list[str] | None = None
        self._layouts: dict[tuple[int, ...], str] = {}
        self.has_head = False
        self.readout: nn.Module = nn.Identity() if self.columns is None else Readout(self.columns)
        self.n_classes = 0  # not known of a network that holds no numbers
        if not any(p.is_meta for p in net.parameters()):
            was_training = net.training
            self._take_head(head)
            with torch.no_grad():
                self.n_classes = self._logits(self._run(self._probe())).shape[1]
                if not self._takes_channels_last():
                    self.memory_format = torch.contiguous_format
                net.train(was_training)

    def _takes_channels_last(self) -> bool:
        """Not where it asks for a `view` of what its convolutions give."""
        try:
            self._run(self._probe().contiguous(memory_format=torch.channels_last))
        except RuntimeError:
            return False
        return True

    @torch.no_grad()
    def _take_head(self, name: str | None) -> None:
        probe, is_given = self._probe(), name is not None
        self.net.eval()
        try:
            name = name or find_head(self.net, probe)
        except (RuntimeError, ValueError, AssertionError, TypeError) as error:
            raise InputError(
                f"the network does not take images of 3 x {probe.shape[2]} x {probe.shape[3]}: {error}. Give "
                "the side that it was made for as `input_size`."
            ) from None
        if name is None:
            return
        head = dict(self.net.named_modules()).get(name)
        if not isinstance(head, nn.Linear):
            known = [n for n, m in self.net.named_modules() if isinstance(m, nn.Linear)]
            raise InputError(f"head: {name!r} is no linear layer of the network; it has {', '.join(known)}.")
        before = self._run(probe)
        self.net.set_submodule(name, nn.Identity())
        if not self._gives(head, probe, before):  # it is used in another way too
            self.net.set_submodule(name, head)
            if is_given:
                raise InputError(
                    f"head: {name!r} is not the last layer: what it gives are not the network's logits. "
                    "Leave `head` out, or name the layer whose output they are."
                )
            return
        self.has_head = self.columns is None or all(len(own) == 1 for own in self.columns)
        rows = [own[0] for own in self.columns] if self.columns is not None and self.has_head else None
        self.head = _plain(head, rows)
        if self.has_head:  # its rows are the classes
            self.readout = nn.Identity()

    def _gives(self, head: nn.Linear, probe: Tensor, logits: Tensor) -> bool:
        """Whether the layer, taken out and put behind the network, gives the same."""
        try:
            found = head(self._run(probe))
        except (RuntimeError, ValueError, AssertionError, TypeError, AttributeError):
            return False  # another layer needs what it gave, or a function its weights
        return found.shape == logits.shape and bool(torch.allclose(found, logits, rtol=1e-4, atol=1e-5))

    def _enter(self, pixels_NCHW: Tensor) -> Tensor:
        entered = enter(pixels_NCHW, self.resize_TS, self.mean, self.std, is_bgr=self.door.is_bgr)
        return entered.contiguous() if self.memory_format == torch.contiguous_format else entered

    def _run(self, entered_NCTT: Tensor) -> Tensor:
        # Plain matrix products: fused attention has no per-sample gradients under vmap.
        with sdpa_kernel(SDPBackend.MATH):
            return unwrap(self.net(entered_NCTT))

    def embed(self, pixels_NCHW: Tensor) -> Tensor:
        """What the head is given, N x n_features.

        Raises:
            CannotExplainError: the network has no last linear layer.
        """
        if not self.has_head:
            raise CannotExplainError(why_no_head(self))
        return self._run(self._enter(pixels_NCHW))

    def n_features(self) -> int:
        """As `embed`."""
        if not self.has_head:
            raise CannotExplainError(why_no_head(self))
        return super().n_features()

    def forward(self, pixels_NCHW: Tensor) -> Tensor:
        return self._logits(self._run(self._enter(pixels_NCHW)))

    def _logits(self, out_ND: Tensor) -> Tensor:
        if "head" in self._modules:
            out_ND = self.head(self.dropout(out_ND))
        logits: Tensor = self.readout(out_ND)
        return logits

    def map_layers(self) -> list[str]:
        if self._layers is None:
            self._layers = []  # whoever listens to the network meanwhile asks `to_map`
            names, self._layouts = find_maps(self.net, self._probe())  # type: ignore[assignment]
            self._layers = [f"net.{name}" for name in names]
        return self._layers

    def to_map(self, output: Tensor) -> Tensor:
        self.map_layers()
        return as_map(output, self._layouts.get(tuple(output.shape[1:])))  # type: ignore[arg-type]

    def cascade(self) -> list[str]:
        parts = [f"net.{name}" for name in _parts(self.net)]
        return [*(["head"] if "head" in self._modules else []), *reversed(parts)]

    def _probe(self) -> Tensor:
        pixels = torch.rand(
            (1, 3, self.image_size, self.image_size), generator=torch.Generator().manual_seed(0)
        )
        # of a network without its head nothing may be left that has parameters
        known = next((p for p in self.net.parameters()), self.mean)
        return self._enter(pixels.to(known.device)).to(known.dtype)


def why_no_head(model: Adapted) -> str:
    """Why the features before the last layer cannot be had."""
    if "head" in model._modules:
        return (
            "several of the network's classes are one class here, so that no linear layer gives the logits: "
            "what is read off the features before it (last_layer, clusters, dfr) is not to be had. Map each "
            "class to one."
        )
    return (
        f"{type(model.net).__name__} makes its logits in another way than by one last linear layer: what is "
        "read off the features before it (last_layer, clusters, dfr) is not to be had. Name the layer as "
        "`head`, if there is one."
    )


def without_in_place(net: nn.Module) -> None:
    """Activations that keep what they are given: per-sample gradients under vmap need it."""
    for module in net.modules():
        if getattr(module, "inplace", False) is True:
            module.inplace = False  # type: ignore[assignment]


def without_caches(net: nn.Module) -> None:
    """Attention that keeps its biases from image to image (LeViT and its kin) makes them anew each time.

    What is kept is of other weights after these were loaded, and holds a graph that was gone back through.
    """
    for module in net.modules():
        if isinstance(getattr(module, "attention_bias_cache", None), dict):
            module.register_forward_pre_hook(_forget)


def _forget(module: nn.Module, _: Any) -> None:
    module.attention_bias_cache.clear()  # type: ignore[operator,union-attr]


def _plain(head: nn.Linear, rows: Sequence[int] | None) -> nn.Linear:
    """The same layer as torch's own, with these outputs; subclasses have a `forward` without fast rules."""
    with torch.no_grad():
        weight = head.weight if rows is None else head.weight[list(rows)].clone()
        bias = head.bias if rows is None or head.bias is None else head.bias[list(rows)].clone()
    plain = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    plain.weight = weight if isinstance(weight, nn.Parameter) else nn.Parameter(weight)
    if bias is not None:
        plain.bias = bias if isinstance(bias, nn.Parameter) else nn.Parameter(bias)
    return plain


def _parts(net: nn.Module, least: int = 3) -> list[str]:
    """The largest parts with parameters, at least three where there are: what is inside a lone one."""
    parts = [(name, m) for name, m in net.named_children() if any(True for _ in m.parameters())]
    while parts and len(parts) < least:
        largest = max(parts, key=lambda part: sum(p.numel() for p in part[1].parameters()))
        inside = [
            (f"{largest[0]}.{name}", m)
            for name, m in largest[1].named_children()
            if any(True for _ in m.parameters())
        ]
        if not inside:
            break
        at = parts.index(largest)
        parts[at : at + 1] = inside
    return [name for name, _ in parts]
