"""How alike maps are: identical, unrelated, and two seeds worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.core.types import Float32Array
from pipeline.records.gradcam import MapAgreement
from pipeline.statistics.maps import compare_maps, spearman, top_overlap


def noise(n_models: int, n: int, cells: int = 4, seed: int = 0) -> Float32Array:
    return np.random.default_rng(seed).random((n_models, n, cells, cells)).astype(np.float32)


def compare(baseline: Float32Array, method: Float32Array, **kwargs: object) -> MapAgreement:
    found = compare_maps(baseline, method, baseline="erm", method="dro", **kwargs)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_identical_maps_agree_fully() -> None:
    maps = np.repeat(noise(1, 30), 3, axis=0)
    found = compare(maps, 5 * maps)
    for estimate in (found.spearman, found.top_overlap, found.seed_spearman, found.seed_top_overlap):
        assert estimate is not None
        assert estimate.value == pytest.approx(1)
        assert estimate.n == 30
    assert found.below_seeds is not None
    assert found.below_seeds.value == pytest.approx(0)
    assert (found.baseline, found.method) == ("erm", "dro")


def test_unrelated_maps_do_not() -> None:
    found = compare(noise(3, 400), noise(3, 400, seed=1))
    for estimate in (found.spearman, found.seed_spearman, found.below_seeds):
        assert estimate is not None
        assert abs(estimate.value) < 0.03
        assert estimate.low < 0 < estimate.high
    # 3 of 16 cells each: E[shared / (6 - shared)] = (1 * 234 / 5 + 2 * 39 / 4 + 3 * 1 / 3) / 560
    assert found.top_overlap.value == pytest.approx((234 / 5 + 39 * 2 / 4 + 1) / 560, abs=0.01)


def test_top_cells_by_hand() -> None:
    first, second = np.zeros((2, 1, 5, 2), np.float32)
    first[0, 0], second[0, 0] = (3, 2), (3, 0)  # two of ten cells are the top fifth
    second[0, 4, 1] = 1
    np.testing.assert_allclose(top_overlap(first, second), [1 / 3])
    one, blank = np.zeros((2, 1, 5, 2), np.float32)
    one[0, 0, 0] = 1  # cells without evidence are never on top
    np.testing.assert_allclose(top_overlap(first, one), [1 / 2])
    assert np.isnan(top_overlap(first, blank)).all()
    assert np.isnan(spearman(first, blank)).all()


def test_ties_at_the_threshold_are_taken_together() -> None:
    flat = np.ones((1, 5, 2), np.float32)
    first = np.zeros((1, 5, 2), np.float32)
    first[0, 0] = 1
    np.testing.assert_allclose(top_overlap(flat, first), [0.2])
    np.testing.assert_allclose(top_overlap(flat, flat), [1])


def test_seed_baseline_by_hand() -> None:
    """Ranks 1234, 2134 and 1243: 1 - 6 * 2 / 60 = .8 to the first, 1 - 6 * 4 / 60 = .6 between the others."""
    orders = ((1, 2, 3, 4), (2, 1, 3, 4), (1, 2, 4, 3))
    maps = np.stack([[np.array(order, np.float32).reshape(2, 2)] * 12 for order in orders])
    found = compare(maps, maps)
    assert found.seed_spearman is not None
    assert found.seed_spearman.value == pytest.approx(2.2 / 3)
    # Models of the same seed are not paired, else the three 1s on the diagonal would count.
    assert found.spearman.value == pytest.approx(2.2 / 3)
    # Images do not differ. Leaving one model out leaves one pair, so the jackknife variance is
    # 2/3 * (2 * .0667^2 + .1333^2) = .01778, and t(2) = 4.3027: 4.3027 * .1333 = .5737.
    assert found.seed_spearman.low == pytest.approx(2.2 / 3 - 0.5737, abs=1e-3)
    assert found.seed_spearman.high == 1


def test_two_methods_that_differ_more_than_seeds_do() -> None:
    base, other = noise(1, 60), noise(1, 60, seed=1)
    first = base + 0.2 * noise(3, 60, seed=2)
    found = compare(first, other + 0.2 * noise(3, 60, seed=3))
    assert found.below_seeds is not None
    assert found.below_seeds.low > 0.5
    assert found.seed_spearman is not None
    assert found.spearman.high < found.seed_spearman.low


def test_one_model_each_is_compared_without_a_baseline() -> None:
    found = compare(noise(1, 30), noise(1, 30))
    assert found.spearman.value == pytest.approx(1)
    assert (found.seed_spearman, found.seed_top_overlap, found.below_seeds) == (None, None, None)


def test_only_images_predicted_alike_count() -> None:
    up = noise(1, 40)
    maps, predicted = up.copy(), np.zeros((1, 40), np.int64)
    maps[0, 10:] = 1 - up[0, 10:]  # the other class: the opposite map
    other = np.where(np.arange(40) < 10, 0, 1)[None]
    assert compare(up, maps).spearman.value == pytest.approx(-0.5)
    found = compare(up, maps, predicted=(predicted, other))
    assert found.spearman.value == pytest.approx(1)
    assert found.spearman.n == 10
    assert compare_maps(up, maps, baseline="a", method="b", predicted=(predicted, 1 + predicted)) is None


def test_blank_maps_are_left_out() -> None:
    maps = noise(2, 20)
    maps[:, 5:] = 0
    assert compare(maps, maps).spearman.n == 5
    assert compare_maps(0 * maps, maps, baseline="a", method="b") is None
    assert compare_maps(noise(2, 20, cells=1), noise(2, 20, cells=1), baseline="a", method="b") is None


def test_maps_of_another_grid_are_averaged_to_the_coarser() -> None:
    coarse = noise(2, 25)
    fine = np.kron(coarse, np.ones((2, 2), np.float32))
    assert compare(np.repeat(coarse[:1], 2, axis=0), np.repeat(fine[:1], 2, axis=0)).spearman.value == (
        pytest.approx(1)
    )
    assert compare(fine, coarse).spearman.value == pytest.approx(compare(coarse, coarse).spearman.value)


def test_other_images_are_refused() -> None:
    with pytest.raises(InputError, match=r"maps of 3 images of a .* maps of 4 images of b"):
        compare_maps(noise(1, 3), noise(1, 4), baseline="a", method="b")
