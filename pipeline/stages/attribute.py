"""Stage `attribute`: which training images made the model do that?"""

from __future__ import annotations

import logging
import shutil

from pipeline.artifacts.datasets import load_split
from pipeline.artifacts.files import save_artifact, write_text
from pipeline.artifacts.paths import attribution_dir, dataset_dir, scratch_dir
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.attribution.run import choose_targets, run_attribution
from pipeline.core.method_settings import MethodName
from pipeline.models.hardware import choose_device
from pipeline.stages.params_file import read_params
from pipeline.stages.running import exclusive
from pipeline.stages.tables import metrics_json
from pipeline.stages.trained import load_trained

_log = logging.getLogger(__name__)


def run(dataset: str, method: MethodName) -> None:
    settings = read_params().dataset(dataset)
    out = attribution_dir(dataset, method)
    work_dir = scratch_dir("attribute", dataset, method)
    with exclusive("attribute", dataset, method, outputs=[out / "attribution.json", out / "metrics.json"]):
        trained = load_trained(dataset, method)
        rows = choose_targets(trained.test, settings.attribute.targets_per_group, settings.attribute.seed)
        result = run_attribution(
            method=method,
            models=[[model] for model in trained.models],
            train=load_split(dataset_dir(dataset), "train"),
            test=trained.test,
            target_rows=rows,
            predicted=trained.predicted_SN[:, rows],
            worst_group=trained.worst_group,
            info=trained.info,
            settings=settings.attribute,
            work_dir=work_dir,
            provenance=make_provenance(settings_hash(settings.attribute), trained.seeds),
            device=choose_device().type,
        )
        save_artifact(out / "attribution.json", result)
        summary = {
            "targets": result.n_targets,
            "flipped_share_in_harmful": result.flipped_share_in_harmful,
            "flipped_share_overall": result.flipped_share_overall,
        }
        write_text(out / "metrics.json", metrics_json(summary))
        shutil.rmtree(work_dir, ignore_errors=True)
    _log.info(
        "%s %s: %d training images x %d targets x %d models in %.0f s",
        dataset, method, result.n_train, result.n_targets, result.n_models, result.seconds,
    )  # fmt: skip
