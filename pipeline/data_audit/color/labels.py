"""For every class (or superclass): the color feature that sets it apart best, and whether that holds.

Where `color_findings` tells the few strongest stories, this is the whole table.

Shape legend: N images, F features, L labels.
"""

from __future__ import annotations

import numpy as np

from pipeline.data_audit.color.findings import Features, auroc_of_omega_squared, separations, split_halves
from pipeline.data_audit.color.wording import WORDINGS
from pipeline.pixels.color_features import FeatureName
from pipeline.records.color import LabelColor
from pipeline.settings.audit import ColorSettings
from pipeline.statistics.cues.separation import auroc_estimate
from pipeline.statistics.multiplicity import benjamini_hochberg


def label_colors(
    train: Features, names: list[FeatureName], labels: list[str], settings: ColorSettings
) -> list[LabelColor]:
    """One row per label with images, in order; chosen on one half of train and read on the other.

    Separable: one-vs-rest AUROC as large as `min_omega_squared` means between two equal classes, q below
    alpha over all labels and features, and an interval on the held-out half that excludes 0.5.
    """
    discovery, held_out = split_halves(train, settings.seed)
    separation = separations(discovery, len(labels))
    auroc_LF = np.nan_to_num(separation.auroc, nan=0.5)
    q_LF = benjamini_hochberg(separation.p_values)
    least = auroc_of_omega_squared(settings.min_omega_squared)
    rows = []
    for index, label in enumerate(labels):
        if not (discovery.labels == index).any():
            continue
        best = int(np.abs(auroc_LF[index] - 0.5).argmax())
        is_high = bool(auroc_LF[index, best] >= 0.5)
        positive_N = held_out.labels == index
        confirmed = None
        if positive_N.any() and not positive_N.all():
            values_N = held_out.values[:, best]
            confirmed = auroc_estimate(
                values_N if is_high else -values_N, positive_N, sources_N=held_out.sources
            )
        strength = max(auroc_LF[index, best], 1 - auroc_LF[index, best])
        words = WORDINGS[names[best].feature]
        rows.append(
            LabelColor(
                label=label,
                feature=names[best].feature,
                region=names[best].region,
                direction=words.high if is_high else words.low,
                auroc=confirmed,
                q_value=float(q_LF[index, best]),
                separable=bool(
                    strength >= least
                    and q_LF[index, best] < settings.alpha
                    and confirmed is not None
                    and confirmed.low > 0.5
                ),
            )
        )
    return rows
