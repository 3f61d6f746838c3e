"""Stage `color`: is a color cue in the data?"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.artifacts.copies import load_copies
from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.files import save_artifact, write_text
from pipeline.artifacts.paths import color_dir, dataset_dir
from pipeline.artifacts.plans import read_plan
from pipeline.artifacts.predictions import ColorPredictions, save_table
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.running import exclusive
from pipeline.artifacts.tables import metrics_json
from pipeline.audit.color.audit import analyze_color
from pipeline.core.types import Split
from pipeline.records.color import ColorResult, Predictability
from pipeline.settings.audit import ColorSettings
from pipeline.statistics.sources import merge_sources

_log = logging.getLogger(__name__)
MIN_PICTURES = 10  # of a class in training; in fewer sets of copies every cue would seem to be absent


def run(dataset: str) -> None:
    settings = read_plan(ColorSettings, "color", dataset)
    folder = dataset_dir(dataset)
    out = color_dir(dataset)
    table_path = out / "color_predictions.parquet"
    with exclusive("color", dataset):
        info = load_info(folder)
        train, test = fold_copies(dataset, load_split(folder, "train"), load_split(folder, "test"))
        result, predictions = analyze_color(
            train,
            test,
            info,
            settings,
            make_provenance(settings_hash(settings), [settings.seed], data=info.digest),
        )
        table = _table(test, predictions)
        save_table(table_path, table, info.digest)
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


def fold_copies(dataset: str, train: Split, test: Split) -> tuple[Split, Split]:
    """The splits with copies of an image as one source, like frames of one scene.

    Where hygiene has not run, a copy counts as an image of its own, which is said.
    """
    copy_set_N = load_copies(color_dir(dataset) / "copies.parquet", train.packing)
    if copy_set_N is None:
        _log.info(
            "%s: copies of images were not looked for, each image counts by itself; "
            "`python -m pipeline hygiene %s` before this finds them",
            dataset, dataset,
        )  # fmt: skip
        return train, test
    copies_N = copy_set_N[np.concatenate([train.ids, test.ids])]
    if len(np.unique(copies_N)) == len(copies_N):
        return train, test
    given = None
    if train.sources is not None and test.sources is not None:
        given = np.concatenate([train.sources, test.sources])
    merged_N = merge_sources(given, copies_N)
    assert merged_N is not None
    n = len(train)
    left = min(len(np.unique(merged_N[:n][train.labels == label])) for label in np.unique(train.labels))
    if left < MIN_PICTURES:
        _log.warning(
            "%s: joined by copies, the training images of a class fall into %d sets. No fold could learn the "
            "class without them, so copies count by themselves: color may be memory",
            dataset, left,
        )  # fmt: skip
        return train, test
    return replace(train, sources=merged_N[:n]), replace(test, sources=merged_N[n:])


def _table(test: Split, predictions: ColorPredictions) -> pd.DataFrame:
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
