"""What each training image does to chosen validation images: the form of attribution that repair acts on.

Shape legend: N training images, V validation images, J columns of target weights, D dimensions kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.attribution.selection import Examples, select
from pipeline.attribution.streaming import TRAIN_BLOCK, blocks
from pipeline.attribution.traker_adapter import TrakStore
from pipeline.core.attribution_settings import AttributeSettings
from pipeline.core.types import Float64Array, Split
from pipeline.models.networks import Classifier

VECTOR_DIM = 256  # of the sketched attribution vectors


@dataclass(frozen=True)
class Attributor:
    """Scores every training image (`max_train` does not hold here) on validation images.

    Both methods read the same store, which is made once and kept in `work_dir`: a killed run goes on
    from there, and the caller deletes it.
    """

    settings: AttributeSettings
    work_dir: Path
    device: str

    def effects(
        self, models: Sequence[Classifier], train: Split, targets: Split, weights_VJ: Float64Array
    ) -> Float64Array:
        """N x J effects of training images on weighted sums of margins; positive = the image helps.

        Scores are averaged over the first `max_models` models.

        Args:
            weights_VJ: how much each target counts in each sum.

        Raises:
            InputError: settings at which scores are meaningless, or a disk too small.
            TrainingError: gradients are not finite.
        """
        store = self._computed(models, train, targets)
        return training_effects(store, len(train), weights_VJ)

    def vectors(self, models: Sequence[Classifier], train: Split, targets: Split) -> Float64Array:
        """V x D: each target's scores over all training images, sketched.

        Targets that the same training images help and harm lie close together.

        Raises:
            InputError, TrainingError: as `effects`.
        """
        store = self._computed(models, train, targets)
        rng = np.random.default_rng(self.settings.seed)
        signs_ND = rng.integers(0, 2, (len(train), VECTOR_DIM)) * 2.0 - 1.0
        total_VD = np.zeros((len(targets), VECTOR_DIM))
        everything = slice(0, len(targets))
        for rows in blocks(len(train), TRAIN_BLOCK):
            total_VD += store.scores(rows, everything).T.astype(np.float64) @ signs_ND[rows]
        vectors_VD: Float64Array = total_VD / np.sqrt(VECTOR_DIM)
        return vectors_VD

    def _computed(self, models: Sequence[Classifier], train: Split, targets: Split) -> TrakStore:
        store = TrakStore(
            models[: self.settings.max_models],
            train=_everything(train),
            targets=_everything(targets),
            settings=self.settings,
            work_dir=self.work_dir,
            device=self.device,
        )
        store.compute()
        return store


def training_effects(store: TrakStore, n_train: int, weights_VJ: Float64Array) -> Float64Array:
    """N x J weighted sums of a store's scores over its targets; the score matrix never exists whole."""
    used_V = np.flatnonzero(weights_VJ.any(axis=1))
    effects_NJ = np.zeros((n_train, weights_VJ.shape[1]))
    if len(used_V) == 0:
        return effects_NJ
    cols = slice(int(used_V[0]), int(used_V[-1]) + 1)
    for rows in blocks(n_train, TRAIN_BLOCK):
        effects_NJ[rows] = store.scores(rows, cols).astype(np.float64) @ weights_VJ[cols]
    return effects_NJ


def _everything(split: Split) -> Examples:
    return select(split, np.arange(len(split), dtype=np.int64))
