"""GradCAM over a stratified sample of test images: what the maps say, and whether to trust them.

Shape legend: S models, N sampled images, F sampled images for faithfulness, H height, W width,
h w cells of the map.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.core.errors import InputError, TrainingError
from pipeline.core.types import BoolArray, Float32Array, Float64Array, Int64Array, Split, UInt8Array
from pipeline.explain.cam.adapter import CamLayer, choose_layer, library_name
from pipeline.explain.cam.closed_form import computed_by, raw_maps
from pipeline.explain.cam.energy import energy_in_masks, estimate_lift, pull_masks
from pipeline.explain.cam.examples import draw_examples
from pipeline.explain.cam.faithfulness import Scores, estimate_gain, score_rankings, summarize_scores
from pipeline.explain.cam.pointing import play_pointing, reach_masks
from pipeline.explain.cam.sampling import choose_balanced
from pipeline.explain.cam.sanity import check_randomization
from pipeline.models.interface import Classifier
from pipeline.records.base import Provenance
from pipeline.records.data import DatasetInfo
from pipeline.records.gradcam import CamGroup, GradcamResult, SanityStep
from pipeline.settings.gradcam import GradcamSettings
from pipeline.statistics.means import MIN_IMAGES, estimate_mean, estimate_share


class GradcamRun(NamedTuple):
    """The record, the pictures by the file names it gives them, and the maps it is about."""

    result: GradcamResult
    pictures: dict[str, UInt8Array]  # side x side x 3
    maps_SNhw: Float32Array


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
    layer_of: str = "gradcam.layer",
) -> GradcamRun:
    """Map where the models look on the sampled images, and measure it.

    Energy in the mask, lift and pointing need masks; without them nothing is said of the foreground.
    Blank rate, faithfulness and the randomization check say whether the maps can be trusted.

    Args:
        models: one per seed; only the first `settings.max_models` are used.
        rows: positions in `test`, for example from `statistics.sampling.choose_by_group`.
        predicted_SN: predicted class of each model for each of `rows`; it is the map's target.
        worst_group, best_group: their failures and successes are drawn.
        layer_of: the setting that `settings.layer` was taken from, for messages.

    Raises:
        InputError: no rows or models, or no usable layer.
        TrainingError: a map is not finite.
    """
    start = time.perf_counter()
    models = list(models)[: settings.max_models]
    if not models or not len(rows):
        raise InputError(
            f"GradCAM needs images and models, got {len(rows)} and {len(models)}. Check that the test "
            "split has images and that train.seeds names the trained models."
        )
    predicted_SN = predicted_SN[: len(models)]
    layer = choose_layer(models[0], test.images.shape[1], settings.min_cells, settings.layer, layer_of)
    maps_SNhw = _map_all(models, layer, test, rows, predicted_SN, settings.batch_size)
    masked = None if test.masks is None else _measure_masks(test.masks, rows, maps_SNhw, layer.cells)
    sample = _Sample(models, layer.name, test, rows, predicted_SN, maps_SNhw, settings)
    chosen_F, scores = sample.score_faithfulness()
    overlays, pictures = draw_examples(
        test,
        rows,
        maps_SNhw[0],
        predicted_SN[0],
        energy_N=None if masked is None else masked.energy_SN[0],
        groups=(worst_group, best_group),
        settings=settings,
    )
    is_blank_SN: BoolArray = maps_SNhw.max(axis=(2, 3)) <= 0
    result = GradcamResult(
        method=method,
        library=library_name(),
        layer=layer.name,
        computed_by="cell by cell" if layer.is_tokens else computed_by(models[0], layer.name),
        cells=list(layer.cells),
        n_images=len(rows),
        n_models=len(models),
        blank_rate=float(is_blank_SN.mean()),
        energy_in_mask=None if masked is None else estimate_mean(masked.energy_SN),
        mask_area=None if masked is None else masked.area,
        lift=None if masked is None else estimate_lift(masked.energy_SN, masked.null_SN),
        pointing=None if masked is None else estimate_share(masked.hits_SN),
        pointing_by_chance=None if masked is None else masked.pointing_by_chance,
        faithfulness=None if scores is None else summarize_scores(scores, settings.faithfulness_steps),
        sanity=sample.check_sanity(),
        groups=_by_group(is_blank_SN, masked, (chosen_F, scores), test.groups[rows], info),
        overlays=overlays,
        seconds=time.perf_counter() - start,
        provenance=provenance,
    )
    return GradcamRun(result, pictures, maps_SNhw)


def _map_all(
    models: Sequence[Classifier],
    layer: CamLayer,
    test: Split,
    rows: Int64Array,
    predicted_SN: Int64Array,
    batch_size: int,
) -> Float32Array:
    """Raw maps of every model's predictions, S x N x h x w."""
    maps_SNhw = np.stack(
        [
            raw_maps(model, layer.name, test.images, predicted_N, rows=rows, batch_size=batch_size)
            for model, predicted_N in zip(models, predicted_SN, strict=True)
        ]
    )
    if not np.isfinite(maps_SNhw).all():
        raise TrainingError(
            f"maps at {layer.name} are not finite, so the network's weights are not usable. Train it again "
            "with a lower train.lr."
        )
    return maps_SNhw


