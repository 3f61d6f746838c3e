"""Change a cue, leave the rest, and see whether predictions follow: is the cue *used*.

Shape legend: S models (seeds), N images, G groups, H height, W width.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.results import DatasetInfo, Estimate, GroupEstimate, Intervention
from pipeline.core.types import BoolArray, Int64Array, Split, UInt8Array
from pipeline.explain.backgrounds import Donors, draw_donors, swap_backgrounds
from pipeline.metrics.intervals import accuracy_over_seeds
from pipeline.metrics.paired import paired_change
from pipeline.models.networks import Classifier
from pipeline.models.predict import predict_logits

GREY_SPREAD = 4.0  # mean of max - min over the channels, of 255: below it an image looks grey
GREY_SHARE = 0.9  # of images; above it taking color away cannot show anything


def run_interventions(
    *,
    models: Sequence[Classifier],
    test: Split,
    info: DatasetInfo,
    seed: int,
    batch_size: int = 256,
    min_test: int = 100,
) -> list[Intervention]:
    """Greyscale always; background swap where masks and an annotated attribute allow it.

    Args:
        models: one per seed.
        min_test: groups with fewer images are marked as insufficient, and are not taken for the
            worst group while a larger one exists.

    Raises:
        InputError: no test images or no models.
    """
    if not len(test) or not models:
        raise InputError(
            f"interventions need test images and models, got {len(test)} and {len(models)}. Check the "
            "test split and train.seeds."
        )
    original_SN = predict_classes(models, len(test), lambda rows: test.images[rows], batch_size)
    measure = _Measure(info, min_test, seed)
    found = [_run_greyscale(models, test, original_SN, measure, batch_size)]
    if test.masks is not None and _has_annotated_cue(info):
        donors = draw_donors(test, seed)
        if len(donors.rows):
            found.append(_run_background_swap(models, test, original_SN, donors, measure, batch_size))
    return found


def predict_classes(
    models: Sequence[Classifier], n: int, make: Callable[[slice], UInt8Array], batch_size: int
) -> Int64Array:
    """Classes S x N that the models predict for images made batch by batch, once for all models."""
    predicted_SN = np.empty((len(models), n), np.int64)
    for i in range(0, n, batch_size):
        rows = slice(i, min(i + batch_size, n))
        images = make(rows)
        for s, model in enumerate(models):
            device = next(model.parameters()).device
            logits_NK = predict_logits(model, images, batch_size=batch_size, device=device)
            predicted_SN[s, rows] = logits_NK.argmax(axis=1)
    return predicted_SN


def to_grey(images_NHW3: UInt8Array) -> UInt8Array:
    """Rec. 601 luma in all three channels, N x H x W x 3."""
    n, height, width, _ = images_NHW3.shape
    tall = np.ascontiguousarray(images_NHW3).reshape(n * height, width, 3)
    luma = cv2.cvtColor(tall, cv2.COLOR_RGB2GRAY).reshape(n, height, width, 1)
    grey: UInt8Array = np.repeat(luma, 3, axis=3)
    return grey


@dataclass(frozen=True)
class _Measure:
    """What turns predictions before and after into the numbers of an `Intervention`."""

    info: DatasetInfo
    min_test: int
    seed: int

    def flip_rate_by_group(self, flipped_SN: BoolArray, groups_N: Int64Array) -> list[GroupEstimate]:
        """One estimate per group; without images n = 0 and 0..1, that is: nothing is known."""
        found = []
        for index, group in enumerate(self.info.groups):
            flips = flipped_SN[:, groups_N == index]
            known = accuracy_over_seeds(flips) if flips.size else Estimate(value=0, low=0, high=1, n=0)
            sufficient = 0 < known.n >= self.min_test
            found.append(GroupEstimate(**known.model_dump(), name=group.name, sufficient=sufficient))
        return found

    def worst_group(self, correct_SN: BoolArray, groups_N: Int64Array) -> int | None:
        """The group with the lowest mean accuracy; None where there is only one group."""
        counts_G = np.bincount(groups_N, minlength=len(self.info.groups))
        if (counts_G > 0).sum() < 2:
            return None
        eligible_G = counts_G >= (self.min_test if (counts_G >= self.min_test).any() else 1)
        hits_G = np.bincount(groups_N, weights=correct_SN.mean(axis=0), minlength=len(counts_G))
        accuracy_G = np.where(eligible_G, hits_G / np.maximum(counts_G, 1), np.inf)
        return int(accuracy_G.argmin())

    def change(
        self, before_SN: BoolArray, after_SN: BoolArray, groups_N: Int64Array, keep_N: BoolArray
    ) -> Estimate:
        """Accuracy after minus before on the images `keep_N`, paired."""
        return paired_change(before_SN[:, keep_N], after_SN[:, keep_N], groups_N[keep_N], seed=self.seed)

    def aligned(self, groups_N: Int64Array) -> BoolArray:
        """True for images whose cue goes with their label in the training set.

        A cell is aligned when it has more training images than label and cue would give if they
        were independent. All True where no cell of the images' groups is.
        """
        groups = self.info.groups
        per_label, per_value = Counter[str](), Counter[str]()
        for group in groups:
            per_label[group.label] += group.n_train
            per_value[group.attribute] += group.n_train
        total = sum(per_label.values())
        is_aligned_G = np.array(
            [g.n_train * total > per_label[g.label] * per_value[g.attribute] for g in groups], bool
        )
        aligned_N: BoolArray = is_aligned_G[groups_N]
        return aligned_N if aligned_N.any() else np.ones(len(groups_N), bool)


def _run_greyscale(
    models: Sequence[Classifier], test: Split, original_SN: Int64Array, measure: _Measure, batch_size: int
) -> Intervention:
    n_grey = 0

    def make(rows: slice) -> UInt8Array:
        nonlocal n_grey
        images = test.images[rows]
        spread_N = (images.max(axis=3) - images.min(axis=3)).mean(axis=(1, 2))
        n_grey += int((spread_N < GREY_SPREAD).sum())
        return to_grey(images)

    grey_SN = predict_classes(models, len(test), make, batch_size)
    description = (
        "Every test image without color (its luma in all three channels). Changes are against the "
        "original images."
    )
    if n_grey >= GREY_SHARE * len(test):
        description += f" {n_grey / len(test):.0%} of the images are nearly grey already: little can change."
    before_SN, after_SN = original_SN == test.labels, grey_SN == test.labels
    worst = measure.worst_group(before_SN, test.groups)
    if worst is not None:
        description += f" Worst group on the original images: {measure.info.groups[worst].name}."
    flipped_SN = grey_SN != original_SN
    return Intervention(
        name="greyscale",
        description=description,
        flip_rate=accuracy_over_seeds(flipped_SN),
        flip_rate_control=None,
        accuracy_change=measure.change(before_SN, after_SN, test.groups, np.ones(len(test), bool)),
        worst_group_change=None
        if worst is None
        else measure.change(before_SN, after_SN, test.groups, test.groups == worst),
        groups=measure.flip_rate_by_group(flipped_SN, test.groups),
    )


def _run_background_swap(
    models: Sequence[Classifier],
    test: Split,
    original_SN: Int64Array,
    donors: Donors,
    measure: _Measure,
    batch_size: int,
) -> Intervention:
    """Both composites against each other, so that what compositing itself does cancels."""
    n = len(donors.rows)

    def predict_on(given: Int64Array) -> Int64Array:
        def make(part: slice) -> UInt8Array:
            return swap_backgrounds(test, donors.rows[part], given[part])

        return predict_classes(models, n, make, batch_size)

    swapped_SN, control_SN = predict_on(donors.other), predict_on(donors.same)
    before_SN = original_SN[:, donors.rows]
    labels_N, groups_N = test.labels[donors.rows], test.groups[donors.rows]
    flipped_SN = swapped_SN != before_SN
    was_right_SN, is_right_SN = control_SN == labels_N, swapped_SN == labels_N
    aligned_N = measure.aligned(groups_N)
    # By the originals: chosen on the control, its bad luck there would look like a gain here.
    worst = measure.worst_group(before_SN == labels_N, groups_N)
    attribute = measure.info.attributes[0].name
    description = (
        f"Each foreground on the background of a random test image with another value of {attribute}; "
        f"the control's donor has the same value. {n} of {len(test)} images had a usable mask and donors. "
        "Accuracy changes are against the control composite; overall, over the "
        f"{int(aligned_N.sum())} images whose {attribute} goes with their class in the training set."
    )
    if worst is not None:
        description += f" Worst group on the original images: {measure.info.groups[worst].name}."
    return Intervention(
        name="background_swap",
        description=description,
        flip_rate=accuracy_over_seeds(flipped_SN),
        flip_rate_control=accuracy_over_seeds(control_SN != before_SN),
        accuracy_change=measure.change(was_right_SN, is_right_SN, groups_N, aligned_N),
        worst_group_change=None
        if worst is None
        else measure.change(was_right_SN, is_right_SN, groups_N, groups_N == worst),
        groups=measure.flip_rate_by_group(flipped_SN, groups_N),
    )


def _has_annotated_cue(info: DatasetInfo) -> bool:
    return (
        bool(info.attributes)
        and info.attributes[0].origin == "annotated"
        and len(info.attributes[0].values) > 1
    )
