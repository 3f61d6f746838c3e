"""What models predict on changed images, one batch in memory at a time.

Shape legend: S models (seeds), N images, n images of a part, H height, W width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import softmax
from torch import nn

from pipeline.core.progress import track
from pipeline.core.types import Float32Array, Float64Array, Int64Array, Split, UInt8Array
from pipeline.cues.exchanges.backgrounds import paste_foreground
from pipeline.explain.reliance.backgrounds import Donors, draw_donors, usable_masks
from pipeline.explain.reliance.edits import is_nearly_grey
from pipeline.explain.reliance.interventions import (
    INTERVENTIONS,
    REMOVAL,
    SWAP,
    Batch,
    Edit,
    has_annotated_cue,
)
from pipeline.explain.reliance.kept import Watch, look_away
from pipeline.models.predict import check_numbers, predict_logits
from pipeline.records.data import DatasetInfo

GREY_SPREAD = 4.0  # mean of max - min over the channels, of 255: below it an image looks grey


@dataclass(frozen=True)
class Changed:
    """Predicted classes on the changed versions of some test images."""

    rows: Int64Array  # n, positions in the test split
    predicted_Sn: Int64Array
    control_Sn: Int64Array | None = None  # the same change with the same value of the cue
    donors: Donors | None = None  # whose background each image got, as positions in the test split
    share_grey: float = 0.0  # of the unchanged images that are nearly grey


@dataclass(frozen=True)
class Editor:
    """Makes changed images, once for all models, and predicts them."""

    models: Sequence[nn.Module]
    test: Split
    info: DatasetInfo
    seed: int
    batch_size: int = 256
    watch: Watch = look_away  # is shown every changed batch with its predictions

    def predict_plain(self, rows: Int64Array) -> dict[str, Changed]:
        """The changes that need no masks, by name."""
        edits = _edits(needs_masks=False)
        predicted = {name: self._nothing(len(rows)) for name in edits}
        is_grey_n = np.zeros(len(rows), bool)
        for part, batch in self._batches(rows, "interventions"):
            is_grey_n[part] = is_nearly_grey(batch.images_nHW3, GREY_SPREAD)
            for name, edit in edits.items():
                predicted[name][:, part] = self._predict(name, rows[part], edit(batch))
        share = float(is_grey_n.mean())
        return {
            name: Changed(rows, predicted_Sn, share_grey=share) for name, predicted_Sn in predicted.items()
        }

    def predict_masked(self, rows: Int64Array) -> dict[str, Changed]:
        """Changes of fore- and background, by name; none where no image has a usable mask.

        Every image's foreground is painted over once: for its own removal, and for all images that
        get its background.
        """
        rows = rows[:0] if self.test.masks is None else rows[usable_masks(self.test.masks, rows)]
        if not len(rows):
            return {}
        edits = _edits(needs_masks=True)
        predicted = {name: self._nothing(len(rows)) for name in edits}
        donors = self._draw_donors(rows)
        other_Sn, same_Sn = self._nothing(len(donors.rows)), self._nothing(len(donors.rows))
        for part, batch in self._batches(rows, "interventions with masks"):
            images = {name: edit(batch) for name, edit in edits.items()}
            for name in edits:
                predicted[name][:, part] = self._predict(name, rows[part], images[name])
            for shown_as, given, out_Sn in ((SWAP, donors.other, other_Sn), (None, donors.same, same_Sn)):
                places = np.flatnonzero((given >= part.start) & (given < part.stop))
                backgrounds = images[REMOVAL], given[places] - part.start
                out_Sn[:, places] = self._predict_composites(
                    shown_as, rows[donors.rows[places]], *backgrounds
                )
        found = {name: Changed(rows, predicted_Sn) for name, predicted_Sn in predicted.items()}
        if len(donors.rows):
            in_test = Donors(*(rows[column] for column in donors))
            found[SWAP] = Changed(in_test.rows, other_Sn, same_Sn, in_test)
        return found

    def _draw_donors(self, rows: Int64Array) -> Donors:
        """Positions in `rows`; none where the cue was not annotated."""
        if not has_annotated_cue(self.info):
            rows = rows[:0]
        return draw_donors(self.test.labels[rows], self.test.attributes[rows], self.seed)

    def _predict_composites(
        self, name: str | None, rows: Int64Array, backgrounds_nHW3: UInt8Array, given: Int64Array
    ) -> Int64Array:
        """Predict the foregrounds of `rows` on the backgrounds `given`, of which some serve many.

        `name` is None for a control, which is shown to nobody.
        """
        predicted_Sn = self._nothing(len(rows))
        for i in range(0, len(rows), self.batch_size):
            part = slice(i, i + self.batch_size)
            composites = paste_foreground(
                self.test.images[rows[part]], self._masks(rows[part]), backgrounds_nHW3[given[part]]
            )
            predicted_Sn[:, part] = self._predict(name, rows[part], composites)
        return predicted_Sn

    def _batches(self, rows: Int64Array, label: str) -> Iterator[tuple[slice, Batch]]:
        color = np.rint(255 * np.array(self.info.channel_mean)).astype(np.uint8)
        for i in track(range(0, len(rows), self.batch_size), label):
            part = slice(i, min(i + self.batch_size, len(rows)))
            here = rows[part]
            yield (
                part,
                Batch(self.test.images[here], self._masks(here), self.test.ids[here], color, self.seed),
            )

    def _masks(self, rows: Int64Array) -> UInt8Array:
        if self.test.masks is None:
            return np.zeros((len(rows), *self.test.images.shape[1:3]), np.uint8)
        return self.test.masks[rows]

    def _predict(self, name: str | None, rows: Int64Array, images_nHW3: UInt8Array) -> Int64Array:
        predicted_Sn = predict_classes(self.models, images_nHW3, self.batch_size)
        if name is not None:
            self.watch(name, rows, images_nHW3, predicted_Sn)
        return predicted_Sn

    def _nothing(self, n: int) -> Int64Array:
        return np.full((len(self.models), n), -1, np.int64)


def predict_classes(
    models: Sequence[nn.Module], images_NHW3: UInt8Array, batch_size: int = 256
) -> Int64Array:
    """Classes S x N that the models predict; a memory map is read once, batch by batch."""
    predicted_SN = np.empty((len(models), len(images_NHW3)), np.int64)
    for s, part, logits_nK in _logits(models, images_NHW3, batch_size):
        predicted_SN[s, part] = logits_nK.argmax(axis=1)
    return predicted_SN


class Confident(NamedTuple):
    """Classes S x N that models name, and the probability that each gives the class it names."""

    predicted_SN: Int64Array
    confidence_SN: Float64Array


def predict_confidently(
    models: Sequence[nn.Module], images_NHW3: UInt8Array, batch_size: int = 256
) -> Confident:
    """As `predict_classes`, with confidences."""
    found = Confident(
        np.empty((len(models), len(images_NHW3)), np.int64), np.empty((len(models), len(images_NHW3)))
    )
    for s, part, logits_nK in _logits(models, images_NHW3, batch_size):
        check_numbers(logits_nK, f"network {s + 1} of {len(models)}")
        found.predicted_SN[s, part] = logits_nK.argmax(axis=1)
        found.confidence_SN[s, part] = softmax(logits_nK.astype(np.float64), axis=1).max(axis=1)
    return found


def _logits(
    models: Sequence[nn.Module], images_NHW3: UInt8Array, batch_size: int
) -> Iterator[tuple[int, slice, Float32Array]]:
    """Of each batch, and of each model on it: its place, the batch's rows, logits."""
    for i in range(0, len(images_NHW3), batch_size):
        images, part = np.asarray(images_NHW3[i : i + batch_size]), slice(i, i + batch_size)
        for s, model in enumerate(models):
            yield s, part, predict_logits(model, images, batch_size=batch_size)


def choose_rows(groups_N: Int64Array, ids_N: Int64Array, max_images: int | None, seed: int) -> Int64Array:
    """Positions of at most `max_images` images, every group in proportion, in the order of their ids.

    A larger `max_images` keeps the images of a smaller one.
    """
    order = np.argsort(ids_N)
    if max_images is None or len(order) <= max_images:
        return order
    quantile_N = np.empty(len(order))  # of an image in its shuffled group, 0 for the first
    for group in np.unique(groups_N):
        members = order[groups_N[order] == group]
        drawn = np.random.default_rng([seed, int(group)]).permutation(len(members))
        quantile_N[members] = drawn / len(members)
    chosen = np.argsort(quantile_N[order], kind="stable")[:max_images]
    sample: Int64Array = order[np.sort(chosen)]
    return sample


def _edits(*, needs_masks: bool) -> dict[str, Edit]:
    return {
        name: kind.edit
        for name, kind in INTERVENTIONS.items()
        if kind.needs_masks == needs_masks and kind.edit is not None
    }