class _Masked(NamedTuple):
    """What masks say of every map; NaN where the map is blank or the mask is empty."""

    energy_SN: Float64Array
    null_SN: Float64Array
    hits_SN: Float64Array
    pointing_by_chance: float | None
    area: float  # mean share of the image


def _measure_masks(
    masks_NHW: UInt8Array, rows: Int64Array, maps_SNhw: Float32Array, cells: tuple[int, int]
) -> _Masked:
    pulled_Nhw, area_N = pull_masks(masks_NHW, rows, cells)
    energy_SN, null_SN = energy_in_masks(maps_SNhw, pulled_Nhw, masks_NHW.shape[1:])
    hits_SN, chance_SN = play_pointing(maps_SNhw, reach_masks(masks_NHW, rows, cells))
    by_chance = estimate_mean(chance_SN)
    # of the images that energy is the mean of, so that the two shares compare
    measured_N = ~np.isnan(energy_SN).all(axis=0)
    area = float(area_N[measured_N].mean()) if measured_N.any() else float(area_N.mean())
    return _Masked(energy_SN, null_SN, hits_SN, None if by_chance is None else by_chance.value, area)


@dataclass(frozen=True)
class _Sample:
    """The mapped images, of which the costlier checks take a balanced part."""

    models: Sequence[Classifier]
    layer: str
    test: Split
    rows: Int64Array
    predicted_SN: Int64Array
    maps_SNhw: Float32Array
    settings: GradcamSettings

    def score_faithfulness(self) -> tuple[Int64Array, Scores | None]:
        """Positions among the sampled images, and their scores; None where it is switched off."""
        chosen_F = self._choose(self.settings.faithfulness_images)
        if not len(chosen_F):
            return chosen_F, None
        return chosen_F, score_rankings(
            self.models,
            self.test.images[self.rows[chosen_F]],
            self.predicted_SN[:, chosen_F],
            self.maps_SNhw[:, chosen_F],
            n_steps=self.settings.faithfulness_steps,
            batch_size=self.settings.batch_size,
            seed=self.settings.seed,
        )

    def check_sanity(self) -> list[SanityStep]:
        chosen = self._choose(self.settings.sanity_images)
        if not len(chosen):
            return []
        return check_randomization(
            self.models,
            self.layer,
            self.test.images[self.rows[chosen]],
            self.predicted_SN[:, chosen],
            self.maps_SNhw[:, chosen],
            batch_size=self.settings.batch_size,
            seed=self.settings.seed,
        )

    def _choose(self, n: int) -> Int64Array:
        return choose_balanced(self.test.groups[self.rows], n, self.settings.seed)


def _by_group(
    is_blank_SN: BoolArray,
    masked: _Masked | None,
    faithful: tuple[Int64Array, Scores | None],
    groups_N: Int64Array,
    info: DatasetInfo,
) -> list[CamGroup]:
    found = []
    chosen_F, scores = faithful
    for index, group in enumerate(info.groups):
        is_in = groups_N == index
        n = int(np.count_nonzero(is_in & ~is_blank_SN.all(axis=0)))
        own = None if scores is None else Scores(*(part[:, is_in[chosen_F]] for part in scores))
        found.append(
            CamGroup(
                index=index,
                name=group.name,
                n=n,
                sufficient=n >= MIN_IMAGES,
                blank_rate=float(is_blank_SN[:, is_in].mean()) if is_in.any() else None,
                energy_in_mask=None if masked is None else estimate_mean(masked.energy_SN[:, is_in]),
                lift=None
                if masked is None
                else estimate_lift(masked.energy_SN[:, is_in], masked.null_SN[:, is_in]),
                pointing=None if masked is None else estimate_share(masked.hits_SN[:, is_in]),
                faithfulness=None if own is None else estimate_gain(own, min_images=MIN_IMAGES),
            )
        )
    return found
