"""Stage `color`: is a color cue in the data?"""

from __future__ import annotations

import logging

from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.files import save_artifact, write_text
from pipeline.artifacts.paths import color_dir, dataset_dir
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.audit.color import analyze_color
from pipeline.stages.params_file import read_params
from pipeline.stages.running import exclusive
from pipeline.stages.tables import metrics_json

_log = logging.getLogger(__name__)


def run(dataset: str) -> None:
    settings = read_params().dataset(dataset).color
    folder = dataset_dir(dataset)
    out = color_dir(dataset)
    with exclusive("color", dataset, outputs=[out / "color.json", out / "metrics.json"]):
        result = analyze_color(
            load_split(folder, "train"),
            load_split(folder, "test"),
            load_info(folder),
            settings,
            make_provenance(settings_hash(settings), [settings.seed]),
        )
        save_artifact(out / "color.json", result)
        summary = {
            "color_only_kappa": result.color_only.kappa,
            "color_only_kappa_test": result.color_only_test.kappa,
            "findings": len(result.findings),
        }
        write_text(out / "metrics.json", metrics_json(summary))
    _log.info(
        "%s: %d color findings, kappa of color alone %.3f",
        dataset,
        len(result.findings),
        result.color_only.kappa,
    )
