"""TRAK scores of an ensemble: features on disk, made once and resumed after a kill, then any scores.

The gradient of the margin, the projection, the ridge and Q are TRAK's, the code is this project's own:
traker itself is another estimator (`traker`). Every network - each checkpoint of each seed's run - has its
own projection.

Shape legend: N training images, M targets, K projected dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pipeline.artifacts.files import write_text
from pipeline.attribution.estimators.cosine import grad_cosine
from pipeline.attribution.gradients.choice import check_sizes, choose_dim
from pipeline.attribution.gradients.featurizer import Featurizer, make_featurizer
from pipeline.attribution.scores import Factor, FactoredScores
from pipeline.attribution.selection import Examples
from pipeline.attribution.store.features import STORE_ROWS, FeatureRows
from pipeline.attribution.store.folder import fingerprint, prepare
from pipeline.attribution.store.preconditioning import Preconditioned
from pipeline.attribution.streaming import Scratch
from pipeline.core.types import Float64Array
from pipeline.parallel.rank import started_world
from pipeline.parallel.shared_work import Piece, do_together
from pipeline.records.attribution import Projection
from pipeline.settings.attribution import AttributeSettings


class TrakStore:
    """Features of training images and targets under all networks, in one folder.

    `compute` makes what is not there yet. `scores` then gives scores of them, so that ridges, weightings
    and ensembles are compared on the same features. Processes that are given the same arguments share the
    work, and each ends with all of it.
    """

    def __init__(  # one keyword per thing that scores depend on
        self,
        runs: Sequence[Sequence[nn.Module]],
        *,
        train: Examples,
        targets: Examples,
        settings: AttributeSettings,
        work_dir: Path,
        device: str,
        make_featurizer: Callable[..., Featurizer] = make_featurizer,
    ) -> None:
        """`runs` holds one list per seed with the checkpoints of its run, as many for each.

        Raises:
            InputError: sizes at which scores are meaningless, or a disk too small.
        """
        if not runs or not runs[0] or len({len(run) for run in runs}) != 1:
            raise ValueError(f"checkpoints per run are {[len(run) for run in runs]}: give each run as many")
        self._networks = [model for run in runs for model in run]
        n_parameters = sum(p.numel() for p in self._networks[0].parameters())
        wanted = settings.proj_dim
        self.dim = choose_dim(len(train), n_parameters) if wanted == "auto" else wanted
        check_sizes(n_train=len(train), dim=self.dim, ridge=settings.ridge)
        self._images = {"train": train, "targets": targets}
        self._settings, self._device, self._make = settings, device, make_featurizer
        self._world = started_world()
        self._featurizer_at_hand: tuple[int, Featurizer] | None = None
        facts = {
            "dim": self.dim,
            "projection": [settings.projection, settings.precision],
            "store": [settings.store, STORE_ROWS],
            "seed": settings.seed,
            # results in floating point depend on how images are batched
            "batch_size": settings.batch_size,
            "versions": [torch.__version__, "layer_sketch 1", "store 1"],
            "device": torch.device(device).type,
        }
        digits = fingerprint(self._networks, train=train, targets=targets, facts=facts)
        self.folder = work_dir / f"trak_{digits}"
        prepare(self.folder, final_bytes=self._final_bytes())

    @property
    def projection(self) -> Projection:
        """How gradients are taken and projected; there once `compute` has begun."""
        return Projection.model_validate_json(self._projection_path.read_text())

    def compute(self) -> None:
        """Featurize the training images and the targets under every network.

        Raises:
            TrainingError: gradients are not finite.
        """
        do_together([Piece(self._projection_path, self._choose)], self._world, "choice of a projection")
        for i in range(len(self._networks)):
            pieces: list[Piece] = []
            for name, images in self._images.items():
                pieces += self.rows(name, i).pieces(
                    images,
                    partial(self._featurizer, i),
                    stream=i,
                    batch_size=self._settings.batch_size,
                    device=self._device,
                )
            do_together(pieces, self._world, f"gradients, network {i + 1} of {len(self._networks)}")
        self._featurizer_at_hand = None

    def scores(
        self,
        *,
        ridge: float | None = None,
        loss_weighting: float | None = None,
        networks: Sequence[int] | None = None,
    ) -> FactoredScores:
        """Scores as the settings say, or with another ridge, weighting or part of the networks.

        Mean over networks of φ(target)ᵀ (ΦᵀΦ + λI)⁻¹ φ(train), times the mean over networks of
        Q = 1 - p(label of the training image). Up to the curvature that
        TRAK leaves out, the change of the target's margin (log-odds of its label) due to that one
        training image. `loss_weighting` is a power of Q: 1 as published, 0 without it.

        Raises:
            InputError: ΦᵀΦ + λI cannot be inverted.

        Source: Park et al. 2023 (arXiv:2303.14186), section 3.
        """
        used = list(range(len(self._networks))) if networks is None else list(networks)
        solved = self._preconditioned(ridge, used)
        weighted = self._settings.loss_weighting if loss_weighting is None else loss_weighting
        return FactoredScores(
            [Factor(part.train.features, part.targets) for part in solved],
            self.mean_one_minus_p(used) ** weighted,
            n_targets=len(self._images["targets"]),
            dim=self.dim,
            device=self._device,
        )

    def leverages(self) -> list[Float64Array]:
        """φᵀ (ΦᵀΦ + λI)⁻¹ φ of every training image, N, under each network.

        Without loss weighting that is the image's score on itself.
        """
        return [part.leverages() for part in self._preconditioned(None, range(len(self._networks)))]

    def self_influence(self) -> Float64Array:
        """The influence of every training image on its own loss, N, mean over networks.

        Q² times the leverage: large where a label is learned by heart. The gradient of the loss is the
        margin's times -Q, and influence has it twice.

        Source: Koh and Liang 2017 (arXiv:1703.04730); Feldman and Zhang 2020 (arXiv:2008.03703).
        """
        parts = [
            leverage_N * self.rows("train", i).one_minus_p().astype(np.float64) ** 2
            for i, leverage_N in enumerate(self.leverages())
        ]
        mean_N: Float64Array = np.mean(parts, axis=0)
        return mean_N

    def gradient_cosines(self) -> FactoredScores:
        """The baseline: cosines of the same projected gradients."""
        pairs = [
            Factor(self.rows("train", i).features, self.rows("targets", i).features)
            for i in range(len(self._networks))
        ]
        n_train, n_targets = len(self._images["train"]), len(self._images["targets"])
        return grad_cosine(pairs, n_train=n_train, n_targets=n_targets, dim=self.dim, device=self._device)

    def scratch(self, top_k: int) -> Scratch:
        """For `summarize` of the scores that the settings ask for."""
        chosen = self._settings
        name = f"extremes_{chosen.estimator}_{chosen.ridge!r}_{chosen.loss_weighting!r}_{top_k}"
        return Scratch(self.folder, name, self._world)

    def rows(self, name: str, i: int) -> FeatureRows:
        """Projected gradients of "train" or "targets" under network `i`; there once `compute` has run."""
        return FeatureRows(
            self.folder, f"{name}_{i:02d}", len(self._images[name]), self.dim, self._settings.store
        )

    def _preconditioned(self, ridge: float | None, used: Sequence[int]) -> list[Preconditioned]:
        ridge = self._settings.ridge if ridge is None else ridge
        check_sizes(n_train=len(self._images["train"]), dim=self.dim, ridge=ridge)
        parts = [
            Preconditioned(
                self.rows("train", i),
                self.rows("targets", i),
                self.folder,
                f"{i:02d}_{ridge!r}",
                ridge,
                self._device,
            )
            for i in used
        ]
        do_together([part.factor_piece() for part in parts], self._world, "factorization")
        solved = [piece for part in parts for piece in part.solved_pieces()]
        do_together(solved, self._world, "target features")
        return parts

    def mean_one_minus_p(self, used: Sequence[int] | None = None) -> Float64Array:
        """TRAK's Q of every training image, N: mean over all networks, or over those in use."""
        used = range(len(self._networks)) if used is None else used
        mean: Float64Array = np.mean(
            [self.rows("train", i).one_minus_p() for i in used], axis=0, dtype=np.float64
        )
        return mean

    def _choose(self) -> None:
        made = self._make_featurizer(0, chosen=None)
        write_text(self._projection_path, made.description.model_dump_json())

    def _featurizer(self, i: int) -> Featurizer:
        """That of network `i`; one is held at a time, and none where all its blocks are there."""
        if self._featurizer_at_hand is None or self._featurizer_at_hand[0] != i:
            self._featurizer_at_hand = None
            self._featurizer_at_hand = i, self._make_featurizer(i, chosen=self.projection)
        return self._featurizer_at_hand[1]

    def _make_featurizer(self, i: int, *, chosen: Projection | None) -> Featurizer:
        """`chosen` is what the first call chose, perhaps by time, to be repeated; None = choose now."""
        height, width, channels = self._images["train"].images.shape[1:]
        return self._make(
            self._networks[i],
            image_shape=(channels, height, width),
            dim=self.dim,
            projection=self._settings.projection if chosen is None else chosen.kind,
            precision=self._settings.precision if chosen is None else chosen.precision,
            seed=self._settings.seed,
            device=self._device,
        )

    @property
    def _projection_path(self) -> Path:
        return self.folder / "projection.json"

    def _final_bytes(self) -> int:
        n_train, n_targets = (len(images) for images in self._images.values())
        entry = 2 if self._settings.store == "fp16" else 4
        features = (n_train + n_targets) * (entry * self.dim + 8)
        preconditioned = 4 * n_targets * self.dim + 8 * min(n_train, self.dim) ** 2
        return len(self._networks) * (features + preconditioned)
