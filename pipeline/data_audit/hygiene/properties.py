"""What each image is like, in a few numbers that people have words for.

Shape legend: N images, n images of a piece.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Float32Array, UInt8Array
from pipeline.cues.cue import Seen
from pipeline.cues.views import noise
from pipeline.pixels.color_features import color_features
from pipeline.pixels.detail_features import detail_features
from pipeline.pixels.maps import FOREGROUND
from pipeline.pixels.quality import Quality

PIECE = 1 << 14  # images whose features are held at a time
_COLORS = {"lightness": "lightness_mean", "green_red": "a_mean", "blue_yellow": "b_mean", "chroma": "chroma"}


def measure_properties(
    images_NHW3: UInt8Array, masks_NHW: UInt8Array | None, quality: Quality
) -> dict[str, Float32Array]:
    """The columns of `artifacts.hygiene_tables.PROPERTIES`, N each; NaN where an image has no such thing.

    Args:
        images_NHW3: may be a memory map, as the masks; read piece by piece.
        quality: of the same images.
    """
    starts = range(0, len(images_NHW3), PIECE)
    pieces = [
        _measure(images_NHW3[i : i + PIECE], None if masks_NHW is None else masks_NHW[i : i + PIECE])
        for i in starts
    ]
    names = list(pieces[0]) if pieces else []
    found = {name: np.concatenate([piece[name] for piece in pieces]) for name in names}
    return found | {"sharpness": quality.sharpness}


def _measure(images_nHW3: UInt8Array, masks_nHW: UInt8Array | None) -> dict[str, Float32Array]:
    colors_nF, color_names = color_features(images_nHW3)
    details_nF, detail_names = detail_features(images_nHW3)
    color = {(name.region, name.feature): colors_nF[:, i] for i, name in enumerate(color_names)}
    detail = {(name.region, name.feature): details_nF[:, i] for i, name in enumerate(detail_names)}
    return {
        **{own: color["whole", name] for own, name in _COLORS.items()},
        "border_lightness": color["ring", "lightness_mean"],
        "contrast": detail["whole", "lightness_sd"],
        "edges": detail["whole", "edge_density"],
        "noise": noise.read(Seen(images_nHW3)).numbers.mean(axis=1),
        "object_size": _object_sizes(masks_nHW, len(images_nHW3)),
    }


def _object_sizes(masks_nHW: UInt8Array | None, n: int) -> Float32Array:
    """Share of the pixels that belong to the object; NaN without masks, and where a mask is empty."""
    if masks_nHW is None:
        return np.full(n, np.nan, np.float32)
    step = 1024
    parts = [
        (np.asarray(masks_nHW[i : i + step]) > FOREGROUND).mean(axis=(1, 2), dtype=np.float32)
        for i in range(0, n, step)
    ]
    share_n = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    return np.where(share_n > 0, share_n, np.float32(np.nan)).astype(np.float32)
