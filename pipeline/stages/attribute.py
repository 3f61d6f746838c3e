"""Stage `attribute`: which training images made the model do that, and how far to trust the answer?"""

from __future__ import annotations

import contextlib
import logging
import shutil
from pathlib import Path

import numpy as np
import torch
from scipy.special import softmax

from pipeline.artifacts.datasets import load_split
from pipeline.artifacts.dynamics import load_dynamics
from pipeline.artifacts.files import save_artifact, write_text
from pipeline.artifacts.not_trained import or_reason, pass_on, why_not_trained
from pipeline.artifacts.packing import load_current
from pipeline.artifacts.paths import (
    attribution_dir,
    data_folders,
    model_dir,
    retrained_dir,
    scratch_dir,
)
from pipeline.artifacts.plans import read_code, read_plan
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.retrained import load_retrained
from pipeline.artifacts.running import exclusive, locked
from pipeline.artifacts.tables import metrics_json
from pipeline.artifacts.trained import Trained, earlier_checkpoints, load_trained
from pipeline.attribution.proof.foretold import Retrained
from pipeline.attribution.run import LabelEvidence, run_attribution
from pipeline.attribution.selection import choose_targets
from pipeline.core.types import Float64Array, Int64Array, Split
from pipeline.models.hardware import choose_device
from pipeline.models.interface import Classifier
from pipeline.models.predict import predict_logits
from pipeline.parallel.rank import started_world
from pipeline.records.attribution import AttributionResult
from pipeline.records.training import TrainHistory
from pipeline.settings.attribution import AttributeSettings
from pipeline.settings.plans.attribute import AttributePlan
from pipeline.statistics.retrained.label_errors import suggest_classes

_log = logging.getLogger(__name__)


def run(dataset: str, method: str) -> None:
    plan = read_plan(AttributePlan, "attribute", dataset, method)
    world, device = started_world(), choose_device(plan.device)
    if world.size > 1 and device.type == "cuda":
        torch.cuda.set_device(world.rank % torch.cuda.device_count())
    if not world.is_first and why_not_trained("evaluate", dataset, method):
        return
    if not world.is_first:  # one of several that torchrun started: it shares the work, the first one saves
        logging.getLogger().setLevel(logging.WARNING)
        with _at_work(dataset, method, world.rank):
            _attribute(dataset, method, plan.attribute, device)
        return
    out = attribution_dir(dataset, method)
    with exclusive("attribute", dataset, method), or_reason("attribute", dataset, method):
        if pass_on("evaluate", "attribute", dataset, method):
            return
        _drop_work_of_other_code(dataset, method)
        result = _attribute(dataset, method, plan.attribute, device)
        save_artifact(out / "attribution.json", result)
        write_text(out / "metrics.json", metrics_json(_summary(result)))
        with contextlib.ExitStack() as others:  # which may still read what is deleted here
            for rank in range(1, world.size):
                others.enter_context(_at_work(dataset, method, rank))
            shutil.rmtree(scratch_dir("attribute", dataset, method), ignore_errors=True)
        _log.info(
            "%s %s: %d training images x %d targets x %d networks in %.0f s",
            dataset, method, result.n_train, result.n_targets, result.n_models * result.n_checkpoints,
            result.seconds,
        )  # fmt: skip


def _at_work(dataset: str, method: str, rank: int) -> contextlib.AbstractContextManager[None]:
    """Held while a process reads the shared store; free again also when it dies."""
    return locked("attribute", dataset, method, f"process_{rank}")


def _work_dir(dataset: str, method: str) -> Path:
    """Where a killed run of the same code goes on."""
    return scratch_dir("attribute", dataset, method) / read_code("attribute", dataset, method)


def _drop_work_of_other_code(dataset: str, method: str) -> None:
    own = _work_dir(dataset, method)
    for other in own.parent.glob("*"):
        if other != own:
            shutil.rmtree(other, ignore_errors=True)


def _attribute(
    dataset: str, method: str, settings: AttributeSettings, device: torch.device
) -> AttributionResult:
    trained = load_trained(dataset, method, device)
    train = load_split(data_folders(dataset), "train")
    rows = choose_targets(trained.test, settings.targets_per_group, settings.seed)
    used = trained.seeds[: settings.max_models]
    earlier = earlier_checkpoints(dataset, method, used, device)
    return run_attribution(
        method=method,
        models=[[*earlier[seed], model] for seed, model in zip(used, trained.models, strict=False)],
        train=train,
        test=trained.test,
        target_rows=rows,
        predicted=trained.predicted_SN[:, rows],
        worst_group=trained.worst_group,
        info=trained.info,
        settings=settings,
        retrained=_retrained(dataset, method, trained.test, rows, train),
        label_evidence=_label_evidence(dataset, method, trained, train),
        work_dir=_work_dir(dataset, method),
        provenance=make_provenance(settings_hash(settings), trained.seeds, data=trained.info.digest),
        device=device.type,
    )


def _retrained(dataset: str, method: str, test: Split, rows: Int64Array, train: Split) -> Retrained:
    record, margins = load_retrained(retrained_dir(dataset, method), test)
    return Retrained(record, margins.margins_MN[:, rows], train.labels, train.groups)


def _label_evidence(dataset: str, method: str, trained: Trained, train: Split) -> LabelEvidence:
    folder = model_dir(dataset, method)
    reason = load_current(folder / "history.json", TrainHistory, train.digest).no_aum_reason
    found = load_dynamics(folder / "dynamics.parquet")
    aum_SN = np.stack([dynamics.aum for dynamics in found.values()]) if found else None
    probabilities_SNC = np.stack([_probabilities(model, train) for model in trained.models])
    return LabelEvidence(aum_SN, reason, suggest_classes(probabilities_SNC, train.labels))


def _probabilities(model: Classifier, train: Split) -> Float64Array:
    logits_NC = predict_logits(model, train.images)
    found: Float64Array = softmax(logits_NC.astype(np.float64), axis=1)
    return found


def _summary(result: AttributionResult) -> dict[str, float | int | None]:
    lds, check, labels = result.lds, result.group_check, result.label_errors
    return {
        "targets": result.n_targets,
        "flipped_share_in_harmful": result.flipped_share_in_harmful,
        "flipped_share_overall": result.flipped_share_overall,
        "lds": None if lds is None else lds.value,
        "lds_ceiling": None if lds is None else lds.ceiling,
        "group_check_correlation": None if check is None else check.correlation,
        "group_rule_correlation": None if check is None or check.rule is None else check.rule.value,
        **{f"label_suspects_{found.ranking}": found.n_suspects for found in (labels.lists if labels else [])},
    }
