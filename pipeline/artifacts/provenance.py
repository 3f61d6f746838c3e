"""What made an artifact: settings hash, seeds, library versions, time."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipeline.core.errors import ArtifactError
from pipeline.records.base import Provenance
from pipeline.settings.base import deciding

PACKING = "packing"  # key of the data's digest in a table's own notes
LIBRARIES = ("torch", "torchvision", "grad-cam", "numpy", "pandas", "pillow", "dvc")


def settings_hash(*settings: BaseModel | str | Mapping[str, Any]) -> str:
    """12 hex digits that change when any of the settings does, but for those that decide nothing."""
    text = json.dumps([deciding(s) if isinstance(s, BaseModel) else s for s in settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def make_provenance(
    params_hash: str, seeds: Sequence[int] = (), *, data: str = "", dated: bool = False
) -> Provenance:
    """Settings hash, seeds, the digest of the packed `data`, and library versions.

    Only reports are dated: a date inside an intermediate artifact would make every rerun look like a
    change to DVC and start everything downstream again.
    """
    versions = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds") if dated else ""
    return Provenance(params_hash=params_hash, versions=versions, seeds=list(seeds), created=now, data=data)


def file_digest(path: Path) -> str:
    """sha256 of a file, streamed.

    Raises:
        ArtifactError: there is no such file.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist. Run `dvc repro` to make it again.") from None
