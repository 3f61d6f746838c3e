"""Training images that help or hurt test images, one by one and by group."""

from __future__ import annotations

from pipeline.core.results.base import Artifact, Record


class GroupAttribution(Record):
    train_group: str
    test_group: str
    value: float  # mean score; positive = these training images help
    low: float
    high: float


class Influence(Record):
    id: int
    group: int
    score: float


class TargetAttribution(Record):
    """One audited test image with the training images that matter most to it."""

    id: int
    label: int
    group: int
    predicted: int  # by the first seed
    correct_share: float  # share of seeds that are right
    helpful: list[Influence]
    harmful: list[Influence]


class AttributionResult(Artifact):
    """`attribution/<dataset>/<method>/attribution.json`."""

    method: str
    library: str
    n_models: int
    proj_dim: int
    ridge: float
    n_train: int
    n_train_total: int
    n_targets: int
    seconds: float
    sign: str = "positive = the training image helps the target's correct prediction"
    groups: list[GroupAttribution]
    targets: list[TargetAttribution]
    most_harmful_to_worst: list[Influence]  # over all audited targets of the worst group
    flipped_share_in_harmful: float | None  # known flips among as many most harmful images
    flipped_share_overall: float | None
