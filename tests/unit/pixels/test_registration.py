"""Red and blue are found where they were moved to, and lie on green where nothing moved them."""

import numpy as np

from pipeline.pixels.registration import lie_apart, move_channels
from tests.fixtures.cues import photographs


def test_planted_shifts_and_magnification_are_measured() -> None:
    by_C3 = np.array([[0.5, -0.3, 0.6], [-0.4, 0.2, -0.6]], np.float32)
    found = np.mean([lie_apart(move_channels(image, by_C3)) for image in photographs(8, 0)], axis=0)
    np.testing.assert_allclose(found, by_C3, atol=0.15)


def test_nothing_is_measured_where_nothing_moved_or_can_be_seen() -> None:
    assert np.abs(np.mean([lie_apart(image) for image in photographs(8, 1)], axis=0)).max() < 0.1
    assert not lie_apart(np.full((32, 48, 3), 90, np.uint8)).any()
