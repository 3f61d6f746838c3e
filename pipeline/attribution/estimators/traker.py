"""TRAK by the library traker (0.3), from images to scores. The one place that drives `trak.TRAKer`.

What is done here and why:

- traker accepts other weights under a known model id, so its store has a folder per fingerprint.
- A killed run goes on where traker's flags say so, batch by batch. It fails on a batch of which only some
  images were flagged when the process died, never notes a network whose last batch was flagged but not
  written down, and stumbles over half-written JSON: flags of such a batch are taken back, the note is made,
  the file is removed. Target gradients have no flags: they are made again.
- It computes in float32: scores in its half precision, which has no scale per image and also adds up ΦᵀΦ,
  correlate with them by .995 to .998 on small networks.
- Its progress bars, log lines and the handler that it leaves on the root logger are kept away.
- It makes a dense train x target matrix. Sizes at which that does not fit are refused.
- Its own score computer divides each network's inverse by the mean of its entries: scores then have no
  unit, and networks have weights that nobody chose. Ranks and correlations remain.

Shape legend: N training images, M targets, K projected dimensions.
"""

from __future__ import annotations

import copy
import importlib.metadata
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.attribution.estimators.cosine import grad_cosine
from pipeline.attribution.estimators.traker_interface import quiet, require_traker
from pipeline.attribution.gradients.choice import check_sizes, choose_dim
from pipeline.attribution.gradients.featurizer import Featurizer, make_featurizer
from pipeline.attribution.scores import DenseScores, Factor, FactoredScores, ReadBlock, blocks, require_room
from pipeline.attribution.selection import Examples
from pipeline.attribution.store.folder import fingerprint, prepare
from pipeline.core.errors import InputError, TrainingError
from pipeline.core.progress import Progress
from pipeline.core.types import Float32Array, Float64Array
from pipeline.records.attribution import Projection
from pipeline.settings.attribution import AttributeSettings

if TYPE_CHECKING:
    from trak import TRAKer

EXPERIMENT = "targets"  # traker's name for a set of images that are scored
GRADIENT_BYTES = 2**29  # of one batch's per-sample gradients


