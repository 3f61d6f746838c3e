"""Which maps are shown: failures of the worst group and successes of the best.

Shape legend: N sampled images, h w cells of the map.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from pipeline.core.types import BoolArray, Float32Array, Float64Array, Int64Array, Split, UInt8Array
from pipeline.explain.cam.overlays import draw_overlay
from pipeline.records.gradcam import CamOverlay
from pipeline.settings.gradcam import GradcamSettings

Role = Literal["failure_in_worst_group", "success_in_best_group"]


def draw_examples(
    test: Split,
    rows: Int64Array,
    maps_Nhw: Float32Array,
    predicted_N: Int64Array,
    *,
    energy_N: Float64Array | None,
    groups: tuple[int, int],
    settings: GradcamSettings,
) -> tuple[list[CamOverlay], dict[str, UInt8Array]]:
    """Failures and successes by one model, with the pictures by their file names.

    Args:
        rows: positions in `test`, N; the maps and predictions are theirs.
        energy_N: share of each map's energy on the foreground; None without masks.
        groups: the group whose failures are drawn, and the one whose successes are.
    """
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
            pictures[name] = draw_overlay(test.images[row], maps_Nhw[i], mask, settings.thumbnail)
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
