"""Scores by the estimator that the settings name, all behind one `Scores` type.

Shape legend: N training images, M targets.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.attribution.estimators import ekfac, last_layer
from pipeline.attribution.estimators.trak import TrakStore
from pipeline.attribution.estimators.traker import TrakerStore
from pipeline.attribution.scores import Scores
from pipeline.attribution.selection import Examples
from pipeline.attribution.streaming import Scratch
from pipeline.core.errors import CannotExplainError, InputError
from pipeline.core.memory import return_freed_memory
from pipeline.core.types import Float64Array
from pipeline.models.interface import Classifier
from pipeline.parallel.rank import started_world
from pipeline.records.attribution import Projection
from pipeline.settings.attribution import AttributeSettings


@dataclass(frozen=True)
class Estimated:
    """One estimator's scores, and what it came across on the way."""

    scores: Scores
    engine: str  # whose code ran, with its version
    projection: Projection
    ridge: float
    loss_weighting: float  # power of 1 - p
    in_margin_units: bool = True
    scratch: Scratch | None = None  # where finished blocks of extremes outlive a kill
    cosines: Scores | None = None  # of the same gradients: the baseline
    plain: Scores | None = None  # without loss weighting
    self_influence_N: Float64Array | None = None
    one_minus_p_N: Float64Array | None = None


def estimate(
    runs: Sequence[Sequence[Classifier]],
    *,
    train: Examples,
    targets: Examples,
    settings: AttributeSettings,
    work_dir: Path,
    device: str,
) -> Estimated:
    """Score training images on targets.

    Args:
        runs: for each seed the checkpoints of its run, as many for each.
        work_dir: kept between runs where the estimator can go on from it.

    Raises:
        InputError: sizes at which scores are meaningless, a disk too small, a package that is missing.
        TrainingError: gradients are not finite.
    """
    if settings.estimator in ("trak", "grad_cosine"):
        own = TrakStore(
            runs, train=train, targets=targets, settings=settings, work_dir=work_dir, device=device
        )
        return _from_store(own, settings)
    if settings.estimator == "traker":
        _require_one_process("traker")
        theirs = TrakerStore(
            runs, train=train, targets=targets, settings=settings, work_dir=work_dir, device=device
        )
        return _from_traker(theirs, settings)
    networks = [model for run in runs for model in run]
    n_parameters = sum(p.numel() for p in networks[0].parameters())
    if settings.estimator in ("last_layer", "ekfac") and not hasattr(networks[0], "head"):
        raise CannotExplainError(
            f"attribute.estimator = {settings.estimator} needs a network whose logits come from one last "
            "linear layer, and this one has none. Set attribute.estimator: trak."
        )
    if settings.estimator == "last_layer":
        scores = last_layer.last_layer_trak(
            networks,
            train=train,
            targets=targets,
            ridge=settings.ridge,
            loss_weighting=settings.loss_weighting,
            seed=settings.seed,
            device=device,
        )
        head = networks[0].head
        dim = min((head.out_features - 1) * (head.in_features + 1), last_layer.MOST_DIMENSIONS)
        projection = Projection(kind="last_layer", dim=dim, n_parameters=n_parameters, precision="fp32")
        return Estimated(scores, own_engine(), projection, settings.ridge, settings.loss_weighting)
    _require_one_process("ekfac")
    dense = ekfac.ekfac(
        networks, train=train, targets=targets, work_dir=work_dir, seed=settings.seed, device=device,
        batch_size=settings.batch_size,
    )  # fmt: skip
    projection = Projection(kind="none", dim=n_parameters, n_parameters=n_parameters, precision="fp32")
    return Estimated(dense, ekfac.engine(), projection, settings.ridge, settings.loss_weighting)


def _from_store(store: TrakStore, settings: AttributeSettings) -> Estimated:
    store.compute()
    return_freed_memory()  # no network runs from here on
    cosines = store.gradient_cosines()
    is_trak = settings.estimator == "trak"
    return Estimated(
        store.scores() if is_trak else cosines,
        own_engine(),
        store.projection,
        settings.ridge,
        settings.loss_weighting,
        in_margin_units=is_trak,
        scratch=store.scratch(settings.top_k),
        cosines=cosines,
        plain=store.scores(loss_weighting=0.0) if is_trak else None,
        self_influence_N=store.self_influence() if is_trak else None,
        one_minus_p_N=store.mean_one_minus_p(),
    )


def _from_traker(store: TrakerStore, settings: AttributeSettings) -> Estimated:
    store.compute()
    return Estimated(
        store.scores(),
        store.engine,
        store.projection,
        settings.traker.lambda_reg,
        1.0,
        in_margin_units=settings.traker.score_computer == "own",
        cosines=store.gradient_cosines(),
        plain=store.unweighted(),
        self_influence_N=store.self_influence(),
        one_minus_p_N=store.mean_one_minus_p(),
    )


def _require_one_process(estimator: str) -> None:
    if started_world().size > 1:
        raise InputError(f"attribute.estimator = {estimator} runs in one process: start it without torchrun.")


def own_engine() -> str:
    """This project's own code, as the report names it."""
    try:
        return f"shortcut-audit {importlib.metadata.version('shortcut-audit')} (own code)"
    except importlib.metadata.PackageNotFoundError:  # a checkout that was not installed
        return "shortcut-audit (own code)"
