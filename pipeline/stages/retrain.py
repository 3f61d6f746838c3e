"""Stage `retrain`: the method trained on parts of the images, to check what attribution foretells.

It reads no attribution: what is checked cannot leak into the check.
"""

from __future__ import annotations

import functools
import logging
import shutil
from pathlib import Path

import numpy as np

from pipeline.artifacts.arrays import Arrays, load_arrays
from pipeline.artifacts.datasets import digest_files, load_info, load_split
from pipeline.artifacts.files import save_artifact
from pipeline.artifacts.paths import DataFolders, data_folders, retrained_dir, scratch_dir
from pipeline.artifacts.plans import read_plan
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.retrained import RetrainedMargins, save_retrained
from pipeline.artifacts.running import exclusive
from pipeline.core.memory import available_cores
from pipeline.core.types import Split
from pipeline.methods.feasibility import reason_against
from pipeline.methods.retraining import plan_trainings, retrain, why_not, why_too_small
from pipeline.models.hardware import choose_device
from pipeline.models.predict import predict_logits
from pipeline.parallel.fan_out import fan_out
from pipeline.records.data import DatasetInfo
from pipeline.records.retraining import RetrainResult, Training
from pipeline.settings.methods import METHOD_SETTINGS, AnyMethodSettings, MethodName
from pipeline.settings.plans.retrain import RetrainPlan
from pipeline.settings.retrain import RetrainSettings
from pipeline.settings.train import TrainSettings
from pipeline.statistics.retrained.log_odds import label_log_odds
from pipeline.statistics.retrained.subsets import training_rows

_log = logging.getLogger(__name__)


def run(dataset: str, method: MethodName) -> None:
    out = retrained_dir(dataset, method)
    with exclusive("retrain", dataset, method):
        plan = read_plan(RetrainPlan, "retrain", dataset, method)
        chosen = METHOD_SETTINGS[method].model_validate(plan.method)
        train, test = (load_split(data_folders(dataset), name) for name in ("train", "test"))
        key = _key(plan, dataset)
        scratch = scratch_dir("retrain", dataset, method)
        trainings, reason = _plan(plan, chosen, train, load_info(data_folders(dataset)))
        margins_MN = np.zeros((0, len(test)), np.float32)
        if reason is None:
            results = _train_all(trainings, plan, chosen, dataset, scratch / key)
            if results:
                margins_MN = np.stack([result["margins"] for result in results])
            accuracies = [float(result["accuracy"]) for result in results]
            trainings = [
                training.model_copy(update={"accuracy": accuracy})
                for training, accuracy in zip(trainings, accuracies, strict=True)
            ]
        save_retrained(out / "margins.npz", RetrainedMargins(test.ids, margins_MN))
        result = RetrainResult(
            provenance=make_provenance(key, sorted({t.seed for t in trainings}), data=test.digest),
            method=method,
            asked=reason is None,
            reason=reason,
            share=plan.retrain.share,
            seed=plan.retrain.seed,
            n_train=len(train),
            trainings=trainings,
        )
        save_artifact(out / "retrained.json", result)
        shutil.rmtree(scratch, ignore_errors=True)
    _log.info(
        "%s %s: %s", dataset, method, reason or f"trained {len(trainings)} times on parts of the images"
    )


def _plan(
    plan: RetrainPlan, chosen: AnyMethodSettings, train: Split, info: DatasetInfo
) -> tuple[list[Training], str | None]:
    """The trainings; none, and the reason, where the method is not to be or cannot be retrained."""
    batch_size = plan.train.batch_size
    reason = why_not(chosen, plan.retrain)
    if reason is None:
        against = reason_against(chosen, info.groups, batch_size=batch_size)
        reason = None if against is None else str(against)
    if reason is not None:
        return [], reason
    trainings = plan_trainings(plan.retrain, train)
    names = [group.name for group in info.groups]
    reason = why_too_small(
        trainings, chosen, plan.retrain, groups_N=train.groups, names=names, batch_size=batch_size
    )
    return ([], reason) if reason is not None else (trainings, None)


def _train_all(
    trainings: list[Training], plan: RetrainPlan, method: AnyMethodSettings, dataset: str, folder: Path
) -> list[Arrays]:
    """The result of every training, in order."""
    chosen = plan.retrain
    data = data_folders(dataset).below(Path.cwd())
    common = data, plan.train, method, chosen
    files = fan_out(
        _train_one,
        {training.name: (*common, training) for training in trainings},
        folder=folder,
        workers=chosen.workers or _default_workers(plan.train, chosen, len(trainings)),
        label=f"retrain {dataset} {method.key}",
        unit="trainings",
        executor=chosen.executor,
        submitit=chosen.submitit,
        uses_gpu=plan.train.device != "cpu",  # auto: the cluster's machines may have GPUs that this one lacks
    )
    return [load_arrays(path) for path in files.values()]


def _default_workers(train: TrainSettings, retrain: RetrainSettings, n_tasks: int) -> int:
    if retrain.executor == "slurm":
        return n_tasks  # one job each; the cluster decides how many run
    if choose_device(train.device).type == "cuda":
        import torch

        return torch.cuda.device_count()
    return available_cores()


def _train_one(
    data: DataFolders,
    settings: TrainSettings,
    method: AnyMethodSettings,
    chosen: RetrainSettings,
    training: Training,
) -> Arrays:
    """One training: the test images' margins, and the accuracy on them."""
    train, val, test = _splits(data)
    rows = training_rows(training, train.groups, share=chosen.share, seed=chosen.seed)
    model = retrain(method, settings, train.take(rows), val, load_info(data), training.seed)
    logits_NK = predict_logits(model, test.images)
    return {
        "margins": label_log_odds(logits_NK, test.labels),
        "accuracy": np.array((logits_NK.argmax(1) == test.labels).mean()),
    }


@functools.lru_cache(maxsize=1)
def _splits(data: DataFolders) -> tuple[Split, Split, Split]:
    """The data, opened once in each process; the pixels stay in the file."""
    return load_split(data, "train"), load_split(data, "val"), load_split(data, "test")


def _key(plan: RetrainPlan, dataset: str) -> str:
    """Hash of everything that decides a training's result, beside its name."""
    chosen, digests = plan.retrain, digest_files(data_folders(dataset))
    versions = str(make_provenance("").versions)
    return settings_hash(plan.train, plan.method, f"{chosen.share} {chosen.seed}", versions, *digests)
