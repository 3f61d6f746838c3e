"""The one place that speaks to traker (0.3.2), whose protocol has an order of calls and few checks.

What is done here and why:

- traker accepts other weights under a known model id. The store's folder is named by a hash of
  weights, pixels, labels and settings instead; another hash is another folder.
- A batch that was half flagged when the process died makes traker fail on shapes. Its flags are
  cleared and it is computed again.
- traker's ridge is absolute. Here it is a multiple of the mean squared feature norm, so that it
  means the same for every network; and a singular ΦᵀΦ is an error, not a finite number.
- traker rescales each model's scores by the mean of the inverse. Here they stay as defined, so
  models are averaged on equal terms and a score does not depend on the scale of the features.
- `finalize_scores` makes a dense train x target matrix. Here blocks of it are made on request.
- traker's own log lines, bars and root log handler are kept from the user.

Shape legend: N training images, M targets, K projected dimensions.
"""

from __future__ import annotations

import contextlib
import copy
import importlib.metadata
import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from trak import TRAKer
from trak.modelout_functions import ImageClassificationModelOutput
from trak.projectors import AbstractProjector
from trak.savers import MmapSaver
from trak.score_computers import BasicScoreComputer

from pipeline.attribution.fingerprint import fingerprint
from pipeline.attribution.projector import BlockSketch
from pipeline.attribution.selection import Examples
from pipeline.attribution.work_folder import prepare
from pipeline.core.errors import InputError, TrainingError
from pipeline.core.progress import track
from pipeline.core.settings import AttributeSettings
from pipeline.core.types import Float32Array, Float64Array

EXPERIMENT = "targets"
GRADIENT_BYTES = 2**29  # of one batch's per-sample gradients; larger networks get smaller batches
SOLVE_ROWS = 2048  # rows of features turned to float64 at a time
LEAST_PIVOT = 1e-12  # squared ratio of Cholesky pivots below which ΦᵀΦ counts as singular


def library_name() -> str:
    return f"traker {importlib.metadata.version('traker')}"


class BlockSketchProjector(AbstractProjector):  # type: ignore[misc]  # traker is untyped
    """`BlockSketch` as traker's projector; each model id has its own draw."""

    def __init__(self, *, grad_dim: int, proj_dim: int, seed: int, device: str) -> None:
        super().__init__(grad_dim, proj_dim, seed, "block_sketch", device)
        self._sketch = BlockSketch(n_in=grad_dim, n_out=proj_dim, seed=seed, device=device)

    def project(self, grads: Mapping[str, Tensor] | Tensor, model_id: int) -> Tensor:
        return self._sketch.project(grads, stream=model_id)


class RidgeScoreComputer(BasicScoreComputer):  # type: ignore[misc]
    """Φ (ΦᵀΦ + λI)⁻¹ in float64, with λ = `lambda_reg` times the mean of ‖φ‖²."""

    saver: MmapSaver | None = None  # where features are written block by block, if set

    def get_xtx(self, grads: Tensor) -> Tensor:
        total_KK = torch.zeros(grads.shape[1], grads.shape[1], dtype=torch.float64, device=grads.device)
        for start in range(0, len(grads), SOLVE_ROWS):
            block_NK = grads[start : start + SOLVE_ROWS].double()
            total_KK.addmm_(block_NK.T, block_NK)
        return total_KK

    def get_x_xtx_inv(self, grads: Tensor, xtx: Tensor) -> Tensor:
        """N x K features.

        Raises:
            TrainingError: gradients are not finite.
            InputError: ΦᵀΦ + λI cannot be inverted.
        """
        mean_square = float(xtx.trace()) / len(grads)
        if not np.isfinite(mean_square):
            raise TrainingError(
                "per-sample gradients are not finite, so the network's weights are not usable. "
                "Train it again with a lower train.lr."
            )
        inverse_KK = _invert(xtx, ridge=self.lambda_reg * mean_square)
        store = None if self.saver is None else self.saver.current_store["features"]
        features_NK = torch.empty(grads.shape) if store is None else torch.from_numpy(store)
        for start in range(0, len(grads), SOLVE_ROWS):
            block_NK = grads[start : start + SOLVE_ROWS].double()
            features_NK[start : start + SOLVE_ROWS] = (block_NK @ inverse_KK).float().cpu()
        return features_NK


