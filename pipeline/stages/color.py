"""Stage `color`: is a color cue in the data?"""

from __future__ import annotations

import logging

import pandas as pd

from pipeline.artifacts.datasets import load_packed, load_packed_split
from pipeline.artifacts.files import save_artifact, write_text
from pipeline.artifacts.hygiene_tables import fold_copies
from pipeline.artifacts.paths import color_dir, dataset_dir
from pipeline.artifacts.plans import read_plan
from pipeline.artifacts.predictions import ColorPredictions, save_table
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.running import exclusive
from pipeline.artifacts.tables import metrics_json
from pipeline.core.types import PackedSplit
from pipeline.data_audit.color.audit import analyze_color
from pipeline.records.color import ColorResult, Predictability
from pipeline.settings.audit import ColorSettings

_log = logging.getLogger(__name__)


def run(dataset: str) -> None:
    settings = read_plan(ColorSettings, "color", dataset)
    folder = dataset_dir(dataset)
    out = color_dir(dataset)
    table_path = out / "color_predictions.parquet"
    with exclusive("color", dataset):
        info = load_packed(folder)
        train, test = fold_copies(
            dataset, load_packed_split(folder, "train"), load_packed_split(folder, "test")
        )
        result, predictions = analyze_color(
            train,
            test,
            info,
            settings,
            make_provenance(settings_hash(settings), [settings.seed], data=info.packing),
        )
        table = _table(test, predictions)
        save_table(table_path, table, info.packing)
        write_text(out / "metrics.json", metrics_json(_metrics(result)))
        save_artifact(out / "color.json", result)
    _log.info(
        "%s: %d color findings in %s, kappa of color alone %.3f on train and %.3f on test, %.0f s",
        dataset,
        len(result.findings),
        ", ".join(result.regions),
        result.color_only.kappa,
        result.color_only_test.kappa,
        result.seconds,
    )


def _table(test: PackedSplit, predictions: ColorPredictions) -> pd.DataFrame:
    return pd.DataFrame({"id": test.ids, "predicted": predictions.predicted, "p_true": predictions.p_true})


def _metrics(result: ColorResult) -> dict[str, float | int | None]:
    kappas: dict[str, Predictability | None] = {
        "color_only_kappa": result.color_only,
        "color_only_kappa_test": result.color_only_test,
        "color_only_boosted_kappa_test": result.color_only_boosted,
        "background_only_kappa": result.background_only,
    }
    for attribute in result.attributes:
        kappas[f"label_given_{attribute.attribute}_kappa"] = attribute.label_given_attribute
    values = {name: None if found is None else found.kappa for name, found in kappas.items()}
    return {**values, "findings": len(result.findings)}
