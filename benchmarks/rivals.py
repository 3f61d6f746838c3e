"""Other people's attribution on the same networks and images: scores and seconds, for the benchmarks.

Each function takes trained networks and two splits and gives a train x test matrix in which positive =
helps, with the seconds of everything between images and scores: gradients, projection or curvature,
store, scores. Loading the library is not counted.

Shape legend: N training images, M test images.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import logging
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from pipeline.attribution.estimators.ekfac import ekfac
from pipeline.attribution.selection import Examples, select
from pipeline.core.types import Float32Array, Split
from pipeline.models.interface import Classifier


@dataclass(frozen=True)
class RivalScores:
    name: str  # of library and settings, as a table shows it
    matrix_NM: Float32Array
    seconds: float
    cpu_seconds: float  # of all threads: what to compare where other work shares the machine


def traker_default(
    models: Sequence[Classifier],
    *,
    train: Split,
    test: Split,
    proj_dim: int = 512,
    batch_size: int = 32,
    threads: int = 2,
    folder: Path | None = None,
) -> RivalScores:
    """traker as its documentation starts it on a CPU: `BasicProjector`, vmap gradients, lambda_reg 0.

    fp32, because its half precision has no CPU kernels. Its default for `proj_dim` is 2048; without a
    ridge 512 is kinder to it, and faster. It has no default for the batch size.

    Args:
        folder: where its store goes meanwhile; None: the system's temporary folder.
    """
    from trak import TRAKer

    seen, asked = _all_of(train), _all_of(test)
    model = copy.deepcopy(models[0]).eval()
    with _threads(threads), _quiet(), tempfile.TemporaryDirectory(dir=folder) as store:
        started, cpu_started = time.perf_counter(), time.process_time()
        traker = TRAKer(
            model=model,
            task="image_classification",
            train_set_size=len(seen),
            save_dir=store,
            device="cpu",  # a torch.device would send it to its CUDA path
            proj_dim=proj_dim,
            use_half_precision=False,
            logging_level=logging.CRITICAL,
        )
        with torch.no_grad():  # its vmap(grad) differentiates all the same
            for index, trained in enumerate(models):
                traker.load_checkpoint(trained.state_dict(), model_id=index)
                for batch in _batches(seen, batch_size):
                    traker.featurize(batch, num_samples=len(batch[1]))
            traker.finalize_features()
            for index, trained in enumerate(models):
                traker.start_scoring_checkpoint("test", trained.state_dict(), index, num_targets=len(asked))
                for batch in _batches(asked, batch_size):
                    traker.score(batch, num_samples=len(batch[1]))
        matrix_NM = np.array(traker.finalize_scores("test"), np.float32)
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    name = f"traker, k = {proj_dim}, ridge 0, {len(models)} models"
    return RivalScores(name, matrix_NM, seconds, cpu_seconds)


def kronfluence_ekfac(
    models: Sequence[Classifier],
    *,
    train: Split,
    test: Split,
    batch_size: int = 64,
    damping: float | None = None,
    seed: int = 0,
    threads: int = 2,
    folder: Path | None = None,
) -> RivalScores:
    """EK-FAC influence of kronfluence, mean over models.

    Args:
        damping: None: 0.1 times each layer's mean eigenvalue; kronfluence's own default is 1e-8.
        folder: where factors and scores go meanwhile; None: the system's temporary folder.
    """
    importlib.import_module("kronfluence.analyzer")
    torch.compiler.reset()  # kronfluence calls it between its steps; the first call loads a compiler
    with _threads(threads), tempfile.TemporaryDirectory(dir=folder) as work_dir:
        started, cpu_started = time.perf_counter(), time.process_time()
        scores = ekfac(
            [model.eval() for model in models],
            train=_all_of(train),
            targets=_all_of(test),
            work_dir=Path(work_dir),
            seed=seed,
            damping=damping,
            batch_size=batch_size,
        )
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    name = f"kronfluence EK-FAC, {len(models)} models"
    return RivalScores(name, scores.matrix_NM, seconds, cpu_seconds)


def _all_of(split: Split) -> Examples:
    return select(split, np.arange(len(split)))


def _batches(examples: Examples, batch_size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for start in range(0, len(examples), batch_size):
        yield examples.batch(start, min(len(examples), start + batch_size), "cpu")


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars, and no root log handler left behind by traker."""
    root = logging.getLogger()
    before = list(root.handlers)
    with open("/dev/null", "w") as nowhere, contextlib.redirect_stderr(nowhere):
        try:
            yield
        finally:
            root.handlers = before
