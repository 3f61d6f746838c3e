"""Where a report's pictures come from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.artifacts.datasets import load_samples, load_split, map_array
from pipeline.artifacts.edited import EditedImages
from pipeline.artifacts.maps import SavedMaps
from pipeline.artifacts.paths import data_folders, dataset_dir, gradcam_dir
from pipeline.core.types import UInt8Array
from pipeline.explain.cam.overlays import draw_overlay
from pipeline.report.page.pictures import LOOK_CLOSER, PictureSource


def picture_source(
    dataset: str, maps: Mapping[str, SavedMaps], edited: EditedImages, thumbnail: int
) -> PictureSource:
    """Pixels of the packed images, read when asked for, and heat drawn for a closer look."""
    data = dataset_dir(dataset)
    images = map_array(data / "images.npy")
    rows = {method: {int(i): row for row, i in enumerate(found.ids_N)} for method, found in maps.items()}

    def heat(method: str, image_id: int) -> UInt8Array:
        map_hw = maps[method].maps_SNhw[0, rows[method][image_id]]
        return draw_overlay(np.asarray(images[image_id]), map_hw, None, LOOK_CLOSER * thumbnail)

    changed = {
        (str(edit), int(image)): pixels
        for edit, image, pixels in zip(edited.edits_M, edited.ids_M, edited.images_MHW3, strict=True)
    }
    samples, train = load_samples(data), load_split(data_folders(dataset), "train")
    wrong = set(samples.loc[samples["label_flipped"], "id"]) if "label_flipped" in samples else set()
    return PictureSource(
        pixels=lambda image_id: np.asarray(images[image_id]),
        overlay=lambda method, name: _read_image(gradcam_dir(dataset, method) / "overlays" / name),
        heat=heat,
        train_ids={g: train.ids[train.groups == g].tolist() for g in np.unique(train.groups).tolist()},
        file_name=lambda image_id: str(samples["file"].iloc[image_id]),
        known_wrong=wrong,
        edited=lambda edit, image_id: changed[edit, image_id],
    )


def _read_image(path: Path) -> UInt8Array:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.uint8)
