"""Which of the images that were left out have a label that looks wrong: asked of the models without them.

Shape legend: S seeds, N training images, n of them left out, V validation images, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from pipeline.core.types import Float64Array, Int64Array, UInt8Array
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits
from pipeline.parallel.rank import current_world
from pipeline.records.training import SuspectedLabels
from pipeline.statistics.retrained.held_out_labels import label_margins, look_wrong
from pipeline.train.fitting import SeedRun


def suspected_rows(
    run: SeedRun, models: Sequence[Classifier], left_out_n: Int64Array, cells: tuple[Int64Array, Int64Array]
) -> tuple[Int64Array, float]:
    """The suspected rows among those left out, in their order, and how many validation lets expect.

    The audit's own ranking by attribution takes images that teach a shortcut for wrong labels as well, since
    both do harm; these models, which the shortcut misleads less, tell the two apart.

    Args:
        models: of all seeds, none of which trained on the rows left out.
        cells: groups of training and of validation images, or classes where groups are not known.
    """
    labels_n, (cells_N, cells_V) = run.train.labels[left_out_n], cells
    out_nC = _mean_probabilities(models, run.train.images[left_out_n])
    val_VC = _mean_probabilities(models, run.val.images)
    wrong_n, expected = look_wrong(
        label_margins(out_nC, labels_n),
        cells_N[left_out_n],
        label_margins(val_VC, run.val.labels),
        cells_V,
    )
    found: tuple[Int64Array, float] = current_world().share((left_out_n[wrong_n], expected))
    return found  # one answer for all processes


def suspects_record(
    run: SeedRun, left_out_n: Int64Array, suspected_n: Int64Array, expected: float
) -> SuspectedLabels:
    """The suspected rows, counted by group beside the wrong labels that are known."""
    known_N, n_groups = run.train.label_flipped, len(run.info.groups)

    def by_group(rows: Int64Array) -> list[int]:
        counts: list[int] = np.bincount(run.train.groups[rows], minlength=n_groups).tolist()
        return counts

    def known_by_group(rows: Int64Array) -> list[int] | None:
        return None if known_N is None else by_group(rows[known_N[rows]])

    return SuspectedLabels(
        expected=expected,
        by_group=by_group(suspected_n),
        known_wrong_by_group=known_by_group(left_out_n),
        found_by_group=known_by_group(suspected_n),
    )


def _mean_probabilities(models: Sequence[Classifier], images: UInt8Array) -> Float64Array:
    """Over seeds, N x C."""
    per_seed = [softmax(predict_logits(model, images).astype(np.float64), axis=1) for model in models]
    mean_NC: Float64Array = np.mean(per_seed, axis=0)
    return mean_NC
