"""What training recorded."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Artifact, Estimate, Record


class NotTrained(Artifact):
    """In the place of every result of a method that these data do not allow to train."""

    method: str
    not_trained: str  # the reason, with the remedy


class EpochDynamics(Record):
    """How an epoch went beyond its accuracies. Groups are the dataset's; None where one has no image."""

    n_steps: int
    train_loss: list[float | None]  # per group, as the steps saw it
    train_margin: list[float | None]  # of logits; None where labels are mixed, too
    val_loss: list[float | None]
    val_margin: list[float | None]
    gradient_norm: float  # mean over every fourth step, before clipping
    update_norm: float  # how far a step moves the weights: mean over every 16th step
    parameter_norm: float  # at the end of the epoch
    # by part of the network: how far the epoch moved it, as a share of its norm at the epoch's beginning
    moved: dict[str, float | None]
    # Shares of the validation images where the cue speaks for another class (`Conflict`) that are given
    # their label, and the class that goes with their cue; None where no attribute speaks for classes.
    follows_label: float | None = None
    follows_cue: float | None = None
    n_conflicting: int = 0
    n_effective: float = 0.0  # equally weighted images that would say as much as these


class EpochRecord(Record):
    seed: int
    epoch: int
    train_loss: float
    train_accuracy: list[float | None]  # per group, None where the epoch drew no image of it
    val_accuracy: list[float | None]  # per group
    val_average: float
    val_worst: float | None  # of the dataset's groups with enough validation images
    group_weights: list[float] | None = None  # q of group DRO at the end of the epoch; inferred: of those
    seconds: float
    dynamics: EpochDynamics | None = None  # None: of before it was noted


class GroupInference(Record):
    """Groups that a seed inferred without the attribute, and how well they match the dataset's own.

    The dataset's groups only score the inferred ones; training does not see them.
    """

    seed: int
    kind: Literal["errors", "clusters", "first_model_errors"]
    sizes: dict[str, int]  # inferred group -> training images
    # chance-corrected agreement inside the classes, mean over classes weighted by images: 1 = the
    # same groups, 0 = chance; None where no class has two groups
    adjusted_rand: float | None
    worst_group: str  # the dataset's group that the model they are inferred from does worst on (validation)
    worst_group_recall: float  # share of its training images that lie in the best matching inferred group
    worst_group_precision: float  # share of that inferred group that belongs to it
    recovered: bool


class LastLayer(Record):
    """How a seed's last layer was trained again."""

    seed: int
    fit_on: Literal["val", "train"]
    penalty: Literal["l1", "l2"]
    strength: float  # the chosen C
    tried: dict[str, float]  # C -> worst-group accuracy on validation images held out from those fits
    n_fits: int
    images_per_group: int  # in each balanced subset
    nonzero: float  # share of the averaged layer's weights that are not 0


# which images are left out; suspected: of those of `repair` the ones whose label looks wrong, and no others
RemovalKind = Literal["repair", "random", "balanced", "suspected"]


class RemovalPoint(Record):
    """Validation accuracy of one model trained without some images."""

    kind: RemovalKind
    n_removed: int
    seed: int
    val_worst: float
    val_average: float


class LeftOut(Record):
    """The training images that the final models of one kind did without."""

    kind: RemovalKind
    seed: int | None = None  # None: the same for every seed
    ids: list[int]  # in the order in which they were chosen


class ClusterMatch(Record):
    """How well clusters of validation images match the dataset's groups, which decide nothing then."""

    sizes: dict[str, int]  # cluster -> validation images
    adjusted_rand: float | None  # chance-corrected, inside the classes; None where no class has two groups
    worst_group: str  # the dataset's group that ERM does worst on (validation)
    worst_group_recall: float  # share of its validation images that lie in the best matching cluster
    worst_group_precision: float  # share of that cluster that belongs to it


class SuspectedLabels(Record):
    """How many of the images that were left out have a label that looks wrong.

    Those to which the models of all seeds, none of which saw the image, together prefer another class, and
    more so than to 19 of 20 validation images of its group. Wrong labels that are known decide nothing.
    """

    expected: float  # so many would be suspected if labels were wrong as often as on validation
    by_group: list[int]  # suspected, in the order of the dataset's groups
    known_wrong_by_group: list[int] | None  # of all that were left out; None: no wrong label is known
    found_by_group: list[int] | None  # known wrong labels among the suspected

    @property
    def n(self) -> int:
        """Suspected labels."""
        return sum(self.by_group)


class Removal(Record):
    """Which training images `repair` left out, and what leaving out as many others does.

    `balanced` leaves out images of the largest groups (of the largest classes, where groups are inferred)
    at random, until they are as equal as can be. Points have the curve's seeds; those of size 0 are ERM's.
    """

    groups: Literal["given", "inferred"]  # what the worst group was found among
    worst_group: str  # where ERM does worst on validation: a group, or a cluster of attributions
    n_train: int
    n_harmful: int  # training images with a negative effect; no others are left out
    tried: list[int]  # sizes, 0 first: ERM
    # least size within a standard error of the best worst group on validation, if all seeds confirm it
    chosen: int  # 0: it is ERM
    gain: Estimate | None = None  # of the candidate's worst group on validation over ERM's, paired by seed
    points: list[RemovalPoint]
    removed_by_group: list[int]  # training images left out, in the order of the dataset's groups
    # at the chosen size, of `repair` and of each control; in a report empty: `lists` has them
    left_out: list[LeftOut] = Field(default_factory=list)
    suspected: SuspectedLabels | None = None  # None: nothing was left out
    clusters: ClusterMatch | None = None  # where groups are inferred


class BroughtModel(Record):
    """A model that was trained elsewhere: where it came from, and what was guessed or is missing."""

    kind: Literal["predictions", "timm", "huggingface", "python"]
    path: str
    weights: list[str] = Field(default_factory=list)  # one file for each seed
    notes: list[str] = Field(default_factory=list)


class TrainHistory(Artifact):
    """`models/<dataset>/<method>/history.json`."""

    method: str
    labels_used: list[str]
    model: str
    n_parameters: int
    precision: str
    device: str
    selection: str
    selected_epoch: dict[str, int]  # seed -> epoch
    epochs: list[EpochRecord]  # of dfr: those of the ERM model it starts from
    seconds: float
    group_inference: list[GroupInference] = Field(default_factory=list)
    last_layers: list[LastLayer] = Field(default_factory=list)
    removal: Removal | None = None  # of repair
    checkpoints: dict[str, list[int]] = Field(default_factory=dict)  # seed -> further epochs that were kept
    no_aum_reason: str | None = None  # why `dynamics.parquet` has no margins
    brought: BroughtModel | None = None  # None: it was trained here
    notes: list[str] = Field(default_factory=list)  # of a network of `models`: what was guessed or is missing
    trained_on_val: bool = False  # validation images trained the model: they measure no generalization

    @property
    def is_table(self) -> bool:
        """Whether there is no network, only what one predicted."""
        return self.brought is not None and self.brought.kind == "predictions"
