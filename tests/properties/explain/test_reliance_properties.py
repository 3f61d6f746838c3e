"""What must not matter does not: batches, the order of rows, the names of classes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cues.exchanges.backgrounds import paste_foreground, remove_foreground
from pipeline.explain.reliance.backgrounds import draw_donors
from pipeline.explain.reliance.edits import (
    blur_background,
    draw_permutations,
    fill_background,
    rotate_hue,
    shuffle_patches,
)
from pipeline.explain.reliance.measure import Reliance
from pipeline.records.base import Estimate
from pipeline.records.evaluation import Intervention
from pipeline.statistics.cues.reliance import color_agreement
from tests.fixtures.explain import NOISE_READER, WALL_READER, make_split, run_reliance

MODELS = [WALL_READER, NOISE_READER]


def noise(seed: int, n: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and masks of independent pixels, the masks from empty to full."""
    rng = np.random.default_rng(seed)
    masks = (rng.random((n, side, side)) < rng.uniform(0, 1, (n, 1, 1))).astype(np.uint8) * 255
    return rng.integers(0, 256, (n, side, side, 3), dtype=np.uint8), masks


def numbers(found: Reliance) -> list[float]:
    def flat(part: Estimate | None) -> list[float]:
        return [part.value, part.low, part.high, part.n] if part else []

    def of(change: Intervention) -> list[float]:
        parts = [change.accuracy, change.flip_rate, change.flip_rate_control, change.accuracy_change]
        parts += [change.worst_group_change, *change.groups, *change.group_changes]
        return [value for part in parts for value in flat(part)]

    return [v for change in found.interventions for v in of(change)] + flat(found.foreground_sensitivity)


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10**6), batch_size=st.integers(1, 50), max_images=st.sampled_from([None, 100]))
def test_batches_and_the_order_of_rows_do_not_matter(
    seed: int, batch_size: int, max_images: int | None
) -> None:
    test = make_split(120, seed)
    order = np.random.default_rng(seed).permutation(120)
    once = run_reliance(MODELS, test, max_images=max_images, min_test=5)
    twice = run_reliance(MODELS, test, max_images=max_images, min_test=5)
    assert once._replace(edited=None) == twice._replace(edited=None)  # type: ignore[arg-type]
    for one, other in zip(once.edited, twice.edited, strict=True):
        np.testing.assert_array_equal(one, other)
    again = run_reliance(MODELS, test.take(order), max_images=max_images, min_test=5, batch_size=batch_size)
    assert [i.description for i in again.interventions] == [i.description for i in once.interventions]
    np.testing.assert_allclose(numbers(again), numbers(once), atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 6), side=st.integers(8, 19))
def test_edits_work_image_by_image(seed: int, n: int, side: int) -> None:
    images, masks = noise(seed, n, side)
    color = np.array([10, 20, 30], np.uint8)
    orders = draw_permutations(np.arange(n), seed)
    together = [
        rotate_hue(images),
        shuffle_patches(images, orders),
        fill_background(images, masks, color),
        blur_background(images, masks),
        remove_foreground(images, masks),
    ]
    last = n - 1
    alone = [
        rotate_hue(images[last:]),
        shuffle_patches(images[last:], orders[last:]),
        fill_background(images[last:], masks[last:], color),
        blur_background(images[last:], masks[last:]),
        remove_foreground(images[last:], masks[last:]),
    ]
    for whole, part in zip(together, alone, strict=True):
        assert whole.shape == images.shape
        assert whole.dtype == np.uint8
        np.testing.assert_array_equal(whole[last:], part)
    inside = masks > 0
    for kept in together[2:4]:
        np.testing.assert_array_equal(kept[inside], images[inside])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 40), n_values=st.integers(1, 3))
def test_composites_keep_foregrounds_and_donors_keep_their_promise(seed: int, n: int, n_values: int) -> None:
    rng = np.random.default_rng(seed)
    images, masks = noise(seed, n, 8)
    labels, attributes = rng.integers(0, 3, n), rng.integers(0, n_values, n)
    donors = draw_donors(labels, attributes, seed)
    assert (attributes[donors.other] != attributes[donors.rows]).all()
    assert (attributes[donors.same] == attributes[donors.rows]).all()
    assert (donors.same != donors.rows).all()
    assert len(np.unique(donors.rows)) == len(donors.rows)
    backgrounds = remove_foreground(images, masks)
    inside = masks[donors.rows] > 0
    for given_donors in (donors.other, donors.same):
        pasted = paste_foreground(images[donors.rows], masks[donors.rows], backgrounds[given_donors])
        np.testing.assert_array_equal(pasted[inside], images[donors.rows][inside])
        np.testing.assert_array_equal(pasted[~inside], backgrounds[given_donors][~inside])


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6), n=st.integers(1, 60), n_seeds=st.integers(1, 3), n_classes=st.integers(2, 7)
)
def test_agreement_forgets_the_order_of_rows_and_the_names_of_classes(
    seed: int, n: int, n_seeds: int, n_classes: int
) -> None:
    rng = np.random.default_rng(seed)
    labels, color = rng.integers(0, n_classes, (2, n))
    model = rng.integers(0, n_classes, (n_seeds, n))
    found = color_agreement(model, labels, color, seed=seed)
    order, names = rng.permutation(n), rng.permutation(n_classes)
    assert color_agreement(model[:, order], labels[order], color[order], seed=seed) == found
    renamed = color_agreement(names[model], names[labels], names[color], seed=seed)
    assert (found is None) == (renamed is None)
    if found is not None and renamed is not None:
        assert found.n_errors == renamed.n_errors
        np.testing.assert_allclose(
            [found.share.value, found.share.low, found.expected, found.excess.value],
            [renamed.share.value, renamed.share.low, renamed.expected, renamed.excess.value],
            atol=1e-9,
        )
        assert 0 < found.p_value <= 1
        assert -1 <= found.excess.low <= found.excess.value <= found.excess.high <= 1
        assert 0 <= found.expected <= 1
