"""Red and blue are found where they were moved to, and lie on green where nothing moved them."""

import cv2
import numpy as np

from pipeline.core.types import UInt8Array
from pipeline.pixels.registration import lie_apart, move_channels


def _photograph(seed: int, side: int = 64) -> UInt8Array:
    """Blobs of one color each, as edges of things are."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(side, side, 3)).astype(np.float32)
    shared = cv2.GaussianBlur(noise[..., :1].repeat(3, axis=2), (0, 0), 1.5)
    own = cv2.GaussianBlur(noise, (0, 0), 4)
    image = shared / shared.std() + own / own.std()
    return np.clip(128 + 35 * image, 0, 255).astype(np.uint8)


def test_planted_shifts_and_magnification_are_measured() -> None:
    by_C3 = np.array([[0.5, -0.3, 0.6], [-0.4, 0.2, -0.6]], np.float32)
    found = np.mean([lie_apart(move_channels(_photograph(s), by_C3)) for s in range(8)], axis=0)
    np.testing.assert_allclose(found, by_C3, atol=0.15)


def test_nothing_is_measured_where_nothing_moved_or_can_be_seen() -> None:
    assert np.abs(np.mean([lie_apart(_photograph(s)) for s in range(8)], axis=0)).max() < 0.1
    assert not lie_apart(np.full((32, 48, 3), 90, np.uint8)).any()
