"""Common corruptions: stronger with severity, an image's own whatever stands beside it, at any size."""

from itertools import pairwise

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array, UInt8Array
from pipeline.pixels.corruptions import corrupt as module
from pipeline.pixels.corruptions.corrupt import GROUPS, NAMES, corrupt
from pipeline.pixels.corruptions.ice import SHEETS, sheet
from pipeline.pixels.corruptions.strength import Size
from tests.fixtures.cues import photographs

SEVERITIES = (1, 2, 3, 4, 5)
UNRANDOM = ("defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression")


def corrupted(images: UInt8Array, name: str, severity: int, seed: int = 0, first: int = 0) -> Float64Array:
    ids = np.arange(first, first + len(images))
    return corrupt(images, name, severity, seed=seed, ids_N=ids).astype(np.float64)


def wide(n: int) -> UInt8Array:
    return np.ascontiguousarray(photographs(n, 0, 96)[:, 20:60])


def test_there_are_fifteen_in_four_groups() -> None:
    assert len(NAMES) == 15
    assert [len(GROUPS[group]) for group in ("noise", "blur", "weather", "digital")] == [3, 4, 4, 4]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "images", [photographs(2, 0, 8), photographs(2, 1, 32), wide(2)], ids=["8", "32", "wide"]
)
def test_every_severity_changes_images_of_any_shape_and_leaves_the_given_ones(
    name: str, images: UInt8Array
) -> None:
    before = images.copy()
    for severity in SEVERITIES:
        found = corrupt(images, name, severity, seed=0, ids_N=np.arange(2))
        assert found.shape == images.shape
        assert found.dtype == np.uint8
        assert (found != images).any()
    np.testing.assert_array_equal(images, before)


def strength(name: str, images: UInt8Array, severity: int) -> float:
    """How far images are changed; where severities trade one change for another, by what grows."""
    if name == "elastic_transform":  # local shear, as affine maps leave a ramp a ramp
        side = images.shape[1]
        ramp = np.broadcast_to(np.linspace(0, 255, side)[:, None], (side, side)).astype(np.uint8)
        ramps = np.repeat(np.repeat(ramp[None, ..., None], 3, axis=3), len(images), axis=0)
        middle = slice(side // 4, -(side // 4))
        inside = corrupted(ramps, name, severity)[:, middle, middle, 0]
        return float(np.abs(np.diff(inside, 2, axis=2)).mean() * side)
    found = corrupted(images, name, severity)
    if (
        name == "frost"
    ):  # the image gets darker as the ice gets brighter: what of the outcome is not the image
        return float(
            np.mean([1 - np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(found, images, strict=True)])
        )
    return float(np.abs(found - images).mean())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [32, 64, 224])
def test_a_higher_severity_is_a_stronger_corruption(name: str, side: int) -> None:
    """Some published severities change no more than the one before, and rounding hides the least shear."""
    least = {"glass_blur": 0.92, "elastic_transform": 0.85}.get(name, 0.96)
    images = photographs(16 if side < 224 else 3, 2, side)
    found = [strength(name, images, severity) for severity in SEVERITIES]
    assert all(later > least * before for before, later in pairwise(found))
    assert found[4] > 1.15 * found[0]


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_corrupted_by_its_own_draw(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images = photographs(5, 3, 16)
    together = corrupted(images, name, 3)
    np.testing.assert_array_equal(corrupted(images, name, 3), together)
    np.testing.assert_array_equal(corrupted(images[2:4], name, 3, first=2), together[2:4])
    monkeypatch.setattr(module, "_VALUES_AT_ONCE", 2 * images[0].size)
    np.testing.assert_array_equal(corrupted(images, name, 3), together)
    assert (corrupted(images, name, 3, seed=1) == together).all() == (name in UNRANDOM)
    same = np.repeat(images[:1], 2, axis=0)  # by two ids
    assert (np.ptp(corrupted(same, name, 3), axis=0) == 0).all() == (name in UNRANDOM)


def test_nothing_is_done_at_severity_0_or_to_no_image() -> None:
    images = photographs(2, 4, 32)
    untouched = corrupt(images, "fog", 0, seed=0, ids_N=np.arange(2))
    np.testing.assert_array_equal(untouched, images)
    assert not np.shares_memory(untouched, images)
    assert corrupt(images[:0], "snow", 3, seed=0, ids_N=np.arange(0)).shape == (0, 32, 32, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "rain"}, "'rain' is no common corruption"),
        ({"severity": 6}, "Severity 6"),
        ({"ids_N": np.arange(3)}, "2 images need as many ids"),
        ({"ids_N": np.array([0, -1])}, "ids from 0 up"),
        ({"images_NHW3": np.zeros((2, 7, 32, 3), np.uint8)}, "7 x 32"),
        ({"images_NHW3": np.zeros((2, 600, 32, 3), np.uint8)}, "600 x 32"),
        ({"images_NHW3": np.zeros((2, 32, 32, 3), np.float32)}, "float32"),
        ({"images_NHW3": np.zeros((2, 32, 32, 1), np.uint8)}, "N x H x W x 3"),
    ],
)
def test_what_is_not_defined_is_refused(changes: dict[str, object], message: str) -> None:
    given = {"images_NHW3": photographs(2, 5, 32), "name": "fog", "severity": 1, "ids_N": np.arange(2)}
    with pytest.raises(InputError, match=message):
        corrupt(seed=0, **(given | changes))  # type: ignore[arg-type]


def test_lengths_go_with_the_side() -> None:
    found = {
        side: (Size(side, 512).published, Size(side, 512).scale)
        for side in (8, 32, 45, 46, 96, 119, 120, 448)
    }
    assert found == {8: (32, 1), 32: (32, 1), 45: (32, 45 / 32), 46: (64, 46 / 64), 96: (64, 1.5),
                     119: (64, 119 / 64), 120: (224, 120 / 224), 448: (224, 2)}  # fmt: skip


@pytest.mark.parametrize("side", [32, 64])
def test_ice_has_the_color_and_contrast_of_the_photographs(side: int) -> None:
    for which, look in enumerate(SHEETS):
        pane = sheet(which, side).astype(np.float64)
        np.testing.assert_allclose(pane.mean(axis=(0, 1)), look.color, atol=3)
        assert abs(pane.mean(axis=2).std() - look.contrast) < 3
        assert np.abs(np.diff(pane.mean(axis=2), axis=1)).mean() > look.contrast / 3  # crystals, not clouds
