"""Results are of one packing of the data, and from `train` on of one grouping of it, too.

What they were made from is compared with what is there now. Every record's `provenance.data`, and every
table of predictions, carries a digest: color's, hygiene's and groups' that of `dataset.json`, the later
ones that of `groups.json`, into which the other went.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pipeline.artifacts.files import load_artifact
from pipeline.artifacts.outputs import remake_command
from pipeline.artifacts.provenance import file_digest, settings_hash
from pipeline.core.errors import ArtifactError
from pipeline.records.base import Artifact
from pipeline.records.data import GroupsInfo, PackedInfo

A = TypeVar("A", bound=Artifact)
_NOT_DECISIVE = {
    "provenance",
    "packing",
    "digest",
    "title",
    "notes",
    "skipped",
    "source_info",
    "source_fingerprint",
    "asked",
}


class StaleError(ArtifactError):
    """A result was made from other data, or other groups, than there are now."""


def digest_packing(folder: Path, info: PackedInfo) -> str:
    """12 hex digits of pixels, masks, table and what their numbers mean: classes, attributes."""
    files = [file_digest(folder / name) for name in ("images.npy", "masks.npy", "samples.parquet")]
    return settings_hash(*files, info.model_dump_json(exclude=_NOT_DECISIVE))


def digest_groups(folder: Path, info: GroupsInfo, packing: str) -> str:
    """12 hex digits of the packed data, each image's group and what the groups are."""
    return settings_hash(
        packing, file_digest(folder / "groups.parquet"), info.model_dump_json(exclude=_NOT_DECISIVE)
    )


def load_current(path: Path, kind: type[A], packing: str) -> A:
    """Read a record that was made from the data, or the groups, with the digest `packing`.

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
            f"{path} was made from other data or groups than there are now (digest "
            f"{made_from or 'unknown'}, now {packing or 'unknown'}): numbers of both would be mixed. "
            f"Make it again: {remake_command(path)}"
        )
