"""What images are like, in numbers: who is darkest, sharpest, noisiest, and what has no number."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.artifacts.hygiene_tables import PROPERTIES, load_properties, save_properties
from pipeline.artifacts.packing import StaleError
from pipeline.core.types import Float32Array, UInt8Array
from pipeline.data_audit.hygiene import properties
from pipeline.data_audit.hygiene.properties import measure_properties
from pipeline.pixels.quality import measure_quality
from tests.fixtures.hygiene import crops, noisy

CROPS = crops(12, size=64)


def measured(images: UInt8Array, masks: UInt8Array | None = None) -> dict[str, Float32Array]:
    return measure_properties(images, masks, measure_quality(images))


def test_each_property_ranks_the_image_that_has_it_first() -> None:
    images = CROPS.copy()
    images[0] //= 6
    images[1] = 235
    images[2] = cv2.GaussianBlur(images[2], (0, 0), 3)
    images[3] = noisy(images[3], 40)
    images[4] = np.clip(images[4] // 4 + np.array([180, 0, 0]), 0, 255)
    found = measured(images)
    assert set(found) == set(PROPERTIES)
    assert found["lightness"].argmin() == 0
    assert found["lightness"].argmax() == found["border_lightness"].argmax() == 1
    assert found["contrast"].argmin() == 1
    assert found["edges"][1] == 0 < found["edges"][3]
    assert np.isnan(found["sharpness"][1]), "a flat image has no sharpness"
    assert np.nanargmin(found["sharpness"]) == 2
    assert found["noise"].argmax() == 3
    assert found["green_red"].argmax() == found["chroma"].argmax() == 4


def test_an_object_has_the_size_of_its_mask() -> None:
    masks = np.zeros((12, 32, 32), np.uint8)
    masks[0, :16] = 255
    size = measured(CROPS, masks)["object_size"]
    assert size[0] == 0.5
    assert np.isnan(size[1:]).all(), "an empty mask is no object"
    assert np.isnan(measured(CROPS)["object_size"]).all()


def test_pieces_are_as_good_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = measured(CROPS)
    monkeypatch.setattr(properties, "PIECE", 5)
    for name, values in measured(CROPS).items():
        np.testing.assert_array_equal(values, whole[name])


def test_the_table_keeps_them_and_knows_whose_they_are(tmp_path: Path) -> None:
    path, found = tmp_path / "properties.parquet", measured(CROPS)
    save_properties(path, found, "abc")
    for name, values in load_properties(path, "abc").items():
        np.testing.assert_array_equal(values, found[name])
    with pytest.raises(StaleError):
        load_properties(path, "other")
