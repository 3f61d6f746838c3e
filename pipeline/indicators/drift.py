"""Drift: are test images, and what the model makes of them, like training images?

Shape legend: S networks, N images of a split, n of them looked at, D features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.core.types import Float32Array, Float64Array, Int64Array
from pipeline.indicators.answers import embeddings, need_networks
from pipeline.indicators.indicator import ByModel, ModelIndicator, UnmeasuredError, Words
from pipeline.indicators.subject import Subject
from pipeline.statistics.generalization.drift import Drift, class_drift, mmd_drift, psi_drift
from pipeline.statistics.sampling import order_of_group

MOST, LEAST = 300, 50  # images of a side
_EVERYTHING = -1  # in place of a group


class Seen(NamedTuple):
    """What all networks made of a split."""

    embeddings: list[Float32Array]  # S of N x D
    log_SNK: Float64Array
    groups_N: Int64Array


def per_model(subject: Subject) -> ByModel:
    """MMD of the embeddings, PSI of predicted classes and confidences: of all images, and within groups."""
    need_networks(subject)
    if min(len(subject.train), len(subject.test)) < LEAST:
        raise UnmeasuredError(
            f"{len(subject.train):,} training and {len(subject.test):,} test images: both need {LEAST}."
        )
    n_models = len(subject.few_models)
    train, test = _seen(subject, "train", n_models), _seen(subject, "test", n_models)
    found: dict[str, Drift] = {}
    titles: dict[str, str] = {}
    for group in [_EVERYTHING, *_large_groups(subject)]:
        suffix = "" if group == _EVERYTHING else f"_group_{group}"
        where = "" if group == _EVERYTHING else f", within {_name(subject.group_names, group)}"
        of_group = _measure(subject, train, test, group)
        found |= {f"{part}{suffix}": drift for part, drift in of_group.items()}
        titles |= {f"{part}{suffix}": f"{_TITLES[part]}{where}" for part in of_group}
    return ByModel(
        parts={part: drift.value_S.tolist() for part, drift in found.items()},
        titles=titles,
        thresholds={part: drift.threshold for part, drift in found.items()},
        notes=(
            "Training images are compared with test images. A model that has learned its training images "
            "by heart is surer of them, which shows as drift of confidences and features. Groups have "
            "other shares in training and test by design, which shows over all images and not within a "
            "group.",
        ),
    )


_TITLES = {
    "mmd": "features (MMD)",
    "psi_classes": "predicted classes (PSI)",
    "psi_confidence": "confidences (PSI)",
}


def _name(group_names: Sequence[str], group: int) -> str:
    return group_names[group] if group_names else f"group {group}"


def _seen(subject: Subject, name: str, n_models: int) -> Seen:
    split = "train" if name == "train" else "test"
    return Seen(
        embeddings=[embeddings(subject, s, split) for s in range(n_models)],
        log_SNK=subject.log_probabilities(split)[:n_models],
        groups_N=subject.split(split).groups,
    )


def _large_groups(subject: Subject) -> list[int]:
    present, counts = np.unique(subject.test.groups, return_counts=True)
    in_train = [int((subject.train.groups == group).sum()) for group in present]
    return [
        int(group) for group, n, m in zip(present, counts, in_train, strict=True) if min(int(n), m) >= LEAST
    ]


def _measure(subject: Subject, train: Seen, test: Seen, group: int) -> dict[str, Drift]:
    n_permutations, seed = subject.settings.permutations, subject.settings.seed
    rows = [_rows(seen.groups_N, group, seed + i) for i, seen in enumerate((train, test))]
    sides = list(zip((train, test), rows, strict=True))
    classes = [seen.log_SNK[:, rows_n].argmax(axis=2).astype(np.int64) for seen, rows_n in sides]
    confidences = [np.exp(seen.log_SNK[:, rows_n].max(axis=2)) for seen, rows_n in sides]
    features = [[values_ND[rows_n] for values_ND in seen.embeddings] for seen, rows_n in sides]
    return {
        "mmd": mmd_drift(*features, n_permutations=n_permutations, seed=seed),
        "psi_classes": class_drift(*classes, subject.n_classes, n_permutations=n_permutations, seed=seed),
        "psi_confidence": psi_drift(*confidences, n_permutations=n_permutations, seed=seed),
    }


def _rows(groups_N: Int64Array, group: int, seed: int) -> Int64Array:
    """At most `MOST` images drawn from the group, or from all."""
    among_N = np.zeros_like(groups_N) if group == _EVERYTHING else groups_N
    return order_of_group(among_N, max(group, 0), seed)[:MOST]


INDICATOR = ModelIndicator(
    name="drift",
    words=Words(
        title="drift from training to test",
        sees=(
            "How far test images are from training images in the model's features, predicted classes and "
            "confidences; only what exceeds the distance that random divisions reach in 5% is more than "
            "chance."
        ),
        unit="number",
        better="lower",
        source="Gretton et al. 2012 (MMD); Yurdakul and Naranjo 2020 (PSI and its chance level)",
    ),
    per_model=per_model,
)
