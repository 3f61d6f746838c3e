"""Influence functions with an EK-FAC curvature: the one place that speaks to kronfluence (1.0).

What is done here and why:

- kronfluence gives grad(measurement)^T H^-1 grad(loss), which is minus the change of the measurement
  when the training image counts more. The measurement is minus the margin, so positive = helps.
- Its H is the mean over N training images, so its scores are for an image that counts N times more.
  They are divided by N: the change of the target's margin due to that one image, as for TRAK.
- It tracks conv and linear layers only, and fails on the output layer of torch's attention, which is
  left out here. Norm layers and tokens have no part in the scores.
- It draws labels for the Fisher matrix from torch's global generator, which is seeded here and put back.
- It replaces layers of the network that it is given, so it gets a copy.
- It wants a folder for factors and scores; that folder is the caller's work folder, and what was
  written there is deleted, also after an error. Nothing is resumed.
- It makes a dense train x target matrix. Sizes at which that does not fit are refused.

Shape legend: N training images, M targets, C classes.
"""

from __future__ import annotations

import copy
import importlib.metadata
import importlib.util
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from pipeline.attribution.gradients.log_odds import label_log_odds
from pipeline.attribution.scores import DenseScores, require_room
from pipeline.attribution.selection import Examples
from pipeline.core.errors import InputError, TrainingError
from pipeline.core.progress import track
from pipeline.core.types import Float32Array
from pipeline.models.interface import Classifier

if TYPE_CHECKING:
    from kronfluence.analyzer import Analyzer

GRADIENT_BYTES = 2**29  # of one batch's preconditioned target gradients
TRACKED = (nn.Linear, nn.Conv2d)


def engine() -> str:
    return f"kronfluence {importlib.metadata.version('kronfluence')}"


def ekfac(  # settings by name
    models: Sequence[Classifier],
    *,
    train: Examples,
    targets: Examples,
    work_dir: Path,
    seed: int,
    damping: float | None = None,
    device: str = "cpu",
    batch_size: int = 64,
) -> DenseScores:
    """Change of each target's margin due to each training image, mean over models.

    Run it in one process; threads are left as they are set.

    Args:
        work_dir: `ekfac` is made and deleted in it.
        damping: added to every eigenvalue of the curvature; None: 0.1 times their mean, layer by layer.
        device: "cpu", "cuda" or "cuda:<n>".

    Raises:
        InputError: kronfluence is not installed, no model, a matrix too large, or no layer to track.
        TrainingError: scores are not finite.
    Source: Grosse et al. 2023 (arXiv:2308.03296); George et al. 2018 (arXiv:1806.03884).
    """
    _check(models, n_train=len(train), n_targets=len(targets))
    folder = work_dir / "ekfac"
    total_NM = torch.zeros(len(train), len(targets))
    for index, model in track(list(enumerate(models)), "EK-FAC, models"):
        shutil.rmtree(folder, ignore_errors=True)  # what a killed run left: kronfluence would trust it
        try:
            with torch.random.fork_rng(devices=[] if device == "cpu" else None), warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of torch, about kronfluence's own calls
                torch.manual_seed(seed + index)
                total_NM += _pairwise(model, train, targets, folder, damping, device, batch_size)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    if not bool(torch.isfinite(total_NM).all()):
        raise TrainingError(
            "EK-FAC scores are not finite: the network's weights are not usable, or its curvature is "
            "singular. Train it again with a lower train.lr, or use attribute.estimator = trak."
        )
    matrix_NM: Float32Array = (total_NM / (len(models) * len(train))).numpy()
    return DenseScores(matrix_NM)


def require_kronfluence() -> None:
    """Raises: InputError (the package of the extra `ekfac` is not installed)."""
    if importlib.util.find_spec("kronfluence") is None:
        raise InputError(
            "attribute.estimator = ekfac needs the package kronfluence. Install it with "
            "pip install 'shortcut-audit[ekfac]' (or: pip install kronfluence), or use another estimator: "
            "trak, grad_cosine or last_layer."
        )


def _check(models: Sequence[Classifier], *, n_train: int, n_targets: int) -> None:
    require_kronfluence()
    if not models:
        raise InputError("attribution needs at least one trained model: run the train stage first.")
    require_room(n_train, n_targets, "ekfac")


class _Images(Dataset[tuple[Tensor, Tensor]]):
    """Pixels and label of one image at a time, as a DataLoader reads them."""

    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        pixels, labels = self._examples.batch(index, index + 1, "cpu")
        return pixels[0], labels[0]


def _make_task(tracked: list[str]) -> Any:
    """kronfluence's description of the problem. Made here: its base class is there only if installed."""
    from kronfluence.task import Task

    class MarginTask(Task):  # type: ignore[misc]  # kronfluence is untyped
        def compute_train_loss(self, batch: Any, model: nn.Module, sample: bool = False) -> Tensor:
            pixels, labels_N = batch
            logits_NC = model(pixels)
            if sample:  # the Fisher matrix is an expectation over the model's own labels
                with torch.no_grad():
                    labels_N = torch.multinomial(logits_NC.softmax(dim=1), 1).flatten()
            return F.cross_entropy(logits_NC, labels_N, reduction="sum")

        def compute_measurement(self, batch: Any, model: nn.Module) -> Tensor:
            pixels, labels_N = batch
            return -label_log_odds(model(pixels), labels_N).sum()

        def get_influence_tracked_modules(self) -> list[str]:
            return tracked

    return MarginTask()


def _pairwise(
    model: Classifier,
    train: Examples,
    targets: Examples,
    folder: Path,
    damping: float | None,
    device: str,
    batch_size: int,
) -> Tensor:
    """kronfluence's scores of one model, N x M on the CPU."""
    from kronfluence.arguments import FactorArguments, ScoreArguments

    factors = FactorArguments(strategy="ekfac")
    analyzer, n_tracked = _analyzer(model, folder, device)
    seen, asked = _Images(train), _Images(targets)
    analyzer.fit_all_factors(
        factors_name="factors", dataset=seen, per_device_batch_size=batch_size, factor_args=factors
    )
    analyzer.compute_pairwise_scores(
        scores_name="scores",
        factors_name="factors",
        query_dataset=asked,
        train_dataset=seen,
        # gradients of a batch of targets are kept whole while all training images go by
        per_device_query_batch_size=max(1, min(len(targets), GRADIENT_BYTES // (4 * n_tracked))),
        per_device_train_batch_size=batch_size,
        score_args=ScoreArguments(damping_factor=damping),
    )
    scores_MN: Tensor = analyzer.load_pairwise_scores("scores")["all_modules"]
    return scores_MN.T.float().cpu()


def _analyzer(model: Classifier, folder: Path, device: str) -> tuple[Analyzer, int]:
    """kronfluence's analyzer of a copy of the network, and how many parameters it tracks."""
    from kronfluence.analyzer import Analyzer, prepare_model

    layers = {name: layer for name, layer in model.named_modules() if type(layer) in TRACKED}
    if not layers:
        raise InputError(
            "attribute.estimator = ekfac knows conv and linear layers only, and this network has none. "
            "Use attribute.estimator = trak."
        )
    prepared = prepare_model(copy.deepcopy(model), _make_task(list(layers)))
    analyzer = Analyzer(
        analysis_name="run",
        model=prepared,
        task=_make_task(list(layers)),
        cpu=device == "cpu",
        disable_tqdm=True,
        output_dir=str(folder),
    )
    return analyzer, sum(p.numel() for layer in layers.values() for p in layer.parameters())
