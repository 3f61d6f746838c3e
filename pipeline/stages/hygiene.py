"""Stage `hygiene`: are the images themselves in order?"""

from __future__ import annotations

import logging

from pipeline.artifacts.datasets import load_packed, load_packed_split, map_array, map_masks
from pipeline.artifacts.files import save_artifact, write_text
from pipeline.artifacts.hygiene_tables import save_copies, save_odd_images, save_properties
from pipeline.artifacts.paths import color_dir, dataset_dir
from pipeline.artifacts.plans import read_plan
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.running import exclusive
from pipeline.artifacts.tables import metrics_json
from pipeline.core.types import SPLIT_NAMES
from pipeline.data_audit.hygiene.audit import analyze_hygiene
from pipeline.records.data import PackedInfo
from pipeline.records.hygiene import HygieneResult
from pipeline.settings.hygiene import HygieneSettings

_log = logging.getLogger(__name__)


def run(dataset: str) -> None:
    settings = read_plan(HygieneSettings, "hygiene", dataset)
    folder, out = dataset_dir(dataset), color_dir(dataset)
    with exclusive("hygiene", dataset):
        info = load_packed(folder)
        result, copy_set_N, is_odd, properties = analyze_hygiene(
            map_array(folder / "images.npy"),
            [load_packed_split(folder, name) for name in SPLIT_NAMES],
            settings,
            make_provenance(settings_hash(settings), [settings.seed], data=info.packing),
            map_masks(folder),
        )
        save_copies(out / "copies.parquet", copy_set_N, info.packing)
        save_odd_images(out / "odd_images.parquet", is_odd, info.packing)
        save_properties(out / "properties.parquet", properties, info.packing)
        save_artifact(out / "hygiene.json", result)
        write_text(out / "hygiene_metrics.json", metrics_json(_metrics(result, info)))
    if info.sources is not None and info.sources.n_leaking_test:
        _log.warning(
            "%s: %d of %d test images share their %r with training or validation",
            dataset, info.sources.n_leaking_test, info.n["test"], info.sources.name,
        )  # fmt: skip
    _log.info(
        "%s: %s; %s",
        dataset,
        ", ".join(f"{d.n_sets} sets of {d.kind} duplicates ({d.n_leaking} leak)" for d in result.duplicates),
        ", ".join(f"{issue.n} {issue.name.replace('_', '-')}" for issue in result.issues),
    )


def _metrics(result: HygieneResult, info: PackedInfo) -> dict[str, float | int | None]:
    found: dict[str, float | int | None] = {}
    if info.sources is not None and info.n["test"]:
        found["sources_leaking"] = info.sources.n_leaking_test / info.n["test"]
    for duplicates in result.duplicates:
        found[f"{duplicates.kind}_sets"] = duplicates.n_sets
        found[f"{duplicates.kind}_leaking"] = duplicates.leaking.value
        found[f"{duplicates.kind}_conflicting"] = duplicates.n_conflicting
    return found | {issue.name: issue.share.value for issue in result.issues}
