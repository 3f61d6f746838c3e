"""Stage `report`: one self-contained page and its JSON per dataset."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from pipeline.artifacts.datasets import load_info, load_samples, load_split, map_array
from pipeline.artifacts.files import load_artifact, save_artifact, write_text
from pipeline.artifacts.maps import SavedMaps, load_maps
from pipeline.artifacts.paths import (
    attribution_dir,
    card_path,
    color_dir,
    dataset_dir,
    evaluation_dir,
    gradcam_dir,
    model_dir,
    plots_dir,
    reports_dir,
)
from pipeline.artifacts.predictions import load_predictions
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.core.method_settings import MethodName
from pipeline.core.results import (
    Artifact,
    AttributionResult,
    ColorResult,
    DatasetInfo,
    EvaluationResult,
    GradcamResult,
    HygieneResult,
    MapAgreement,
    MethodComparison,
    TrainHistory,
)
from pipeline.core.settings import DatasetSettings
from pipeline.core.types import Int64Array, Split, UInt8Array
from pipeline.explain.overlays import draw_overlay
from pipeline.metrics.comparison import compare_all
from pipeline.metrics.maps import compare_maps
from pipeline.report.evidence import Thresholds
from pipeline.report.html import render_report
from pipeline.report.index import make_card
from pipeline.report.pictures import LOOK_CLOSER, PictureSource, build_pictures
from pipeline.report.records import MethodSettings
from pipeline.report.rung_harmful import harmed_group
from pipeline.report.summary import ReportInputs, build_summary
from pipeline.report.test_images import MethodOutcomes
from pipeline.stages.origins import trace_report
from pipeline.stages.params_file import read_params
from pipeline.stages.running import exclusive
from pipeline.stages.tables import group_table, mean_curves

_log = logging.getLogger(__name__)
A = TypeVar("A", bound=Artifact)


def run(dataset: str) -> None:
    params = read_params()
    settings = params.dataset(dataset)
    methods: list[str] = list(params.active_methods)
    explained: list[str] = [m for m in params.active_methods if m in params.explained_methods]
    data = dataset_dir(dataset)
    page = reports_dir() / f"{dataset}.html"
    plots = plots_dir(dataset)
    outputs = [
        page,
        page.with_suffix(".json"),
        card_path(dataset),
        plots / "curves.csv",
        plots / "groups.csv",
    ]
    with exclusive("report", dataset, outputs=outputs):
        info = load_info(data)
        test = load_split(data, "test")
        predicted = {
            m: load_predictions(evaluation_dir(dataset, m) / "predictions.parquet", test)[1] for m in methods
        }
        maps = _load_maps(dataset, explained)
        evaluations = {
            m: load_artifact(evaluation_dir(dataset, m) / "evaluation.json", EvaluationResult)
            for m in methods
        }
        histories = {m: load_artifact(model_dir(dataset, m) / "history.json", TrainHistory) for m in methods}
        params_hash = settings_hash(settings, *methods, "explained", *explained)
        seeds = sorted({seed for evaluation in evaluations.values() for seed in evaluation.seeds})
        summary = build_summary(
            ReportInputs(
                info=info,
                color=load_artifact(color_dir(dataset) / "color.json", ColorResult),
                histories=histories,
                evaluations=evaluations,
                attributions={
                    m: load_artifact(attribution_dir(dataset, m) / "attribution.json", AttributionResult)
                    for m in explained
                },
                gradcams={
                    m: load_artifact(gradcam_dir(dataset, m) / "gradcam.json", GradcamResult)
                    for m in explained
                },
                cam_agreement=_compare_cams(maps),
                outcomes=_outcomes(test, predicted, maps),
                hygiene=load_artifact(color_dir(dataset) / "hygiene.json", HygieneResult),
                comparisons=_compare(test, predicted, info, evaluations, settings),
                settings=settings.report,
                color_settings=settings.color,
                evaluate_settings=settings.evaluate,
                method_settings={m: settings_of(settings, m) for m in params.active_methods},
                params_hash=params_hash,
                command=f"dvc repro report@{dataset}",
                provenance=trace_report(
                    make_provenance(params_hash, seeds, dated=True),
                    dataset=dataset,
                    methods=methods,
                    params=_used_params(settings, methods, explained),
                ),
            )
        )
        pictures = build_pictures(summary, _picture_source(dataset, maps, settings.report.thumbnail))
        html = render_report(summary, pictures)
        save_artifact(page.with_suffix(".json"), summary)
        save_artifact(card_path(dataset), make_card(summary))
        write_text(page, html)
        trained = [history for history in histories.values() if not history.last_layers]  # dfr's are ERM's
        write_text(plots / "curves.csv", mean_curves(trained).to_csv(index=False))
        write_text(plots / "groups.csv", group_table(evaluations.values()).to_csv(index=False))
    _log.info("wrote %s (%.1f MB)", page, len(html.encode()) / 1e6)


def _used_params(settings: DatasetSettings, methods: list[str], explained: list[str]) -> dict[str, Any]:
    """The dataset's settings with its defaults filled in, without the methods that did not run."""
    used = settings.model_dump(mode="json")
    used["methods"] = {name: kept for name, kept in used["methods"].items() if name in methods}
    return {"active_methods": methods, "explained_methods": explained, **used}


