"""Stage `cues`: what alone gives the class away, named or not?"""

from __future__ import annotations

import logging

from pipeline.artifacts.cue_classes import save_cue_classes
from pipeline.artifacts.datasets import load_packed, load_packed_split
from pipeline.artifacts.facts import read_facts
from pipeline.artifacts.files import save_artifact, write_text
from pipeline.artifacts.hygiene_tables import fold_copies
from pipeline.artifacts.paths import color_dir, dataset_dir
from pipeline.artifacts.plans import read_plan
from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.artifacts.running import exclusive
from pipeline.artifacts.tables import metrics_json
from pipeline.core.types import SPLIT_NAMES
from pipeline.cues.look import look
from pipeline.data_audit.cues.audit import audit_cues
from pipeline.data_audit.cues.classes import name_classes
from pipeline.data_audit.cues.sources import probe_sources
from pipeline.settings.cues import CuesSettings

_log = logging.getLogger(__name__)


def run(dataset: str) -> None:
    settings = read_plan(CuesSettings, "cues", dataset)
    folder, out = dataset_dir(dataset), color_dir(dataset)
    with exclusive("cues", dataset):
        info = load_packed(folder)
        packed = {name: load_packed_split(folder, name) for name in SPLIT_NAMES}
        train, test = fold_copies(dataset, packed["train"], packed["test"])
        facts = read_facts(dataset)
        splits = {
            name: look(split, facts, info)
            for name, split in (packed | {"train": train, "test": test}).items()
        }
        result = audit_cues(
            splits["train"],
            splits["test"],
            info.classes,
            settings,
            make_provenance(settings_hash(settings), [settings.seed], data=info.packing),
        )
        save_cue_classes(
            out / "cue_classes.parquet", packed, name_classes(result, splits, settings), info.packing
        )
        sources = probe_sources(splits["train"], settings, packed["train"].sources)
        result = result.model_copy(update={"sources": sources})
        save_artifact(out / "cues.json", result)
        found = [cue for cue in result.cues if cue.found]
        kappas = {f"{cue.name}_kappa": cue.kappa.value for cue in result.cues}
        write_text(out / "cues_metrics.json", metrics_json({"found": len(found), **kappas}))
    _log.info(
        "%s: %d of %d cues tell the class%s, %.0f s",
        dataset,
        len(found),
        len(result.cues),
        f", {found[0].title} first" if found else "",
        result.seconds,
    )
