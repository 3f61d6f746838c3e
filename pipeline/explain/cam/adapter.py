"""Raw GradCAM maps. The only module that knows the grad-cam package.

Shape legend: N images, C channels, H height, W width, h w cells of the map before upsampling.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from pytorch_grad_cam import GradCAM, GradCAMElementWise
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from pipeline.core.errors import CannotExplainError, InputError
from pipeline.core.types import Float32Array, Int64Array, UInt8Array
from pipeline.core.words import list_some
from pipeline.models.interface import Classifier
from pipeline.models.predict import to_pixels
from pipeline.settings.parsing import did_you_mean

WITHIN = "net."  # where a network that was written elsewhere lies within ours
MOST_NAMED = 60  # layers in a message


class CamLayer(NamedTuple):
    """The layer whose activations are mapped: module, dotted name, (height, width) in cells."""

    module: nn.Module
    name: str
    cells: tuple[int, int]
    is_tokens: bool = False  # of a transformer: mapped cell by cell


def library_name() -> str:
    """The package that computes the maps, with its version."""
    return f"grad-cam {importlib.metadata.version('grad-cam')}"


def choose_layer(
    model: Classifier, image_size: int, min_cells: int, name: str = "auto", asked_as: str = "gradcam.layer"
) -> CamLayer:
    """The last stage with at least `min_cells` x `min_cells` cells, or the module called `name`.

    A map of one cell says nothing about *where*: ResNet-18 ends in 1 x 1 at 32 px, so its maps come
    from an earlier stage there. Of a transformer, whose blocks mix all cells of a grid, the first block
    that has the last grid (decision 047). A name given explicitly is taken whatever its size; of a network
    that was written elsewhere it may be the name that it has there.

    Args:
        asked_as: the setting that holds `name`, for messages.

    Raises:
        CannotExplainError: no stage is large enough.
        InputError: `name` is no module of the model, or one without
            a spatial output.
    """
    if name != "auto":
        return _named_layer(model, image_size, name, asked_as)
    stages = {stage: model.get_submodule(stage) for stage in model.map_layers()}
    if not stages:
        raise CannotExplainError(
            "no part of the network gives a map of cells, so that GradCAM has nothing to show. Name a layer "
            "in gradcam.layer, if one does."
        )
    probed = _probe_cells(model, stages, image_size)
    large = [layer for layer in probed.values() if min(layer.cells) >= min_cells]
    if not large:
        sizes = ", ".join(f"{layer.name} {layer.cells[0]}x{layer.cells[1]}" for layer in probed.values())
        finest = max(min(layer.cells) for layer in probed.values())
        raise CannotExplainError(
            f"gradcam.min_cells = {min_cells}: no stage of the model has that many cells a side at "
            f"{image_size} px ({sizes}). Set min_cells to {finest} or less, name a layer in "
            "gradcam.layer, or raise data.image_size."
        )
    last = large[-1]
    return next(layer for layer in large if layer.cells == last.cells) if last.is_tokens else last


def _named_layer(model: Classifier, image_size: int, name: str, asked_as: str) -> CamLayer:
    modules = {known: module for known, module in model.named_modules() if known}
    full = name if name in modules else f"{WITHIN}{name}"
    found = _probe_cells(model, {full: modules[full]}, image_size) if full in modules else {}
    if full in found:
        return found[full]
    problem = "has no map of cells to look at" if full in modules else "is not a module of the model"
    spatial = [known.removeprefix(WITHIN) for known in _probe_cells(model, modules, image_size)]
    depth = max((stage.removeprefix(WITHIN).count(".") for stage in model.map_layers()), default=1)
    coarse = [known for known in spatial if known.count(".") <= depth]  # a network has hundreds
    raise InputError(
        f"{asked_as} = {name!r} {problem}{did_you_mean(name, spatial)}. Use auto, or a module that has one: "
        f"{list_some(coarse, MOST_NAMED)}."
    )


def raw_cams(
    model: Classifier,
    layer: nn.Module,
    images_NHW3: UInt8Array,
    targets_N: Int64Array,
    *,
    rows: Int64Array | None = None,
    batch_size: int = 64,
) -> Float32Array:
    """GradCAM maps N x h x w of the logits `targets_N`, in the logit's own units.

    relu(Σ_k w_k A_k) with w_k the mean gradient over cells, neither normalised nor upsampled: the
    library's min-max scaling makes a map of noise as bright as a map of evidence. A map without any
    positive evidence is all zero. With `rows`, only those images are read (N = len(rows)).

    Of tokens, which have no channels that mean the same everywhere, the gradients of each cell itself:
    Σ_k relu(g_k A_k) (decision 047).

    Model, training flag and gradient flags are left as they were, without hooks, also on errors.

    Source: Selvaraju et al. 2017 (arXiv:1610.02391); grad-cam's `GradCAMElementWise`.
    """
    rows_N = np.arange(len(images_NHW3)) if rows is None else rows
    if len(rows_N) != len(targets_N):
        raise ValueError(f"{len(rows_N)} images but {len(targets_N)} targets")
    device = next(model.parameters()).device
    maps = []
    with _open_cam(model, layer) as cam:
        for i in range(0, len(rows_N), batch_size):
            pixels = to_pixels(images_NHW3[rows_N[i : i + batch_size]], device)
            targets = [ClassifierOutputTarget(int(k)) for k in targets_N[i : i + batch_size]]
            maps.append(np.asarray(cam(pixels, targets), dtype=np.float32))
    return np.concatenate(maps) if maps else np.zeros((0, 0, 0), np.float32)


class _RawGradCam(GradCAM):  # type: ignore[misc]
    """GradCAM of one layer without the scaling that the base class applies twice; of tokens, cell by cell."""

    of_tokens = False

    def get_cam_image(self, *args: Any) -> Any:
        return (
            GradCAMElementWise.get_cam_image(self, *args) if self.of_tokens else super().get_cam_image(*args)
        )

    def compute_cam_per_layer(self, input_tensor: Tensor, targets: Sequence[Any], eigen_smooth: bool) -> Any:
        seen = self.activations_and_grads
        activations, grads = seen.activations[0].numpy(), seen.gradients[0].numpy()
        maps = self.get_cam_image(
            input_tensor, self.target_layers[0], targets, activations, grads, eigen_smooth
        )
        return np.maximum(maps, 0)

    def aggregate_multi_layers(self, cam_per_target_layer: Any) -> Any:
        return cam_per_target_layer


@contextmanager
def _open_cam(model: Classifier, layer: nn.Module) -> Iterator[_RawGradCam]:
    """One CAM object for many batches; hooks and flags are undone on the way out.

    The library's own context manager prints IndexErrors instead of raising them, and objects made
    per batch leave their hooks behind, so neither is used.
    """
    model.map_layers()  # before hooks are set: a network may have to be run to know its maps
    was_training = model.training
    required = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    # Registered before the library's hooks, so that those see a graph that starts at the layer:
    # the backward pass then skips everything before it.
    cut = layer.register_forward_hook(_start_graph)
    cam = None
    try:
        for parameter, _ in required:
            parameter.requires_grad_(False)
        cam = _RawGradCam(model=model, target_layers=[layer], reshape_transform=None)
        cam.activations_and_grads.reshape_transform = partial(_note_tokens, cam, model)
        with torch.enable_grad():
            yield cam
    finally:
        if cam is not None:
            cam.activations_and_grads.release()
        cut.remove()
        for parameter, flag in required:
            parameter.requires_grad_(flag)
        model.train(was_training)


def _note_tokens(cam: _RawGradCam, model: Classifier, output: Tensor) -> Tensor:
    mapped = model.to_map(output)
    cam.of_tokens = mapped is not output
    return mapped


def _start_graph(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
    return output.detach().requires_grad_(True)


@torch.no_grad()
def _probe_cells(model: Classifier, modules: dict[str, nn.Module], image_size: int) -> dict[str, CamLayer]:
    """Each module whose output for one image is a map, in the order of `modules`."""
    found: dict[str, CamLayer] = {}

    def note(name: str, output: Any) -> None:
        cells_NCHW = model.to_map(output) if isinstance(output, Tensor) else None
        if cells_NCHW is not None and cells_NCHW.ndim == 4:
            cells = (int(cells_NCHW.shape[2]), int(cells_NCHW.shape[3]))
            found[name] = CamLayer(modules[name], name, cells, cells_NCHW is not output)

    hooks = [
        module.register_forward_hook(lambda _m, _i, output, name=name: note(name, output))
        for name, module in modules.items()
    ]
    was_training = model.training
    try:
        model.eval()
        model(torch.zeros(1, 3, image_size, image_size, device=next(model.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
        model.train(was_training)
    return {name: found[name] for name in modules if name in found}
