"""Results are of one packing of the data: what they were made from is compared with what is packed now.

Every record's `provenance.data`, and every table of predictions, carries the digest of `dataset.json`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pipeline.artifacts.files import load_artifact
from pipeline.artifacts.outputs import remake_command
from pipeline.artifacts.provenance import file_digest, settings_hash
from pipeline.core.errors import ArtifactError
from pipeline.records.base import Artifact
from pipeline.records.data import DatasetInfo

A = TypeVar("A", bound=Artifact)
PACKING = "packing"  # key of the digest in a table's own notes
_NOT_DECISIVE = {
    "provenance",
    "digest",
    "title",
    "notes",
    "skipped",
    "source_info",
    "source_fingerprint",
}


class StaleError(ArtifactError):
    """A result was made from other data than are packed now."""


def digest_packing(folder: Path, info: DatasetInfo) -> str:
    """12 hex digits of pixels, masks, table and what their numbers mean: classes, attributes, groups."""
    files = [file_digest(folder / name) for name in ("images.npy", "masks.npy", "samples.parquet")]
    return settings_hash(*files, info.model_dump_json(exclude=_NOT_DECISIVE))


def load_current(path: Path, kind: type[A], packing: str) -> A:
    """Read a record that was made from the data with the digest `packing`.

    Raises:
        StaleError: it was made from others.
        ArtifactError: as for `load_artifact`.
    """
    found = load_artifact(path, kind)
    check_packing(path, found.provenance.data, packing)
    return found


def check_packing(path: Path, made_from: str, packing: str) -> None:
    """Raises: StaleError (`path` was made from other data than those with the digest `packing`)."""
    if made_from != packing:
        raise StaleError(
            f"{path} was made from other data than are packed now (digest {made_from or 'unknown'}, now "
            f"{packing or 'unknown'}): numbers of both would be mixed. Make it again: {remake_command(path)}"
        )
