"""How a JPEG was encoded is read off its header: what encoders were told comes back."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.data.facts.jpeg import NO_JPEG, JpegFacts, estimate_quality, name_subsampling, read_jpeg
from tests.fixtures.data import noise

PICTURE = Image.fromarray(noise(0, 16))


def save(picture: Image.Image = PICTURE, kind: str = "JPEG", **options: object) -> JpegFacts:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    with Image.open(file) as opened:
        return read_jpeg(opened)


def save_by_opencv(*options: int) -> JpegFacts:
    done, data = cv2.imencode(".jpg", noise(0, 16), list(options))
    assert done
    with Image.open(io.BytesIO(data.tobytes())) as opened:
        return read_jpeg(opened)


def test_every_quality_that_pillow_and_opencv_save_comes_back_exactly() -> None:
    qualities = list(range(1, 101))
    assert [save(quality=quality).quality for quality in qualities] == qualities
    assert [save_by_opencv(cv2.IMWRITE_JPEG_QUALITY, quality).quality for quality in qualities] == qualities


@pytest.mark.parametrize("quality", [5, 30, 50, 75, 90, 97])
def test_tables_of_another_encoder_get_the_nearest_quality(quality: int) -> None:
    luminance = np.array(Image.open(_saved(quality)).quantization[0])
    changed = np.maximum(1, luminance + np.random.default_rng(quality).integers(-1, 2, 64)).clip(1, 255)
    assert abs((estimate_quality(changed.tolist()) or 0) - quality) <= 2


def _saved(quality: int) -> io.BytesIO:
    file = io.BytesIO()
    PICTURE.save(file, "JPEG", quality=quality)
    return file


def test_extreme_tables_have_a_quality_and_impossible_ones_none() -> None:
    assert estimate_quality([1] * 64) == 100
    assert estimate_quality([255] * 64) == 1
    assert estimate_quality([65535] * 64) == 1
    assert estimate_quality([16, 11, 0, *[5] * 61]) is None


def test_the_same_tables_have_the_same_name() -> None:
    names = [save(quality=quality).tables for quality in (60, 75, 90)]
    assert len(set(names)) == 3
    assert save(quality=75, progressive=True).tables == names[1]
    assert save_by_opencv(cv2.IMWRITE_JPEG_QUALITY, 90).tables == names[2]
    own = [[7] * 64, [9] * 64]
    assert save(qtables=own).tables == save(qtables=own, subsampling=0).tables
    assert save(qtables=own).tables != save(qtables=own[::-1]).tables


@pytest.mark.parametrize(("given", "expected"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_subsampling(given: int, expected: str) -> None:
    assert save(subsampling=given).subsampling == expected


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440, "4:4:0"),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411, "4:1:1"),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, "4:4:4"),
    ],
)
def test_subsampling_by_opencv(factor: int, expected: str) -> None:
    assert save_by_opencv(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor).subsampling == expected


def test_odd_subsamplings() -> None:
    assert save(PICTURE.convert("L")).subsampling == "grey"
    assert save(PICTURE.convert("CMYK"), subsampling=0).subsampling == "4:4:4"
    assert name_subsampling([(2, 2), (2, 1), (1, 1)]) == "other"
    assert name_subsampling([(3, 2), (2, 1), (2, 1)]) == "other"
    assert name_subsampling([(2, 2), (0, 1), (1, 1)]) is None
    assert name_subsampling([]) is None


def test_progressive_and_other_kinds_of_files() -> None:
    assert save(progressive=True).is_progressive is True
    assert save().is_progressive is False
    assert save(kind="MPO", quality=83).quality == 83
    assert save(kind="PNG") == save(kind="WEBP") == NO_JPEG
