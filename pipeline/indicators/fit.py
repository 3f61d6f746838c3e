"""Fit: how much better a network does on the images that it was trained on, and in which group.

Shape legend: S networks, N images, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from pipeline.core.types import Float64Array, Int64Array
from pipeline.indicators.indicator import ByModel, ModelIndicator, UnmeasuredError, Words
from pipeline.indicators.subject import Subject
from pipeline.models.predict import predict_logits
from pipeline.statistics.sampling import choose_by_group

N_TRAIN = 600  # training images that are looked at, as many of each group
LEAST_OF_GROUP = 20


@dataclass(frozen=True)
class GroupMeans:
    """Means over the images of every group, S x G; NaN: none of this group."""

    accuracy_SG: Float64Array
    loss_SG: Float64Array

    def mixed(self, n_G: Int64Array) -> tuple[Float64Array, Float64Array]:
        """Accuracy and loss, each S, where the groups are as large as this; groups of none do not count."""
        used_G = n_G > 0
        share_g = n_G[used_G] / n_G.sum()
        return self.accuracy_SG[:, used_G] @ share_g, self.loss_SG[:, used_G] @ share_g


def group_means(
    log_probabilities_SNK: Float64Array, labels_N: Int64Array, groups_N: Int64Array, n_groups: int
) -> GroupMeans:
    """Accuracy and cross-entropy of each network in each group."""
    right_SN = (log_probabilities_SNK.argmax(2) == labels_N).astype(np.float64)
    loss_SN = -np.take_along_axis(log_probabilities_SNK, labels_N[None, :, None], 2)[:, :, 0]
    member_NG = (groups_N[:, None] == np.arange(n_groups)).astype(np.float64)
    n_G = member_NG.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return GroupMeans(right_SN @ member_NG / n_G, loss_SN @ member_NG / n_G)


def _train_rows(groups_N: Int64Array, seed: int) -> Int64Array:
    per_group = max(LEAST_OF_GROUP, N_TRAIN // len(np.unique(groups_N)))
    return choose_by_group(groups_N, per_group, seed)


def _per_model(subject: Subject) -> ByModel:
    """Gaps between train and test at test's mixture of groups: another mixture would be a gap by itself."""
    if not subject.models:
        raise UnmeasuredError("Only predictions of test images are known: this needs the network itself.")
    splits = (subject.train, subject.val, subject.test)
    n_groups = 1 + max(int(split.groups.max(initial=0)) for split in splits)
    train = subject.train.take(_train_rows(subject.train.groups, subject.settings.seed))
    logits_SNK = np.stack([predict_logits(model, train.images) for model in subject.models])
    on_train = group_means(
        log_softmax(logits_SNK.astype(np.float64), axis=2), train.labels, train.groups, n_groups
    )
    test = subject.test
    on_test = group_means(subject.log_probabilities("test"), test.labels, test.groups, n_groups)
    n_G = _count(test.groups, train.groups, n_groups)
    if not n_G.any():
        raise UnmeasuredError("No group of the test images is among the training images.")
    parts = _gaps(on_train, on_test, n_G)
    if not subject.trained_on_val and len(subject.val):
        parts |= _on_validation(subject, on_test, n_groups)
    for g in np.flatnonzero(n_G):
        parts[f"gap:{g}"] = on_train.accuracy_SG[:, g] - on_test.accuracy_SG[:, g]
    return ByModel(
        {name: [float(v) for v in value_S] for name, value_S in parts.items()},
        titles={name: _title(name) for name in parts},
        notes=(
            f"{len(train):,} of {len(subject.train):,} training images, as many of each group, are mixed as "
            "the groups of the test images are.",
        ),
    )


def _count(groups_N: Int64Array, known_N: Int64Array, n_groups: int) -> Int64Array:
    """How many images each group has, G; 0 where the other images have none of it."""
    n_G: Int64Array = np.bincount(groups_N, minlength=n_groups) * np.isin(np.arange(n_groups), known_N)
    return n_G


def _gaps(on_train: GroupMeans, on_test: GroupMeans, n_G: Int64Array) -> dict[str, Float64Array]:
    (train_accuracy, train_loss), (test_accuracy, test_loss) = on_train.mixed(n_G), on_test.mixed(n_G)
    return {
        "gap": train_accuracy - test_accuracy,
        "loss_gap": test_loss - train_loss,
        "train_accuracy": train_accuracy,
        "test_accuracy": test_accuracy,
        "train_loss": train_loss,
        "test_loss": test_loss,
    }


def _on_validation(subject: Subject, on_test: GroupMeans, n_groups: int) -> dict[str, Float64Array]:
    """Validation at test's mixture of the groups that both have."""
    val = subject.val
    on_val = group_means(subject.log_probabilities("val"), val.labels, val.groups, n_groups)
    n_G = _count(subject.test.groups, val.groups, n_groups)
    if not n_G.any():
        return {}
    val_accuracy, val_loss = on_val.mixed(n_G)
    test_accuracy, _ = on_test.mixed(n_G)
    return {
        "validation_gap": val_accuracy - test_accuracy,
        "validation_accuracy": val_accuracy,
        "validation_loss": val_loss,
    }


def _title(name: str) -> str:
    kind, _, group = name.partition(":")
    return f"accuracy, train minus test, group {group}" if group else TITLES[kind]


TITLES = {
    "gap": "accuracy, train minus test",
    "loss_gap": "loss, test minus train",
    "validation_gap": "accuracy, validation minus test",
    **{
        f"{split}_{what}": f"{what} on {split}"
        for split in ("train", "validation", "test")
        for what in ("accuracy", "loss")
    },
}

INDICATOR = ModelIndicator(
    name="fit",
    words=Words(
        title="generalization gap",
        sees="How much more often training images are answered rightly than test images of the same groups: "
        "what the network learned by heart.",
        unit="number",  # losses are among the parts
        better="lower",
        source="Sagawa et al. 2020 (arXiv:1911.08731)",
    ),
    per_model=_per_model,
)
