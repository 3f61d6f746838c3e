"""Stage `retrain`: the method trained on parts of the images, to check what attribution foretells.

It reads no attribution: what is checked cannot leak into the check.
"""

from __future__ import annotations

import logging
import shutil

from pipeline.artifacts.datasets import digest_files, load_split
from pipeline.artifacts.files import save_artifact
from pipeline.artifacts.paths import data_folders, retrained_dir, scratch_dir
from pipeline.artifacts.plans import read_code, read_plan
from pipeline.artifacts.provenance import make_provenance
from pipeline.artifacts.retrained import RetrainedMargins, save_retrained
from pipeline.artifacts.running import exclusive
from pipeline.methods.retraining import retrain_parts
from pipeline.methods.setup import read_setup, training_key
from pipeline.records.retraining import RetrainResult
from pipeline.settings.plans.retrain import RetrainPlan

_log = logging.getLogger(__name__)


def run(dataset: str, method: str) -> None:
    out, data = retrained_dir(dataset, method), data_folders(dataset)
    with exclusive("retrain", dataset, method):
        plan = read_plan(RetrainPlan, "retrain", dataset, method)
        setup, chosen = read_setup(method, plan), plan.retrain
        code = read_code("retrain", dataset, method)
        key = training_key(setup, *digest_files(data), f"{chosen.share} {chosen.seed}", code)
        scratch = scratch_dir("retrain", dataset, method)
        found = retrain_parts(dataset, setup, chosen, scratch / key)
        train, test = load_split(data, "train"), load_split(data, "test")
        save_retrained(out / "margins.npz", RetrainedMargins(test.ids, found.margins_MT))
        seeds = sorted({training.seed for training in found.trainings})
        result = RetrainResult(
            provenance=make_provenance(key, seeds, data=test.digest),
            method=method,
            asked=found.reason is None,
            reason=found.reason,
            share=chosen.share,
            seed=chosen.seed,
            n_train=len(train),
            trainings=found.trainings,
        )
        save_artifact(out / "retrained.json", result)
        shutil.rmtree(scratch, ignore_errors=True)
    trained = f"trained {len(found.trainings)} times on parts of the images"
    _log.info("%s %s: %s", dataset, method, found.reason or trained)
