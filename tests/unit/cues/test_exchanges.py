"""Each cue's edit takes one property of another image and leaves the rest."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.core.types import Float64Array, UInt8Array
from pipeline.cues.cue import Cue, Seen
from pipeline.cues.exchanges.noise import noise_level
from pipeline.cues.exchanges.pair import Pair
from pipeline.cues.eye import CueEye
from pipeline.cues.look import Looked
from pipeline.cues.registry import all_cues, find_cue
from pipeline.pixels.registration import move_channels
from tests.fixtures.cues import photographs, textures

WITH_EDIT = [cue for cue in all_cues() if cue.exchange is not None]


def smooth(n: int, seed: int, side: int = 32) -> UInt8Array:
    """Images without noise, of odd sides as well."""
    images = textures(n, seed)
    return np.stack([cv2.resize(cv2.GaussianBlur(i, (0, 0), 1.5), (side, side)) for i in images])


def masks(n: int, side: int) -> UInt8Array:
    found = np.zeros((n, side, side), np.uint8)
    found[:, side // 4 : side // 2, side // 4 : side // 2] = 255
    return found


def facts(n: int, quality: float | None = None, width: int = 640) -> pd.DataFrame:
    return pd.DataFrame(
        {"width": [width] * n, "height": [width] * n, "jpeg_quality": pd.array([quality] * n, "Float64")}
    )


def steps(images: UInt8Array) -> Float64Array:
    return np.abs(np.diff(images.astype(float), axis=2))


def change(cue: Cue, pair: Pair) -> Float64Array:
    assert cue.exchange is not None
    return cue.exchange(pair).astype(float) - pair.images_NHW3


@pytest.mark.parametrize("side", [32, 45])
@pytest.mark.parametrize("cue", WITH_EDIT, ids=lambda cue: cue.name)
def test_an_image_given_its_own_property_stays_as_it_is(cue: Cue, side: int) -> None:
    images = smooth(4, 0, side)
    own = Pair(images, images, masks(4, side), masks(4, side), facts(4, 75), facts(4, 75))
    for pair in (own, own._replace(facts=None, donor_facts=None)):
        moved = change(cue, pair)
        if cue.name == "background":  # whose object's rim is painted over
            moved[:, side // 4 - 2 : side // 2 + 2, side // 4 - 2 : side // 2 + 2] = 0
        assert np.abs(moved).max() <= 1


def test_what_has_no_trace_in_pixels_has_no_edit() -> None:
    assert not [cue.name for cue in all_cues(["site"]) if cue.exchange is not None and not cue.is_visible]
    assert find_cue("camera").exchange is None


@pytest.mark.parametrize(("name", "part"), [("corners", "top right"), ("cells", "row 1, column 8")])
def test_a_place_alone_is_exchanged(name: str, part: str) -> None:
    images, donors = textures(4, 0), textures(4, 1)
    moved = change(find_cue(name), Pair(images, donors, parts=(part,)))
    np.testing.assert_array_equal(moved[:, :4, 28:], donors[:, :4, 28:].astype(float) - images[:, :4, 28:])
    moved[:, :4, 28:] = 0
    assert not moved.any()


def test_noise_is_added_and_taken_away() -> None:
    clean, rng = smooth(6, 0), np.random.default_rng(0)
    noisy = np.clip(smooth(6, 1) + rng.normal(0, 9, (6, 32, 32, 3)), 0, 255).astype(np.uint8)
    edit = find_cue("noise").exchange
    assert edit is not None
    added, removed = edit(Pair(clean, noisy)), edit(Pair(noisy, clean))
    assert np.mean([noise_level(i) for i in added]) == pytest.approx(9, abs=2)
    assert np.mean([noise_level(i) for i in removed]) < 2
    assert (
        np.abs(added.mean(axis=(1, 2)) - clean.mean(axis=(1, 2))).max() < 1
    )  # nothing of the donor's colors
    assert np.abs(removed.mean(axis=(1, 2)) - noisy.mean(axis=(1, 2))).max() < 1


def blur(image: UInt8Array) -> UInt8Array:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.2), np.uint8)


def turn_hue(image: UInt8Array) -> UInt8Array:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)  # hue in steps of two degrees
    hsv[..., 0] = (hsv[..., 0].astype(int) + 20) % 180
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


def add_grating(image: UInt8Array) -> UInt8Array:
    wave = np.cos(np.arange(image.shape[1]) * 2 * np.pi / 5)[:, None]
    return np.asarray(np.clip(image + 8 * wave, 0, 255), np.uint8)


def dusk(n: int, seed: int) -> UInt8Array:
    """Orange and blue alone, as much of either: a turned hue changes no mean."""
    blobs = photographs(n, seed).astype(float)
    warm_NHW = blobs[..., 0] - blobs[..., 2]
    return np.asarray(np.clip(blobs[..., 1:2] + 0.5 * warm_NHW[..., None] * [1, 0, -1], 0, 255), np.uint8)


TOLD_BY = {
    "sharpness": (blur, textures),
    "spectrum": (blur, textures),
    "color": (turn_hue, dusk),
    "texture": (add_grating, photographs),
    "pattern": (add_grating, photographs),
}


@pytest.mark.parametrize("name", list(TOLD_BY))
def test_an_exchange_carries_what_its_cue_sees_in_both_directions(name: str) -> None:
    """By the cue's own reader, which is a linear one in the report as well."""
    cue, (mark, draw) = find_cue(name), TOLD_BY[name]
    plain, marked = draw(40, 0), np.stack([mark(image) for image in draw(40, 1)])
    known = np.concatenate([draw(80, 2), np.stack([mark(image) for image in draw(80, 3)])])
    assert cue.exchange is not None
    seen = Looked(Seen(known), np.repeat([0, 1], 80))
    eye = CueEye.fit(cue, "linear", (), seen)
    assert eye is not None
    for images, donors, named in ((plain, marked, 1), (marked, plain, 0)):
        edited = eye.name_classes(Seen(cue.exchange(Pair(images, donors))))
        control = eye.name_classes(Seen(cue.exchange(Pair(images, np.roll(images, 1, axis=0)))))
        assert (edited == named).mean() - (control == named).mean() > 0.6


