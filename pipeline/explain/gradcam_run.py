"""GradCAM over a stratified sample of test images: blank rate, energy in the mask, pictures.

Shape legend: S models, N sampled images, H height, W width, h w cells of the map.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.results import CamOverlay, DatasetInfo, Estimate, GradcamResult, GroupEstimate, Provenance
from pipeline.core.settings import GradcamSettings
from pipeline.core.types import BoolArray, Float32Array, Float64Array, Int64Array, Split, UInt8Array
from pipeline.explain.cam import choose_layer, library_name, raw_cams
from pipeline.explain.energy import MIN_IMAGES, energy_in_masks, estimate_lift, estimate_mean, pull_masks
from pipeline.explain.overlays import draw_overlay
from pipeline.models.networks import Classifier

Role = Literal["failure_in_worst_group", "success_in_best_group"]


def choose_rows(test: Split, images_per_group: int, seed: int) -> Int64Array:
    """At most `images_per_group` rows of each group, drawn without replacement, ascending."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(test))
    order = order[np.argsort(test.groups[order], kind="stable")]
    groups = test.groups[order]
    rank = np.arange(len(order)) - np.searchsorted(groups, groups)
    chosen: Int64Array = np.sort(order[rank < images_per_group]).astype(np.int64)
    return chosen


def run_gradcam(  # noqa: PLR0913 - all keyword-only, each a thing of its own
    *,
    method: str,
    models: Sequence[Classifier],
    test: Split,
    rows: Int64Array,
    predicted_SN: Int64Array,
    worst_group: int,
    best_group: int,
    info: DatasetInfo,
    settings: GradcamSettings,
    provenance: Provenance,
) -> tuple[GradcamResult, dict[str, UInt8Array]]:
    """Map where the models look on the sampled images, and measure it where masks are known.

    Args:
        models: one per seed; only the first `settings.max_models` are used.
        rows: positions in `test`, for example from `choose_rows`.
        predicted_SN: predicted class of each model for each of `rows`; it is the map's target.
        worst_group, best_group: their failures and successes are drawn.

    Returns:
        The record, and the pictures by the file names it gives them (uint8, side x side x 3).

    Raises:
        InputError: no rows or models, or no usable layer.
    """
    start = time.perf_counter()
    models = list(models)[: settings.max_models]
    if not models or not len(rows):
        raise InputError(
            f"GradCAM needs images and models, got {len(rows)} and {len(models)}. Check that the test "
            "split has images and that train.seeds names the trained models."
        )
    predicted_SN = predicted_SN[: len(models)]
    layer = choose_layer(models[0], test.images.shape[1], settings.min_cells, settings.layer)
    maps_SNhw = _map_all(models, layer.name, test, rows, predicted_SN, settings.batch_size)
    energy_SN = mask_area = lift = None
    if test.masks is not None:
        pulled_Nhw, area_N = pull_masks(test.masks, rows, layer.cells)
        energy_SN, null_SN = energy_in_masks(maps_SNhw, pulled_Nhw, test.masks.shape[1:])
        mask_area = float(area_N.mean())
        lift = estimate_lift(energy_SN, null_SN)
    overlays, pictures = _draw_examples(
        test,
        rows,
        maps_SNhw[0],
        predicted_SN[0],
        energy_N=None if energy_SN is None else energy_SN[0],
        groups=(worst_group, best_group),
        settings=settings,
        thumbnail=settings.thumbnail,
    )
    result = GradcamResult(
        method=method,
        library=library_name(),
        layer=layer.name,
        cells=list(layer.cells),
        n_images=len(rows),
        n_models=len(models),
        blank_rate=float((maps_SNhw <= 0).all(axis=(2, 3)).mean()),
        energy_in_mask=None if energy_SN is None else estimate_mean(energy_SN),
        mask_area=mask_area,
        lift=lift,
        groups=[] if energy_SN is None else _energy_by_group(energy_SN, test.groups[rows], info),
        overlays=overlays,
        seconds=time.perf_counter() - start,
        provenance=provenance,
    )
    return result, pictures


def _map_all(
    models: Sequence[Classifier],
    layer_name: str,
    test: Split,
    rows: Int64Array,
    predicted_SN: Int64Array,
    batch_size: int,
) -> Float32Array:
    """Raw maps of every model's predictions, S x N x h x w."""
    return np.stack(
        [
            raw_cams(
                model,
                model.get_submodule(layer_name),
                test.images,
                predicted_N,
                rows=rows,
                batch_size=batch_size,
            )
            for model, predicted_N in zip(models, predicted_SN, strict=True)
        ]
    )


def _energy_by_group(energy_SN: Float64Array, groups_N: Int64Array, info: DatasetInfo) -> list[GroupEstimate]:
    """Mean energy in mask per group; without maps n = 0 and 0..1, that is: nothing is known."""
    found = []
    for index, group in enumerate(info.groups):
        known = estimate_mean(energy_SN[:, groups_N == index]) or Estimate(value=0, low=0, high=1, n=0)
        sufficient = known.n >= MIN_IMAGES
        found.append(GroupEstimate(**known.model_dump(), name=group.name, sufficient=sufficient))
    return found


def _draw_examples(
    test: Split,
    rows: Int64Array,
    maps_Nhw: Float32Array,
    predicted_N: Int64Array,
    *,
    energy_N: Float64Array | None,
    groups: tuple[int, int],
    settings: GradcamSettings,
    thumbnail: int,
) -> tuple[list[CamOverlay], dict[str, UInt8Array]]:
    """Failures of the worst and successes of the best group, by the first model."""
    labels_N, groups_N = test.labels[rows], test.groups[rows]
    wrong_N: BoolArray = predicted_N != labels_N
    # A seeded draw, not the most striking cases: pictures must not be better than the numbers.
    order = np.random.default_rng(settings.seed).permutation(len(rows))
    wanted: dict[Role, BoolArray] = {
        "failure_in_worst_group": wrong_N & (groups_N == groups[0]),
        "success_in_best_group": ~wrong_N & (groups_N == groups[1]),
    }
    overlays, pictures = [], {}
    for role, wanted_N in wanted.items():
        for i in order[wanted_N[order]][: settings.overlays]:
            row = rows[i]
            name = f"{role.split('_', maxsplit=1)[0]}_{int(test.ids[row]):06d}.png"
            mask = None if test.masks is None else test.masks[row]
            pictures[name] = draw_overlay(test.images[row], maps_Nhw[i], mask, thumbnail)
            energy = None if energy_N is None or np.isnan(energy_N[i]) else float(energy_N[i])
            overlays.append(
                CamOverlay(
                    id=int(test.ids[row]),
                    group=int(groups_N[i]),
                    predicted=int(predicted_N[i]),
                    label=int(labels_N[i]),
                    role=role,
                    image=name,
                    energy_in_mask=energy,
                )
            )
    return overlays, pictures
