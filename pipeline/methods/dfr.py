"""DFR: deep feature reweighting, ERM's network with its last layer trained again.

Source: Kirichenko et al. 2022 (arXiv:2204.02937). Its DFR-Val is `fit_on: val`, its DFR-Train
`fit_on: train`.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import torch

from pipeline.core.types import Split
from pipeline.models.interface import Classifier
from pipeline.records.training import LastLayer
from pipeline.settings.methods import DfrSettings
from pipeline.train.fitting import SeedRun
from pipeline.train.last_layer import Features, check_enough_images, retrain_head
from pipeline.train.loop import Outcome

_log = logging.getLogger(__name__)


def train_last_layer(run: SeedRun, method: DfrSettings) -> tuple[Outcome, LastLayer]:
    """ERM's outcome with a new last layer; its history and its margins stay those of the ERM model.

    Weights of other epochs do not: the new layer was fitted to the selected epoch's features.

    The result is an ordinary network, so whatever reads models needs to know nothing of DFR. The fits
    take seconds and are a pure function of the ERM model, so a killed run repeats them.

    Raises:
        InputError: a group with too few images to be balanced or judged.
    """
    groups = run.groups
    n_val_G = np.bincount(groups.val_V, minlength=len(groups.names)).tolist()
    check_enough_images(groups.n_train(), n_val_G, groups.names, method)
    base = run.fit_erm()
    network = run.network(run.erm.settings, base.weights)
    head, record = retrain_head(
        _features(run, network, run.train) if method.fit_on == "train" else None,
        _features(run, network, run.val),
        settings=method,
        n_classes=len(run.info.classes),
        seed=run.seed,
    )
    _log.info(
        "%s seed %d: C = %g chosen, worst group %.3f on validation images held out; %.0f %% of weights kept",
        run.name, run.seed, record.strength, record.tried[f"{record.strength:g}"], 100 * record.nonzero,
    )  # fmt: skip
    weights = base.weights | {
        "head.weight": torch.from_numpy(head.weight_KD).float(),
        "head.bias": torch.from_numpy(head.bias_K).float(),
    }
    return replace(base, weights=weights, snapshots={}), record


def _features(run: SeedRun, network: Classifier, split: Split) -> Features:
    return Features(run.erm.embed(network, split), split.labels, split.groups)