def _invert(xtx_KK: Tensor, ridge: float) -> Tensor:
    xtx_KK.diagonal().add_(ridge)
    factor_KK, failed = torch.linalg.cholesky_ex(xtx_KK)
    pivots = factor_KK.diagonal()
    if int(failed) or float(pivots.min() / pivots.max()) ** 2 < LEAST_PIVOT:
        raise InputError(
            f"the {len(xtx_KK)} x {len(xtx_KK)} matrix of projected gradients cannot be inverted: some "
            "directions carry no gradient. Raise attribute.ridge (0.01 serves) or lower attribute.proj_dim."
        )
    return torch.cholesky_inverse(factor_KK)


class StreamingSaver(MmapSaver):  # type: ignore[misc]
    """traker's store without the dense N x M score file."""

    def _load(self, fname: Path, shape: tuple[int, ...], mode: str, dtype: Any = None) -> Any:
        return None if Path(fname).parent.name == "scores" else super()._load(fname, shape, mode, dtype)


class TrakStore:
    """Features and target gradients of all models in one folder, made once and resumed after a kill.

    `compute` does what is not done yet; `scores` then gives any block of the score matrix.
    """

    def __init__(
        self,
        models: Sequence[nn.Module],
        *,
        train: Examples,
        targets: Examples,
        settings: AttributeSettings,
        work_dir: Path,
        device: str,
    ) -> None:
        check_sizes(n_train=len(train), settings=settings)
        self._states = [model.state_dict() for model in models]
        self._train, self._targets = train, targets
        self._settings, self._device = settings, device
        n_parameters = sum(p.numel() for p in models[0].parameters())
        self._batch_size = max(1, min(settings.batch_size, GRADIENT_BYTES // (4 * n_parameters)))
        # float32 results depend on how images are batched, so the batch size is part of the key
        facts = {
            "proj_dim": settings.proj_dim,
            "ridge": settings.ridge,
            "seed": settings.seed,
            "batch_size": self._batch_size,
            "versions": [library_name(), torch.__version__, "block_sketch 1"],
            "device": device,
        }
        self.folder = work_dir / f"trak_{fingerprint(models, train=train, targets=targets, facts=facts)}"
        # all features and target gradients, and the training gradients of the model at work
        rows = len(models) * (len(train) + len(targets)) + len(train)
        prepare(self.folder, final_bytes=4 * rows * settings.proj_dim)
        with _quiet():
            self._traker = self._open(copy.deepcopy(models[0]).to(device), n_parameters)

    def compute(self) -> None:
        """Featurize the training images and take the targets' gradients, model by model.

        Raises:
            InputError: ΦᵀΦ cannot be inverted.
            TrainingError: gradients are not finite.
        """
        for model_id in range(len(self._states)):
            with torch.no_grad():  # torch.func.grad differentiates all the same
                self._featurize(model_id)
                self._finalize(model_id)
                self._score_targets(model_id)
        self._weights_N = self._mean_loss_weights()
        self._features = [self._map(model_id, "features.mmap") for model_id in range(len(self._states))]
        self._target_grads = [self._map(i, f"{EXPERIMENT}_grads.mmap") for i in range(len(self._states))]

    def scores(self, rows: slice, cols: slice) -> Float32Array:
        """Scores of training images `rows` on targets `cols`, rows x cols; positive = helps.

        mean over models of φ(target)ᵀ (ΦᵀΦ + λI)⁻¹ φ(train), times the mean over models of
        Q = 1 - p(label of the training image). Up to the curvature that TRAK leaves out, the change
        of the target's margin (log-odds of its label) due to that one training image.

        Source: Park et al. 2023 (arXiv:2303.14186), section 3.
        """
        total = torch.zeros(1, device=self._device)
        for features_NK, grads_MK in zip(self._features, self._target_grads, strict=True):
            block_NK = torch.from_numpy(features_NK[rows]).to(self._device)
            total = total + block_NK @ torch.from_numpy(grads_MK[cols]).to(self._device).T
        weights_N = self._weights_N[rows, None] / len(self._features)
        scores: Float32Array = (total.cpu().numpy() * weights_N).astype(np.float32)
        return scores

    def _open(self, model: nn.Module, n_parameters: int) -> Any:
        traker = TRAKer(
            model=model,
            task=ImageClassificationModelOutput(),
            train_set_size=len(self._train),
            save_dir=str(self.folder),
            load_from_save_dir=True,  # False would wipe the flags of an interrupted run
            device=self._device,
            projector=BlockSketchProjector(
                grad_dim=n_parameters,
                proj_dim=self._settings.proj_dim,
                seed=self._settings.seed,
                device=self._device,
            ),
            saver=StreamingSaver,
            score_computer=RidgeScoreComputer,
            lambda_reg=self._settings.ridge,
            logging_level=logging.CRITICAL,
            use_half_precision=False,
        )
        traker.score_computer.saver = traker.saver
        return traker

    def _featurize(self, model_id: int) -> None:
        saver = self._traker.saver
        self._traker.load_checkpoint(self._states[model_id], model_id=model_id)
        if saver.model_ids[model_id]["is_finalized"]:
            return
        flags = saver.current_store["is_featurized"]
        label = f"training gradients, model {model_id + 1} of {len(self._states)}"
        for start, stop in track(self._batches(len(self._train)), label):
            if flags[start:stop].all():
                continue
            flags[start:stop] = 0  # a batch is done whole or not at all
            batch = self._train.batch(start, stop, self._device)
            self._traker.featurize(batch, inds=np.arange(start, stop))
        saver.serialize_current_model_id_metadata()  # also where the last batch was done before a kill

    def _finalize(self, model_id: int) -> None:
        saver = self._traker.saver
        if not saver.model_ids[model_id]["is_finalized"]:
            with contextlib.redirect_stderr(io.StringIO()):  # traker's bar; errors are raised
                self._traker.finalize_features(model_ids=[model_id])
        gradients = self.folder / str(model_id) / "grads.mmap"
        gradients.unlink(missing_ok=True)  # only after the features are recorded as finished

    def _score_targets(self, model_id: int) -> None:
        """Gradients of the targets: few, so an interrupted model's are taken again from the start."""
        done = self.folder / str(model_id) / "targets_done"
        if done.exists():
            return
        n = len(self._targets)
        self._traker.start_scoring_checkpoint(EXPERIMENT, self._states[model_id], model_id, num_targets=n)
        label = f"target gradients, model {model_id + 1} of {len(self._states)}"
        for start, stop in track(self._batches(n), label):
            batch = self._targets.batch(start, stop, self._device)
            self._traker.score(batch, inds=np.arange(start, stop))
        done.touch()

    def _batches(self, n: int) -> list[tuple[int, int]]:
        return [(start, min(n, start + self._batch_size)) for start in range(0, n, self._batch_size)]

    def _mean_loss_weights(self) -> Float64Array:
        parts = [self._map(model_id, "out_to_loss.mmap")[:, 0] for model_id in range(len(self._states))]
        mean: Float64Array = np.mean(parts, axis=0, dtype=np.float64)
        return mean

    def _map(self, model_id: int, name: str) -> Float32Array:
        array: Float32Array = np.load(self.folder / str(model_id) / name, mmap_mode="r+")
        return array


def check_sizes(*, n_train: int, settings: AttributeSettings) -> None:
    """Refuse sizes at which the scores would be meaningless.

    Raises:
        InputError: proj_dim <= 100, or more projected dimensions than images without a ridge.
    """
    if settings.proj_dim <= 100:
        raise InputError(
            f"attribute.proj_dim = {settings.proj_dim}: at most 100 dimensions do not keep inner products "
            "of gradients. Use 512 or more."
        )
    if settings.ridge == 0 and settings.proj_dim > n_train:
        raise InputError(
            f"attribute.proj_dim = {settings.proj_dim} exceeds the {n_train} training images while "
            "attribute.ridge = 0: the scores would be arbitrary. Set attribute.ridge above 0 (0.01 serves) "
            f"or attribute.proj_dim to {n_train // 2} or less."
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Take back the handler that traker adds to the root logger."""
    root = logging.getLogger()
    before = list(root.handlers)
    try:
        yield
    finally:
        for handler in [h for h in root.handlers if h not in before]:
            root.removeHandler(handler)
