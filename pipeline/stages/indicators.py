"""Stage `indicators`: how a method generalizes beyond accuracy, over all images and group by group."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pipeline.artifacts.checkpoints import load_weights, weights_path
from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.files import save_artifact, write_text
from pipeline.artifacts.indicator_values import save_values
from pipeline.artifacts.not_trained import pass_on
from pipeline.artifacts.packing import load_current
from pipeline.artifacts.paths import data_folders, dataset_dir, evaluation_dir, indicators_dir, model_dir
from pipeline.artifacts.plans import read_plan
from pipeline.artifacts.predictions import load_confidences, load_predictions
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.running import exclusive
from pipeline.artifacts.tables import indicator_metrics, metrics_json
from pipeline.core.types import SPLIT_NAMES
from pipeline.indicators.measure import measure
from pipeline.indicators.others import load_other
from pipeline.indicators.registry import all_indicators
from pipeline.indicators.subject import Subject
from pipeline.models.hardware import choose_device
from pipeline.models.interface import Classifier
from pipeline.models.regularization import regularize
from pipeline.records.data import DatasetInfo
from pipeline.records.indicators import IndicatorsResult
from pipeline.records.training import TrainHistory
from pipeline.settings.plans.indicators import IndicatorsPlan
from pipeline.settings.train import TrainSettings
from pipeline.statistics.sampling import draw
from pipeline.train.networks import network_of

_log = logging.getLogger(__name__)


def run(dataset: str, method: str) -> None:
    plan = read_plan(IndicatorsPlan, "indicators", dataset, method)
    out = indicators_dir(dataset, method)
    with exclusive("indicators", dataset, method):
        if pass_on("evaluate", "indicators", dataset, method):
            return
        subject, names = _subject(dataset, method, plan)
        found, values = measure(subject, all_indicators(), names, min_test=plan.min_test)
        result = IndicatorsResult(
            provenance=make_provenance(settings_hash(plan), subject.seeds, data=subject.test.digest),
            method=method,
            indicators=found,
        )
        save_values(out / "values.npz", values)
        write_text(out / "metrics.json", metrics_json(indicator_metrics(result)))
        save_artifact(out / "indicators.json", result)
    n_measured = sum(not indicator.why_not for indicator in found)
    _log.info("%s %s: %d of %d indicators measured", dataset, method, n_measured, len(found))
    for indicator in found:
        if indicator.why_not:
            _log.info("%s %s: no %s: %s", dataset, method, indicator.title, indicator.why_not)


def _subject(dataset: str, method: str, plan: IndicatorsPlan) -> tuple[Subject, list[str]]:
    """What indicators look at, and the names of the groups."""
    data, device, settings = data_folders(dataset), choose_device(plan.device), plan.indicators
    info = load_info(data)
    train, val, test = (load_split(data, name) for name in SPLIT_NAMES)
    history = load_current(model_dir(dataset, method) / "history.json", TrainHistory, info.digest)
    predictions = evaluation_dir(dataset, method) / "predictions.parquet"
    seeds, predicted_SN = load_predictions(predictions, test)
    folder = model_dir(dataset, method) / "weights"
    paths = [] if history.is_table else [weights_path(folder, seed) for seed in seeds]
    models = [load_weights(path).to(device) for path in paths]
    for model in models:
        if plan.train is not None:  # weights know nothing of it, and uncertainty is read off it
            regularize(model, dropout=plan.train.dropout, stochastic_depth=0.0)
    subject = Subject(
        train=train.take(draw(len(train), settings.max_train, settings.seed)),
        val=val,
        test=test,
        seeds=seeds,
        models=models,
        starts=_starts(plan.train, info, seeds[: settings.max_models]),
        predicted_SN=predicted_SN,
        confidence_SN=load_confidences(predictions, test),
        settings=settings,
        n_classes=len(info.classes),
        trained_on_val=history.trained_on_val,
        group_names=[group.name for group in info.groups],
        others={
            name: None
            if packing is None
            else load_other(dataset_dir(name), packing, info.image_size, settings.seed)
            for name, packing in plan.others.items()
        },
    )
    return subject, [group.name for group in info.groups]


def _starts(train: TrainSettings | None, info: DatasetInfo, seeds: Sequence[int]) -> list[Classifier]:
    """The networks before training; none where others' weights began it, which may be anywhere by now."""
    if train is None or train.pretrained:
        return []
    return [network_of(train, info, seed) for seed in seeds]
