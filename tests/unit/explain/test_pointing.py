"""The pointing game on masks small enough to see."""

from __future__ import annotations

import numpy as np

from pipeline.explain.cam.pointing import play_pointing, reach_masks


def square(y: int, x: int, side: int = 4, of: int = 16) -> np.ndarray:
    mask = np.zeros((of, of), np.uint8)
    mask[y : y + side, x : x + side] = 255
    return mask


def peak(row: int, column: int, cells: int = 4) -> np.ndarray:
    cam = np.zeros((cells, cells), np.float32)
    cam[row, column] = 1
    return cam


def test_a_mask_of_one_cell_reaches_its_neighbors_and_no_farther() -> None:
    masks = np.stack([square(4, 4), square(0, 12)])
    reached = reach_masks(masks, np.arange(2), (4, 4))
    expected = np.zeros((2, 4, 4), bool)
    expected[0, :3, :3] = True
    expected[1, :2, 2:] = True
    np.testing.assert_array_equal(reached, expected)


def test_hits_and_chance_by_hand() -> None:
    masks = np.stack([square(0, 0), square(12, 12), square(0, 12)])
    maps = np.stack([[peak(1, 1), peak(0, 0), peak(0, 3)]])
    hits, chance = play_pointing(maps, reach_masks(masks, np.arange(3), (4, 4)))
    np.testing.assert_array_equal(hits, [[1, 0, 1]])
    # the first peak is near no other mask, the second near the first mask, the third near none
    np.testing.assert_array_equal(chance, [[0, 0.5, 0]])


def test_blank_maps_and_empty_masks_are_left_out() -> None:
    masks = np.stack([square(0, 0), np.zeros((16, 16), np.uint8), square(0, 0), np.full((16, 16), 255)])
    maps = np.stack([[peak(0, 0), peak(0, 0), 0 * peak(0, 0), peak(3, 3)]])
    hits, chance = play_pointing(maps, reach_masks(masks.astype(np.uint8), np.arange(4), (4, 4)))
    np.testing.assert_array_equal(hits, [[1, np.nan, np.nan, 1]])
    np.testing.assert_array_equal(chance, [[1, np.nan, np.nan, 0]])


def test_one_image_has_no_chance_to_compare_with() -> None:
    hits, chance = play_pointing(
        peak(0, 0)[None, None], reach_masks(square(0, 0)[None], np.arange(1), (4, 4))
    )
    assert hits[0, 0] == 1
    assert np.isnan(chance[0, 0])
