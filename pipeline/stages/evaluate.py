"""Stage `evaluate`: the one place where test images meet a trained model to be scored."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from pipeline.artifacts.checkpoints import load_weights, weights_path
from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.files import load_artifact, save_artifact, write_atomic, write_text
from pipeline.artifacts.paths import dataset_dir, evaluation_dir, model_dir
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.core.results import DatasetInfo, EvaluationResult, SplitMetrics, TrainHistory
from pipeline.core.settings import EvaluateSettings, MethodName
from pipeline.core.types import Int64Array, Split
from pipeline.explain.interventions import predict_classes, run_interventions
from pipeline.metrics.groups import split_metrics
from pipeline.models.hardware import choose_device
from pipeline.models.networks import Classifier
from pipeline.stages.params_file import read_params
from pipeline.stages.running import exclusive
from pipeline.stages.tables import evaluation_metrics, group_table, metrics_json

_log = logging.getLogger(__name__)


def run(dataset: str, method: MethodName) -> None:
    settings = read_params().dataset(dataset).evaluate
    data, out = dataset_dir(dataset), evaluation_dir(dataset, method)
    info = load_info(data)
    with exclusive("evaluate", dataset, method, outputs=[out / "evaluation.json"]):
        history = load_artifact(model_dir(dataset, method) / "history.json", TrainHistory)
        seeds = [int(seed) for seed in history.selected_epoch]
        weights = model_dir(dataset, method) / "weights"
        models = [load_weights(weights_path(weights, seed)).to(choose_device()) for seed in seeds]
        frames: list[pd.DataFrame] = []
        val = _measure(models, load_split(data, "val"), info, seeds, settings, frames)
        test_split = load_split(data, "test")
        test = _measure(models, test_split, info, seeds, settings, frames)
        result = EvaluationResult(
            provenance=make_provenance(settings_hash(settings, history.provenance.params_hash), seeds),
            method=method,
            labels_used=history.labels_used,
            seeds=seeds,
            selection=history.selection,
            val=val,
            test=test,
            interventions=run_interventions(
                models=models, test=test_split, info=info, seed=settings.seed, min_test=settings.min_test
            ),
        )
        predictions = pd.concat(frames, ignore_index=True)
        write_atomic(out / "predictions.parquet", lambda path: predictions.to_parquet(path, index=False))
        groups = group_table(result)
        write_atomic(out / "groups.csv", lambda path: groups.to_csv(path, index=False))
        write_text(out / "metrics.json", metrics_json(evaluation_metrics(result)))
        save_artifact(out / "evaluation.json", result)
    worst = test.worst_group
    _log.info(
        "%s %s: test average %.3f, worst group %.3f [%.3f, %.3f] (%s, n=%d)",
        dataset, method, test.average.value, worst.value, worst.low, worst.high, worst.name, worst.n,
    )  # fmt: skip


def _measure(
    models: list[Classifier],
    split: Split,
    info: DatasetInfo,
    seeds: list[int],
    settings: EvaluateSettings,
    frames: list[pd.DataFrame],
) -> SplitMetrics:
    """Predict with every seed, add the predictions to `frames`, and summarize them per group."""
    predicted_SN = predict_classes(models, len(split), lambda rows: split.images[rows], batch_size=256)
    frames += [
        _table(split, predicted_N, seed) for predicted_N, seed in zip(predicted_SN, seeds, strict=True)
    ]
    return split_metrics(
        predicted_SN == split.labels,
        split.groups,
        group_names=[g.name for g in info.groups],
        n_train=[g.n_train for g in info.groups],
        n_val=[g.n_val for g in info.groups],
        seeds=seeds,
        min_test=settings.min_test if split.name == "test" else settings.min_val,
        min_val=settings.min_val,
    )


def _table(split: Split, predicted_N: Int64Array, seed: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "split": split.name,
            "seed": np.int64(seed),
            "id": split.ids,
            "label": split.labels,
            "group": split.groups,
            "predicted": predicted_N,
            "correct": predicted_N == split.labels,
        }
    )
