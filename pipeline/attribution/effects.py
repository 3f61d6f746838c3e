"""What each training image does to chosen validation images: the form of attribution that repair acts on.

Shape legend: N training images, V validation images, J columns of target weights, D dimensions kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.attribution.estimators.trak import TrakStore
from pipeline.attribution.selection import Examples, select
from pipeline.core.types import Float64Array, Split
from pipeline.models.interface import Classifier
from pipeline.settings.attribution import AttributeSettings

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
        return self._computed(models, train, targets).scores().target_sums(weights_VJ)

    def vectors(self, models: Sequence[Classifier], train: Split, targets: Split) -> Float64Array:
        """V x D: each target's scores over all training images, sketched.

        Targets that the same training images help and harm lie close together.

        Raises:
            InputError, TrainingError: as `effects`.
        """
        rng = np.random.default_rng(self.settings.seed)
        signs_ND = (rng.integers(0, 2, (len(train), VECTOR_DIM)) * 2 - 1).astype(np.float64)
        sums_DV = self._computed(models, train, targets).scores().train_sums(signs_ND)
        vectors_VD: Float64Array = sums_DV.T / np.sqrt(VECTOR_DIM)
        return vectors_VD

    def _computed(self, models: Sequence[Classifier], train: Split, targets: Split) -> TrakStore:
        store = TrakStore(
            [[model] for model in models[: self.settings.max_models]],
            train=_everything(train),
            targets=_everything(targets),
            settings=self.settings,
            work_dir=self.work_dir,
            device=self.device,
        )
        store.compute()
        return store


def _everything(split: Split) -> Examples:
    return select(split, np.arange(len(split), dtype=np.int64))
