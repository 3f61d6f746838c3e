"""Models trained again on parts of the training images, to check what attribution foretells."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Artifact, Record


class Training(Record):
    """One retrained model; `training_rows` of `statistics.retrained.subsets` gives back its images."""

    kind: Literal["subset", "thinned", "all"]
    index: int | None = None  # of a random subset
    group: int | None = None  # the training group that was thinned ...
    kept: float | None = None  # ... to this share
    repeat: int
    seed: int  # of the training
    n_images: int
    accuracy: float | None = None  # on the test images; None: not trained yet

    @property
    def name(self) -> str:
        """Tells it apart from the other trainings; also its file name."""
        part = {
            "subset": f"subset_{self.index}",
            "thinned": f"thinned_{self.group}_{self.kept}",
            "all": "all",
        }[self.kind]
        return f"{part}_repeat_{self.repeat}"


class RetrainResult(Artifact):
    """`retrained/<dataset>/<method>/retrained.json`; the margins are in `margins.npz` beside it."""

    method: str
    asked: bool  # False: nothing was trained, for this `reason`
    reason: str | None = None
    share: float  # of the training images in a random subset
    seed: int  # of the choice of images
    n_train: int  # training images in all
    trainings: list[Training] = Field(default_factory=list)  # the rows of `margins.npz`, in order