def test_noise_of_a_grey_image_does_not_become_colorful() -> None:
    rng, halves = np.random.default_rng(0), np.repeat([60.0, 190.0], 16)
    grey = np.clip(halves[:, None] + rng.normal(0, 1, (4, 32, 32, 3)), 0, 255).astype(np.uint8)
    edit = find_cue("color").exchange
    assert edit is not None
    flat = edit(Pair(grey, photographs(4, 0, side=32)))[:, :, :16].astype(float)
    assert flat.std(axis=(1, 2)).max() < 8


def test_fringes_go_along_in_both_directions() -> None:
    cue, by_C3 = find_cue("fringe"), np.array([[0.0, 0.0, 0.8], [0.0, 0.0, -0.8]], np.float32)
    plain = photographs(8, 0)
    fringed = np.stack([move_channels(image, by_C3) for image in photographs(8, 1)])
    assert cue.exchange is not None
    for images, donors in ((plain, fringed), (fringed, plain)):
        edited = cue.exchange(Pair(images, donors))
        values = cue.read(Seen(edited)), cue.read(Seen(donors))
        assert values[0] is not None
        assert values[1] is not None
        np.testing.assert_allclose(values[0].numbers.mean(axis=0), values[1].numbers.mean(axis=0), atol=0.25)
        np.testing.assert_array_equal(edited[..., 1], images[..., 1])


def test_a_poorer_file_is_made_again_and_a_rim_goes_where_it_was() -> None:
    images = textures(3, 0)
    jpeg, size = find_cue("jpeg").exchange, find_cue("image_size").exchange
    assert jpeg is not None
    assert size is not None
    poor = jpeg(Pair(images, textures(3, 1), facts=facts(3, None, 32), donor_facts=facts(3, 20, 32)))
    assert steps(poor).mean() < 0.8 * steps(images).mean()
    small = size(Pair(images, textures(3, 1), facts=facts(3, width=64), donor_facts=facts(3, width=8)))
    assert (
        np.abs(np.diff(small.astype(float), axis=2)).mean()
        < 0.5 * np.abs(np.diff(images.astype(float), axis=2)).mean()
    )
    framed = images.copy()
    framed[:, :2], framed[:, -2:], framed[:, :, :2], framed[:, :, -2:] = 0, 0, 0, 0
    edit = find_cue("border").exchange
    assert edit is not None
    given = edit(Pair(images, framed)).astype(float) - images
    assert given[:, 0].mean() < -60
    assert not given[:, 4:-4, 4:-4].any()
