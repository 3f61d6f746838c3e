"""What the audit names in a folder: the one place that knows the detector.

Everything before it is what any user's folder goes through: the table source lists the files, stage `data`'s
own function packs them, and the packed splits are loaded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from benchmarks.cue_discovery.planted import TABLE
from pipeline.artifacts.datasets import load_packed_split
from pipeline.artifacts.facts import load_facts
from pipeline.core.types import PackedSplit
from pipeline.cues.look import look
from pipeline.data.pack import pack_dataset
from pipeline.data.sources.table import TableLoader
from pipeline.data_audit.cues.audit import audit_cues
from pipeline.plan.params_file import read_params
from pipeline.records.base import Provenance
from pipeline.records.data import PackedInfo
from pipeline.settings.cues import CuesSettings
from pipeline.settings.data import DataSettings
from pipeline.settings.parsing import parse
from pipeline.settings.sources import TableColumns, TableSource

PACKED_SIDE = 64


class Finding(NamedTuple):
    """One cue as the detector judges it."""

    name: str  # for people
    family: str  # what `expected.ACCEPTED` lists
    found: bool
    kappa: float


# of the training split, the test split, what is known of the files, and what is known of the data set
Detector = Callable[[PackedSplit, PackedSplit, pd.DataFrame, PackedInfo], list[Finding]]


def detect(train: PackedSplit, test: PackedSplit, facts: pd.DataFrame, info: PackedInfo) -> list[Finding]:
    """THE SEAM: all that this benchmark knows of the detector. Findings come in the detector's own order."""
    result = audit_cues(
        look(train, facts, info), look(test, facts, info), info.classes, default_settings(), Provenance()
    )
    return [Finding(cue.title, cue.name, cue.found, cue.kappa.value) for cue in result.cues]


def default_settings() -> CuesSettings:
    """What `params.yaml` says of all datasets."""
    return parse(CuesSettings, read_params().defaults["cues"], "defaults.cues")


def examine(folder: Path, detector: Detector = detect) -> list[Finding]:
    """Pack what `table.csv` in `folder` lists, at 64 pixels, and ask the detector."""
    return detector(*pack_folder(folder))


def pack_folder(folder: Path) -> tuple[PackedSplit, PackedSplit, pd.DataFrame, PackedInfo]:
    """What `table.csv` in `folder` lists, at 64 pixels: train, test, facts, and what is known of it."""
    raw = TableLoader(table_source(folder)).load()
    settings = parse(DataSettings, read_params().defaults["data"], "defaults.data")
    settings = settings.model_copy(update={"image_size": PACKED_SIDE})
    with tempfile.TemporaryDirectory() as temporary:
        packed = Path(temporary) / "packed"
        info = pack_dataset(raw, settings, name="planted", folder=packed, provenance=Provenance())
        # memory maps outlive their files' names
        return load_packed_split(packed, "train"), load_packed_split(packed, "test"), load_facts(packed), info


def table_source(folder: Path) -> TableSource:
    """`source` as `new-dataset` would write it for the folder."""
    columns = TableColumns(file="file", label="label", split="split")
    return TableSource(kind="table", path=str(folder), table=TABLE, columns=columns)
