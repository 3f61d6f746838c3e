"""What a model relies on: predictions before and after each change, as numbers with intervals.

Shape legend: S models (seeds), N test images, n changed images, G groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import nn

from pipeline.artifacts.edited import EditedImages
from pipeline.core.errors import InputError
from pipeline.core.types import BoolArray, Int64Array, Split
from pipeline.explain.reliance.changed import Changed, Editor, choose_rows
from pipeline.explain.reliance.cue_use import Cue, measure_cue_use, natural_use
from pipeline.explain.reliance.interventions import (
    FILL,
    INTERVENTIONS,
    REMOVAL,
    SWAP,
    has_annotated_cue,
)
from pipeline.explain.reliance.kept import Keeper
from pipeline.records.base import Estimate, GroupEstimate
from pipeline.records.data import ALIGNED, DatasetInfo
from pipeline.records.evaluation import CueUse, Intervention
from pipeline.settings.evaluation import EvaluateSettings
from pipeline.statistics.accuracy.worst_group import WorstGroup
from pipeline.statistics.comparison.paired import paired_change
from pipeline.statistics.cues.independence import compare_with_independence
from pipeline.statistics.cues.reliance import foreground_sensitivity
from pipeline.statistics.intervals import accuracy_over_seeds, clip_difference, widen

GREY_SHARE = 0.9  # of images; above it taking color away cannot show anything


class Reliance(NamedTuple):
    interventions: list[Intervention]
    foreground_sensitivity: Estimate | None
    cue_use: CueUse
    edited: EditedImages  # a few of every change


def measure_reliance(
    *,
    models: Sequence[nn.Module],
    test: Split,
    info: DatasetInfo,
    predicted_SN: Int64Array,
    worst: WorstGroup,
    cue: Cue,
    settings: EvaluateSettings,
    batch_size: int = 256,
) -> Reliance:
    """What changes and exchanges of the cue do, as far as masks and attribute allow.

    Args:
        models: one per seed.
        predicted_SN: the models' classes on the unchanged test images.
        worst: the worst group on these.
        settings: `max_images` bounds the images, `min_test` says which groups are large enough,
            `seed` draws subset, patches, donors and bootstraps.

    Raises:
        InputError: no test images, no models, or predictions of other images or models.
    """
    if not len(test) or not models:
        raise InputError(
            f"interventions need test images and models, got {len(test)} and {len(models)}. Check the "
            "test split and train.seeds."
        )
    if predicted_SN.shape != (len(models), len(test)):
        raise InputError(
            f"predictions have shape {predicted_SN.shape}, but there are {len(models)} models and "
            f"{len(test)} test images: pass one row per model and one column per test image."
        )
    rows = choose_rows(test.groups, test.ids, settings.max_images, settings.seed)
    keeper = Keeper(test, predicted_SN[0], aligned_groups(info))
    editor = Editor(models, test, info, settings.seed, batch_size, keeper.watch)
    changed = editor.predict_plain(rows) | editor.predict_masked(rows)
    measure = Measure(info, test, predicted_SN, worst, settings)
    cue_use = measure_cue_use(
        cue,
        models=models,
        test=test,
        rows=rows,
        predicted_SN=predicted_SN,
        swap=changed.get(SWAP),
        seed=settings.seed,
        batch_size=batch_size,
        watch=keeper.watch,
    )
    return Reliance(
        [measure.intervention(name, changed[name]) for name in INTERVENTIONS if name in changed],
        measure.foreground_sensitivity(changed),
        cue_use,
        keeper.edited,
    )


def only_predicted(cue: Cue, test: Split, predicted_SN: Int64Array) -> Reliance:
    """Where there are predictions and no network: how images as they are differ with their cue."""
    nothing = Keeper(test, predicted_SN[0], np.zeros(int(test.groups.max(initial=0)) + 1, bool)).edited
    return Reliance([], None, natural_use(cue, test, predicted_SN), nothing)


def aligned_groups(info: DatasetInfo) -> BoolArray:
    """G, True for groups whose cue goes with their label in the training set.

    These have more training images than label and cue would give if they were independent; where a cue's own
    guess forms the groups, they are called so.
    """
    groups = info.groups
    if info.attributes and info.attributes[0].origin == "cue":
        return np.array([group.attribute == ALIGNED for group in groups], bool)
    aligned_G: BoolArray = (
        np.array([g.n_train for g in groups]) > compare_with_independence(groups).expected_G
    )
    return aligned_G


@dataclass(frozen=True)
class Measure:
    """What turns predicted classes before and after a change into an `Intervention`."""

    info: DatasetInfo
    test: Split
    predicted_SN: Int64Array
    worst: WorstGroup  # on all unchanged test images
    settings: EvaluateSettings

    def intervention(self, name: str, changed: Changed) -> Intervention:
        """All numbers of one change; with a control, accuracies are compared with the control's."""
        rows, labels_n, groups_n = (
            changed.rows,
            self.test.labels[changed.rows],
            self.test.groups[changed.rows],
        )
        original_Sn = self.predicted_SN[:, rows]
        reference_Sn = original_Sn if changed.control_Sn is None else changed.control_Sn
        was_right_Sn, is_right_Sn = reference_Sn == labels_n, changed.predicted_Sn == labels_n
        flipped_Sn = changed.predicted_Sn != original_Sn
        sources_n = self._sources(rows)
        kept_n = self._overall(groups_n)
        in_worst_n = groups_n == self.worst.group
        is_one_of_many = len(np.unique(self.test.groups)) > 1
        worst_change = None
        if is_one_of_many and in_worst_n.any():
            plain = self._change(was_right_Sn, is_right_Sn, groups_n, in_worst_n, sources_n)
            worst_change = clip_difference(widen(plain, n_comparisons=len(self.worst.considered), alpha=0.05))
        return Intervention(
            name=name,
            family=INTERVENTIONS[name].family,
            description=self._describe(name, changed, int(kept_n.sum())),
            n_images=len(rows),
            accuracy=accuracy_over_seeds(is_right_Sn[:, kept_n], sources_N=_among(sources_n, kept_n)),
            flip_rate=accuracy_over_seeds(flipped_Sn, sources_N=sources_n),
            flip_rate_control=None
            if changed.control_Sn is None
            else accuracy_over_seeds(changed.control_Sn != original_Sn, sources_N=sources_n),
            accuracy_change=self._change(was_right_Sn, is_right_Sn, groups_n, kept_n, sources_n),
            worst_group=self.worst.group if is_one_of_many else None,
            worst_group_change=worst_change,
            groups=self._flip_rates(flipped_Sn, groups_n, sources_n),
            group_changes=self._changes_by(
                [group.name for group in self.info.groups],
                groups_n,
                was_right_Sn,
                is_right_Sn,
                groups_n,
                sources_n,
            ),
            label_changes=self._changes_by(
                self.info.group_labels,
                np.array(self.info.class_to_group_label)[labels_n],
                was_right_Sn,
                is_right_Sn,
                groups_n,
                sources_n,
            ),
        )

    def foreground_sensitivity(self, changed: dict[str, Changed]) -> Estimate | None:
        """From background fill and foreground removal; None without usable masks."""
        if FILL not in changed or REMOVAL not in changed:
            return None
        rows = changed[FILL].rows
        labels_n, kept_n = self.test.labels[rows], self._overall(self.test.groups[rows])
        object_Sn, background_Sn = changed[FILL].predicted_Sn, changed[REMOVAL].predicted_Sn
        return foreground_sensitivity(
            (object_Sn == labels_n)[:, kept_n],
            (background_Sn == labels_n)[:, kept_n],
            labels_n[kept_n],
            seed=self.settings.seed,
            sources_N=_among(self._sources(rows), kept_n),
        )

    def _overall(self, groups_n: Int64Array) -> BoolArray:
        """The images that accuracies are over: with an annotated cue those whose cue fits their label.

        On a balanced test split a cue helps as many images as it hurts, and a change that takes it
        away would seem to cost nothing. All True where no image's cue fits.
        """
        everyone_n = np.ones(len(groups_n), bool)
        if not has_annotated_cue(self.info):
            return everyone_n
        aligned_n: BoolArray = aligned_groups(self.info)[groups_n]
        return aligned_n if aligned_n.any() else everyone_n

    def _sources(self, rows: Int64Array) -> Int64Array | None:
        return None if self.test.sources is None else self.test.sources[rows]

    def _change(
        self,
        before_Sn: BoolArray,
        after_Sn: BoolArray,
        groups_n: Int64Array,
        kept_n: BoolArray,
        sources_n: Int64Array | None,
    ) -> Estimate:
        return paired_change(
            before_Sn[:, kept_n],
            after_Sn[:, kept_n],
            groups_n[kept_n],
            seed=self.settings.seed,
            sources_N=_among(sources_n, kept_n),
        )

    def _flip_rates(
        self, flipped_Sn: BoolArray, groups_n: Int64Array, sources_n: Int64Array | None
    ) -> list[GroupEstimate]:
        """One per group; without images n = 0 and 0..1, that is: nothing is known."""
        nothing = Estimate(value=0, low=0, high=1, n=0)
        inside = [groups_n == index for index in range(len(self.info.groups))]
        estimates = [
            accuracy_over_seeds(flipped_Sn[:, kept_n], sources_N=_among(sources_n, kept_n))
            if kept_n.any()
            else nothing
            for kept_n in inside
        ]
        return [self._named(estimate, g, self.info.groups[g].name) for g, estimate in enumerate(estimates)]

    def _changes_by(
        self,
        names: Sequence[str],
        cells_n: Int64Array,
        before_Sn: BoolArray,
        after_Sn: BoolArray,
        groups_n: Int64Array,
        sources_n: Int64Array | None,
    ) -> list[GroupEstimate]:
        """Accuracy change in each named cell; without images n = 0 and -1..1."""
        nothing = Estimate(value=0, low=-1, high=1, n=0)
        found = []
        for index, name in enumerate(names):
            kept_n: BoolArray = cells_n == index
            change = nothing
            if kept_n.any():
                change = self._change(before_Sn, after_Sn, groups_n, kept_n, sources_n)
            found.append(self._named(change, index, name))
        return found

    def _named(self, estimate: Estimate, index: int, name: str) -> GroupEstimate:
        sufficient = 0 < estimate.n >= self.settings.min_test
        return GroupEstimate(**estimate.model_dump(), index=index, name=name, sufficient=sufficient)

    def _describe(self, name: str, changed: Changed, n_kept: int) -> str:
        kind, n, total = INTERVENTIONS[name], len(changed.rows), len(self.test)
        which = "all" if n == total else f"{n:,} of"
        text = f"{kind.words}, on {which} {total:,} test images"
        text += (
            " (with a usable mask" + (" and donors)." if kind.needs_cue else ").")
            if kind.needs_masks
            else "."
        )
        against = "the same images unchanged" if changed.control_Sn is None else "the control"
        text += f" Changes of accuracy are against {against}"
        if n_kept < n:
            cue = self.info.attributes[0].name
            text += f"; overall, over the {n_kept:,} images whose {cue} goes with their class in training"
        if kind.family == "color" and changed.share_grey >= GREY_SHARE:
            text += f". {changed.share_grey:.0%} of the images are nearly grey already: little can change"
        return text + "."


def _among(sources_n: Int64Array | None, kept_n: BoolArray) -> Int64Array | None:
    return None if sources_n is None else sources_n[kept_n]
