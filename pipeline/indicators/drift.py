"""Drift: are test images, and what the model makes of them, like training images?

Shape legend: S networks, N images of a split, n of them looked at, D features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import log_softmax

from pipeline.core.types import Float32Array, Float64Array, Int64Array
from pipeline.indicators.answers import embeddings, need_networks
from pipeline.indicators.indicator import ByModel, ModelIndicator, UnmeasuredError, Words
from pipeline.indicators.subject import Subject
from pipeline.models.predict import predict_logits
from pipeline.statistics.generalization.drift import Drift, class_drift, mmd_drift, psi_drift
from pipeline.statistics.sampling import order_of_group

MOST, LEAST = 200, 50  # images of a side
_EVERYTHING = -1  # in place of a group


class Seen(NamedTuple):
    """What all networks made of a split."""

    rows: Mapping[int, Int64Array]  # of a group: the images looked at, rows of the split
    embeddings: list[Float32Array]  # S of N x D
    answered_n: Int64Array  # ascending rows that answers are known of
    log_SnK: Float64Array

    def features(self, group: int) -> list[Float32Array]:
        return [values_ND[self.rows[group]] for values_ND in self.embeddings]

    def answers(self, group: int) -> Float64Array:
        """Logarithms of all probabilities, S x n x K."""
        found_SnK: Float64Array = self.log_SnK[:, np.searchsorted(self.answered_n, self.rows[group])]
        return found_SnK


def per_model(subject: Subject) -> ByModel:
    """MMD of the embeddings, PSI of predicted classes and confidences: of all images, and within groups."""
    need_networks(subject)
    if min(len(subject.train), len(subject.test)) < LEAST:
        raise UnmeasuredError(
            f"{len(subject.train):,} training and {len(subject.test):,} test images: both need {LEAST}."
        )
    groups = [_EVERYTHING, *_large_groups(subject)]
    train, test = _seen(subject, "train", groups), _seen(subject, "test", groups)
    found: dict[str, Drift] = {}
    titles: dict[str, str] = {}
    for group in groups:
        suffix = "" if group == _EVERYTHING else f"_group_{group}"
        where = "" if group == _EVERYTHING else f", within {subject.group_title(group)}"
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


def _seen(subject: Subject, name: Literal["train", "test"], groups: Sequence[int]) -> Seen:
    """Training images are many and seldom asked about: only those looked at are."""
    split, seed = subject.split(name), subject.settings.seed + (name == "test")
    rows = {group: _rows(split.groups, group, seed) for group in groups}
    n_models = len(subject.few_models)
    if name == "test":
        answered_n, log_SnK = np.arange(len(split)), subject.log_probabilities("test")[:n_models]
    else:
        answered_n = np.unique(np.concatenate(list(rows.values())))
        images = split.images[answered_n]
        logits = [predict_logits(model, images).astype(np.float64) for model in subject.few_models]
        log_SnK = log_softmax(logits, axis=2)
    return Seen(rows, [embeddings(subject, s, name) for s in range(n_models)], answered_n, log_SnK)


def _large_groups(subject: Subject) -> list[int]:
    present, counts = np.unique(subject.test.groups, return_counts=True)
    in_train = [int((subject.train.groups == group).sum()) for group in present]
    return [
        int(group) for group, n, m in zip(present, counts, in_train, strict=True) if min(int(n), m) >= LEAST
    ]


def _measure(subject: Subject, train: Seen, test: Seen, group: int) -> dict[str, Drift]:
    n_permutations, seed, sides = subject.settings.permutations, subject.settings.seed, (train, test)
    classes = [seen.answers(group).argmax(axis=2).astype(np.int64) for seen in sides]
    confidences = [np.exp(seen.answers(group).max(axis=2)) for seen in sides]
    return {
        "mmd": mmd_drift(
            train.features(group), test.features(group), n_permutations=n_permutations, seed=seed
        ),
        "psi_classes": class_drift(
            classes[0], classes[1], subject.n_classes, n_permutations=n_permutations, seed=seed
        ),
        "psi_confidence": psi_drift(confidences[0], confidences[1], n_permutations=n_permutations, seed=seed),
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
