"""Do maps depend on what the network learned: cascading randomization.

Shape legend: S models, R cascades, N images, H height, W width, h w cells of the map.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from pipeline.core.types import Float32Array, Float64Array, Int64Array, UInt8Array
from pipeline.explain.cam.closed_form import raw_maps
from pipeline.models.interface import Classifier
from pipeline.records.gradcam import SanityStep
from pipeline.statistics.maps import spearman
from pipeline.statistics.means import estimate_mean

MIN_CASCADES = 5  # redraws, spread over the models: one redrawn head may by luck resemble the trained one


def check_randomization(
    models: Sequence[Classifier],
    layer_name: str,
    images_NHW3: UInt8Array,
    predicted_SN: Int64Array,
    maps_SNhw: Float32Array,
    *,
    batch_size: int,
    seed: int,
) -> list[SanityStep]:
    """Rank correlation of maps with those of the same network, redrawn from the head down.

    Layers stay redrawn when the next one follows; the maps are of the class that the trained network
    predicted. A redrawn network's blank map has no order of cells and counts as 0; images whose own
    map is constant are left out. Intervals allow for new images and new redraws.

    Returns:
        one step per layer with parameters, the head first and the first stage last; empty where no
        image has a map that varies.

    Source: Adebayo et al. 2018 (arXiv:1810.03292).
    """
    names = models[0].cascade()
    values_RLN = np.full((max(MIN_CASCADES, len(models)), len(names), len(images_NHW3)), np.nan)
    for r, values_LN in enumerate(values_RLN):
        s = r % len(models)
        fresh = redraw(models[s], (seed, r))
        work = copy.deepcopy(models[s])
        for name, values_N in zip(names, values_LN, strict=True):
            work.get_submodule(name).load_state_dict(fresh.get_submodule(name).state_dict())
            maps = raw_maps(work, layer_name, images_NHW3, predicted_SN[s], batch_size=batch_size)
            values_N[:] = _similarity(maps_SNhw[s], maps)
    steps = [(name, estimate_mean(values_RLN[:, i], least=-1)) for i, name in enumerate(names)]
    return [SanityStep(layer=name, spearman=value) for name, value in steps if value is not None]


def redraw(model: Classifier, entropy: tuple[int, int]) -> Classifier:
    """A copy on the CPU with all parameters drawn anew, normalization statistics too.

    `entropy` (a seed and a number of the draw) is spread over 63 bits: the plain seed could be the one
    the network was built with, and a redraw would then give its own first weights back.
    """
    fresh = copy.deepcopy(model).cpu()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1))
        for module in fresh.modules():
            if isinstance(module, nn.MultiheadAttention):
                module._reset_parameters()  # the only module of torch that hides it
            elif hasattr(module, "reset_parameters"):
                module.reset_parameters()  # type: ignore[operator]
            else:  # of somebody else's: as large as they were, and in another order
                for parameter in module.parameters(recurse=False):
                    order = torch.randperm(parameter.numel())
                    parameter.data = parameter.data.flatten()[order].view(parameter.shape)
    return fresh


def _similarity(trained_Nhw: Float32Array, redrawn_Nhw: Float32Array) -> Float64Array:
    values_N = spearman(trained_Nhw, redrawn_Nhw)
    varies_N = trained_Nhw.min(axis=(1, 2)) < trained_Nhw.max(axis=(1, 2))
    flat_N = redrawn_Nhw.min(axis=(1, 2)) == redrawn_Nhw.max(axis=(1, 2))
    return np.where(varies_N & flat_N, 0.0, values_N)
