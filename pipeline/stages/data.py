"""Stage `data`: obtain a dataset and pack it."""

from __future__ import annotations

import logging

from pipeline.artifacts.overlap import check_files
from pipeline.artifacts.paths import dataset_dir, downloads_dir
from pipeline.artifacts.plans import read_plan
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.running import exclusive
from pipeline.artifacts.source_stamps import save_stamp
from pipeline.data.fingerprint import stamp_files
from pipeline.data.pack import pack_dataset
from pipeline.data.sources.registry import load_raw
from pipeline.settings.plans.data import DataPlan

_log = logging.getLogger(__name__)


def run(dataset: str) -> None:
    plan = read_plan(DataPlan, "data", dataset)
    with exclusive("data", dataset):
        raw = load_raw(plan.source, downloads_dir() / dataset)
        check_files(raw.files(), dataset, plan.datasets)
        stamp = None if raw.decided_by is None else stamp_files(raw)  # before they are read: edits show
        provenance = make_provenance(settings_hash(plan.source, plan.data), [plan.data.split_seed])
        info = pack_dataset(raw, plan.data, name=dataset, folder=dataset_dir(dataset), provenance=provenance)
        if stamp is not None:
            save_stamp(dataset, stamp=stamp, fingerprint=info.source_fingerprint)
    counts = ", ".join(f"{n:,} {split}" for split, n in info.n.items())
    _log.info("%s: %s images", dataset, counts)
    for note in info.notes:
        _log.log(logging.WARNING if note.startswith("LEAK") else logging.INFO, "%s: %s", dataset, note)