class TrakerStore:
    """A TRAKer and its store of all networks' features, in one folder.

    `compute` makes what is not there yet; scores come after it. Run it in one process.
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
    ) -> None:
        """`runs` holds one list per seed with the checkpoints of its run.

        Raises:
            InputError: no such package, sizes at which scores are meaningless or do not fit.
        """
        require_traker()
        require_room(len(train), len(targets), "traker")
        self._networks = [model for run in runs for model in run]
        self._train, self._targets = train, targets
        self._settings, self._device = settings, device
        self._n_parameters = sum(p.numel() for p in self._networks[0].parameters())
        wanted, ridge = settings.proj_dim, settings.traker.lambda_reg
        self.dim = choose_dim(len(train), self._n_parameters) if wanted == "auto" else wanted
        check_sizes(n_train=len(train), dim=self.dim, ridge=ridge, name="attribute.traker.lambda_reg")
        facts = {
            "dim": self.dim,
            "parts": settings.traker.model_dump(),
            "projection": [settings.projection, settings.precision],
            "seed": settings.seed,
            "batch_size": settings.batch_size,  # batches are what is flagged as done
            "versions": [self.engine, torch.__version__],
            "device": torch.device(device).type,
        }
        digits = fingerprint(self._networks, train=train, targets=targets, facts=facts)
        self.folder = work_dir / f"traker_{digits}"
        prepare(self.folder, final_bytes=self._final_bytes())
        self._featurizer = self._make_featurizer() if settings.traker.projector == "own" else None
        self._traker = self._open()

    @property
    def engine(self) -> str:
        """What runs, in words."""
        chosen = self._settings.traker
        own = ["gradients and projection"] if chosen.projector == "own" else []
        own += ["score computer"] if chosen.score_computer == "own" else []
        version = f"traker {importlib.metadata.version('traker')}"
        return version if not own else f"{version} with this project's {' and '.join(own)}"

    @property
    def projection(self) -> Projection:
        if self._featurizer is not None:
            return self._featurizer.description
        return Projection(
            kind="dense", dim=self.dim, n_parameters=self._n_parameters, precision="fp32", gradients="vmap"
        )

    def compute(self) -> None:
        """Featurize the training images and score the targets under every network.

        Raises:
            InputError: ΦᵀΦ + λI cannot be inverted.
            TrainingError: gradients are not finite.
        """
        n = len(self._networks)
        with torch.no_grad():  # vmap(grad) differentiates all the same
            for i, model in enumerate(self._networks):
                with Progress(
                    f"traker, network {i + 1} of {n}", total=len(self._train), unit="images"
                ) as progress:
                    self._featurize(i, model, progress)
            self._finalize()
            for stale in (*self.folder.glob(f"*/{EXPERIMENT}_*"), *self.folder.glob(f"scores/{EXPERIMENT}*")):
                stale.unlink()  # of a killed run: traker takes them for whole
            for i, model in enumerate(self._networks):
                self._score(i, model)
            with quiet():
                self._traker.finalize_scores(EXPERIMENT)

    def scores(self) -> DenseScores:
        """What `TRAKer.finalize_scores` gives: mean over networks, times the mean of 1 - p(label)."""
        matrix_NM: Float32Array = np.asarray(self._traker.scores, np.float32)
        return DenseScores(matrix_NM)

    def unweighted(self) -> FactoredScores:
        """The same scores without loss weighting, from traker's features."""
        pairs = [Factor(self._read(i, "features"), self._read_targets(i)) for i in self._ids]
        ones = np.ones(len(self._train))
        return FactoredScores(pairs, ones, n_targets=len(self._targets), dim=self.dim, device=self._device)

    def gradient_cosines(self) -> FactoredScores:
        """The baseline: cosines of the same projected gradients."""
        pairs = [Factor(self._read(i, "grads"), self._read_targets(i)) for i in self._ids]
        n_train, n_targets = len(self._train), len(self._targets)
        return grad_cosine(pairs, n_train=n_train, n_targets=n_targets, dim=self.dim, device=self._device)

    def mean_one_minus_p(self) -> Float64Array:
        """TRAK's Q of every training image, N."""
        mean_N: Float64Array = np.mean([self._one_minus_p(i) for i in self._ids], axis=0)
        return mean_N

    def self_influence(self) -> Float64Array:
        """Q² times φᵀ (ΦᵀΦ + λI)⁻¹ φ of every training image, N, mean over networks."""
        parts = []
        for i in self._ids:
            features, gradients = self._read(i, "features"), self._read(i, "grads")
            leverage_N = np.concatenate(
                [
                    (features(r) * gradients(r)).sum(1, dtype=np.float64)
                    for r in blocks(len(self._train), 1024)
                ]
            )
            parts.append(leverage_N * self._one_minus_p(i) ** 2)
        mean_N: Float64Array = np.mean(parts, axis=0)
        return mean_N

    # --- what traker has to be told, in its order -----------------------------------------------------

    def _open(self) -> TRAKer:
        """A TRAKer on what a killed run left in the folder."""
        from trak import TRAKer

        for path in self.folder.glob("*.json"):
            try:
                json.loads(path.read_text())
            except ValueError:  # killed while traker wrote it
                path.unlink()
        chosen = self._settings.traker
        parts: dict[str, Any] = {}
        if self._featurizer is not None or chosen.score_computer == "own":
            from pipeline.attribution.estimators import traker_parts

            if self._featurizer is not None:
                parts["gradient_computer"] = traker_parts.HookGradientComputer.using(self._featurizer)
                parts["projector"] = traker_parts.FusedProjector(self._featurizer)
            if chosen.score_computer == "own":
                parts["score_computer"] = traker_parts.RidgeScoreComputer
        with quiet():
            made = TRAKer(
                model=copy.deepcopy(self._networks[0]),
                task="image_classification",
                train_set_size=len(self._train),
                save_dir=str(self.folder),
                device=self._device,  # a torch.device would send it to its CUDA path
                proj_dim=self.dim,
                logging_level=logging.CRITICAL,
                use_half_precision=False,
                projector_seed=self._settings.seed,
                lambda_reg=chosen.lambda_reg,
                **parts,
            )
        if self._featurizer is not None:
            made.projector.computer = made.gradient_computer
        return made

    def _featurize(self, i: int, model: nn.Module, progress: Progress) -> None:
        traker = self._traker
        traker.load_checkpoint(model.state_dict(), model_id=i)
        self._say_network(i)
        store = traker.saver.current_store
        for rows in blocks(len(self._train), self._batch_size):
            if not store["is_featurized"][rows].all():
                store["is_featurized"][rows] = 0
                traker.featurize(self._batch(self._train, rows), inds=np.arange(rows.start, rows.stop))
                if not np.isfinite(store["grads"][rows]).all():
                    raise TrainingError(
                        "per-sample gradients are not finite, so the network's weights are not usable. "
                        "Train it again with a lower train.lr."
                    )
            progress.update(rows.stop - rows.start)
        traker.saver.serialize_current_model_id_metadata()

    def _finalize(self) -> None:
        remedy = "Raise attribute.traker.lambda_reg or lower attribute.proj_dim."
        try:
            with quiet():
                self._traker.finalize_features()
        except (InputError, torch.linalg.LinAlgError):  # type: ignore[attr-defined]  # torch does not list it
            raise InputError(f"traker's matrix of projected gradients cannot be inverted. {remedy}") from None
        for i in self._ids:
            features = self._read(i, "features")
            if not all(np.isfinite(features(rows)).all() for rows in blocks(len(self._train), 1024)):
                raise InputError(f"traker's features are not finite: its matrix is singular. {remedy}")

    def _score(self, i: int, model: nn.Module) -> None:
        self._traker.start_scoring_checkpoint(EXPERIMENT, model.state_dict(), i, len(self._targets))
        self._say_network(i)
        for rows in blocks(len(self._targets), self._batch_size):
            self._traker.score(self._batch(self._targets, rows), inds=np.arange(rows.start, rows.stop))

    def _say_network(self, i: int) -> None:
        """Tell our gradient computer, where it is in use, which network it is at: traker does not."""
        if self._featurizer is not None:
            self._traker.gradient_computer.stream = i

    def _make_featurizer(self) -> Featurizer:
        height, width, channels = self._train.images.shape[1:]
        return make_featurizer(
            copy.deepcopy(self._networks[0]),
            image_shape=(channels, height, width),
            dim=self.dim,
            projection=self._settings.projection,
            precision=self._settings.precision,
            seed=self._settings.seed,
            device=self._device,
        )

    # --- its store ------------------------------------------------------------------------------------

    @property
    def _ids(self) -> range:
        return range(len(self._networks))

    @property
    def _batch_size(self) -> int:
        most = GRADIENT_BYTES // (4 * self._n_parameters)
        if self._featurizer is not None:
            most = self._featurizer.largest_batch
        return max(1, min(self._settings.batch_size, most))

    def _batch(self, examples: Examples, rows: slice) -> tuple[Tensor, Tensor]:
        return examples.batch(rows.start, rows.stop, self._device)

    def _read(self, i: int, name: str) -> ReadBlock:
        held = np.load(self.folder / str(i) / f"{name}.mmap", mmap_mode="r")
        return lambda rows: np.array(held[rows], np.float32)  # a copy: torch warns about read-only memory

    def _read_targets(self, i: int) -> ReadBlock:
        return self._read(i, f"{EXPERIMENT}_grads")

    def _one_minus_p(self, i: int) -> Float64Array:
        kept_N: Float64Array = self._read(i, "out_to_loss")(slice(None)).astype(np.float64)[:, 0]
        return kept_N

    def _final_bytes(self) -> int:
        n, m = len(self._train), len(self._targets)
        return 4 * (len(self._networks) * ((2 * n + m) * self.dim + 2 * n) + n * m)
