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

N_TRAIN = 1000  # training images that are looked at, as many of each group
LEAST_OF_GROUP = 20


@dataclass(frozen=True)
class GroupMeans:
    """Means over the images of every group, S x G; NaN: none of this group."""

    accuracy_SG: Float64Array
    loss_SG: Float64Array

    def mixed(self, share_G: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Accuracy and loss, each S, of images that are mixed so; groups of share 0 do not count."""
        used_G = share_G > 0
        share_g = share_G[used_G] / share_G.sum()
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
    n_groups = (
        int(max(split.groups.max(initial=0) for split in (subject.train, subject.val, subject.test))) + 1
    )
    train = subject.train.take(_train_rows(subject.train.groups, subject.settings.seed))
    logits_SNK = np.stack([predict_logits(model, train.images) for model in subject.models])
    on_train = group_means(
        log_softmax(logits_SNK.astype(np.float64), axis=2), train.labels, train.groups, n_groups
    )
    test = subject.test
    on_test = group_means(subject.log_probabilities("test"), test.labels, test.groups, n_groups)
    known_G = np.isin(np.arange(n_groups), train.groups)
    share_G = np.bincount(test.groups, minlength=n_groups) * known_G
    if not share_G.any():
        raise UnmeasuredError("No group of the test images is among the training images.")
    parts = _gaps(on_train, on_test, share_G)
    if not subject.trained_on_val and len(subject.val):
        parts |= _on_validation(subject, on_test, known_G, n_groups)
    for g in np.flatnonzero(share_G):
        parts[f"gap:{g}"] = on_train.accuracy_SG[:, g] - on_test.accuracy_SG[:, g]
    return ByModel(
        {name: [float(v) for v in value_S] for name, value_S in parts.items()},
        titles={name: _title(name) for name in parts},
        notes=(
            f"{len(train):,} of {len(subject.train):,} training images, as many of each group, are mixed as "
            "the groups of the test images are.",
        ),
    )


def _gaps(on_train: GroupMeans, on_test: GroupMeans, share_G: Float64Array) -> dict[str, Float64Array]:
    (train_accuracy, train_loss), (test_accuracy, test_loss) = on_train.mixed(share_G), on_test.mixed(share_G)
    return {
        "gap": train_accuracy - test_accuracy,
        "loss_gap": test_loss - train_loss,
        "train_accuracy": train_accuracy,
        "test_accuracy": test_accuracy,
        "train_loss": train_loss,
        "test_loss": test_loss,
    }


def _on_validation(
    subject: Subject, on_test: GroupMeans, known_G: Float64Array, n_groups: int
) -> dict[str, Float64Array]:
    """Validation at test's mixture of the groups that both have."""
    val = subject.val
    on_val = group_means(subject.log_probabilities("val"), val.labels, val.groups, n_groups)
    share_G = np.bincount(subject.test.groups, minlength=n_groups) * np.isin(np.arange(n_groups), val.groups)
    if not share_G.any():
        return {}
    val_accuracy, val_loss = on_val.mixed(share_G)
    test_accuracy, _ = on_test.mixed(share_G)
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
        unit="share",
        better="lower",
        source="Sagawa et al. 2020 (arXiv:1911.08731)",
    ),
    per_model=_per_model,
)
