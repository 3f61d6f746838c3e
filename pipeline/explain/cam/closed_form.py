"""Raw class activation maps: in closed form where the network allows it, by grad-cam elsewhere.

Shape legend: N images, C channels, H height, W width, h w cells of the map before upsampling.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import nn

from pipeline.core.types import Float32Array, Int64Array, UInt8Array
from pipeline.explain.cam.adapter import raw_cams
from pipeline.models.interface import Classifier, StagedClassifier
from pipeline.models.predict import to_pixels

ComputedBy = Literal["closed form", "grad-cam"]


def computed_by(model: Classifier, layer_name: str) -> ComputedBy:
    """The closed form serves the last stage where only average pooling and a linear head follow."""
    only_pooling = (
        isinstance(model, StagedClassifier)
        and type(model).embed is StagedClassifier.embed
        and type(model).forward is StagedClassifier.forward
        and isinstance(model.head, nn.Linear)
    )
    return "closed form" if only_pooling and model.map_layers()[-1:] == [layer_name] else "grad-cam"


def raw_maps(
    model: Classifier,
    layer_name: str,
    images_NHW3: UInt8Array,
    targets_N: Int64Array,
    *,
    rows: Int64Array | None = None,
    batch_size: int = 64,
) -> Float32Array:
    """GradCAM maps N x h x w of the logits `targets_N` at `layer_name`; see `cam.raw_cams`."""
    if isinstance(model, StagedClassifier) and computed_by(model, layer_name) == "closed form":
        return closed_form_cams(model, images_NHW3, targets_N, rows=rows, batch_size=batch_size)
    layer = model.get_submodule(layer_name)
    return raw_cams(model, layer, images_NHW3, targets_N, rows=rows, batch_size=batch_size)


@torch.no_grad()
def closed_form_cams(
    model: StagedClassifier,
    images_NHW3: UInt8Array,
    targets_N: Int64Array,
    *,
    rows: Int64Array | None = None,
    batch_size: int = 64,
) -> Float32Array:
    """relu(Σ_k w_ck A_k) / (h w): GradCAM of the stages' output from one forward pass.

    The logit is Σ_k w_ck mean(A_k) + b_c, so its gradient is w_ck / (h w) in every cell of channel k,
    and so is the mean over cells that GradCAM weights A_k with.

    Source: Zhou et al. 2016 (arXiv:1512.04150); equality by Selvaraju et al. 2017 (arXiv:1610.02391).
    """
    rows_N = np.arange(len(images_NHW3)) if rows is None else rows
    if len(rows_N) != len(targets_N):
        raise ValueError(f"{len(rows_N)} images but {len(targets_N)} targets")
    weights_KC = model.head.weight
    was_training = model.training
    model.eval()
    maps = []
    for i in range(0, len(rows_N), batch_size):
        pixels = to_pixels(images_NHW3[rows_N[i : i + batch_size]], weights_KC.device)
        features_NChw = model.stages((pixels - model.mean) / model.std)
        chosen_NC = weights_KC[torch.from_numpy(targets_N[i : i + batch_size]).to(weights_KC.device)]
        sums_Nhw = torch.einsum("nc,nchw->nhw", chosen_NC, features_NChw)
        maps.append((sums_Nhw.relu() / sums_Nhw[0].numel()).cpu().numpy())
    model.train(was_training)
    return np.concatenate(maps) if maps else np.zeros((0, 0, 0), np.float32)