def settings_of(settings: DatasetSettings, method: MethodName) -> MethodSettings:
    own = getattr(settings.methods, method).model_dump(mode="json", exclude={"train"})
    return MethodSettings(train=settings.train_for(method).model_dump(mode="json"), method=own)


def _compare(
    test: Split,
    predicted: Mapping[str, Int64Array],
    info: DatasetInfo,
    evaluations: Mapping[str, EvaluationResult],
    settings: DatasetSettings,
) -> list[MethodComparison]:
    """Every method against the first one, on the same test images, in the group that pays."""
    correct = {method: found == test.labels for method, found in predicted.items()}
    baseline, *others = evaluations
    names = [g.name for g in info.groups]
    limits = Thresholds.from_settings(settings.evaluate, settings.report, settings.color)
    group = harmed_group(info, evaluations[baseline], limits) or evaluations[baseline].test.worst_group
    return compare_all(
        correct[baseline],
        {method: correct[method] for method in others},
        test.groups,
        names,
        baseline_name=baseline,
        worst_group_index=names.index(group.name),
        seed=0,
        sufficient=[g.sufficient for g in evaluations[baseline].test.groups],
    )


def _load_maps(dataset: str, methods: list[str]) -> dict[str, SavedMaps]:
    """Every explained method's GradCAM maps, of the same test images."""
    maps: dict[str, SavedMaps] = {}
    for method in methods:
        path = gradcam_dir(dataset, method) / "maps.npz"
        maps[method] = load_maps(path, like=next(iter(maps.values()), None))
    return maps


def _outcomes(
    test: Split, predicted: Mapping[str, Int64Array], maps: Mapping[str, SavedMaps]
) -> dict[str, MethodOutcomes]:
    """What every method predicts on the test split, and what its first model's maps are of."""
    mapped = {
        method: dict(zip(found.ids_N.tolist(), found.predicted_SN[0].tolist(), strict=True))
        for method, found in maps.items()
    }
    return {m: MethodOutcomes(test.ids, found, mapped.get(m, {})) for m, found in predicted.items()}


def _compare_cams(maps: Mapping[str, SavedMaps]) -> list[MapAgreement]:
    """Maps of every method beside the first one's, on the same test images."""
    if not maps:
        return []
    baseline, *others = maps
    before = maps[baseline]
    found = []
    for method in others:
        after = maps[method]
        agreement = compare_maps(
            before.maps_SNhw,
            after.maps_SNhw,
            baseline=baseline,
            method=method,
            predicted=(before.predicted_SN, after.predicted_SN),
        )
        if agreement is not None:
            found.append(agreement)
    return found


def _picture_source(dataset: str, maps: Mapping[str, SavedMaps], thumbnail: int) -> PictureSource:
    data = dataset_dir(dataset)
    images = map_array(data / "images.npy")
    rows = {method: {int(i): row for row, i in enumerate(found.ids_N)} for method, found in maps.items()}

    def heat(method: str, image_id: int) -> UInt8Array:
        map_hw = maps[method].maps_SNhw[0, rows[method][image_id]]
        return draw_overlay(np.asarray(images[image_id]), map_hw, None, LOOK_CLOSER * thumbnail)

    samples = load_samples(data)
    train = samples[samples["split"] == "train"]
    wrong = set(samples.loc[samples["label_flipped"], "id"]) if "label_flipped" in samples else set()
    return PictureSource(
        pixels=lambda image_id: np.asarray(images[image_id]),
        overlay=lambda method, name: _read_image(gradcam_dir(dataset, method) / "overlays" / name),
        heat=heat,
        train_ids={
            g: train.loc[train["group"] == g, "id"].tolist() for g in train["group"].unique().tolist()
        },
        file_name=lambda image_id: str(samples["file"].iloc[image_id]),
        known_wrong=wrong,
    )


def _read_image(path: Path) -> UInt8Array:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.uint8)
