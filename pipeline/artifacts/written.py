"""What a stage wrote when it last ran: how its own files are told from a user's under the same names.

Kept in `.scratch/`, a ledger for each stage: size, time and md5 of every output. DVC writes files anew, with
other times, so the md5 decides where the time does not; dvc.lock and DVC's cache have md5s as well, also of
what another machine wrote.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.artifacts.files import write_text
from pipeline.artifacts.paths import scratch_dir
from pipeline.artifacts.provenance import PACKING

_RECORD_KEYS = {"schema_version", "provenance"}


@contextmanager
def noted(stage: str, names: Sequence[str], outputs: Sequence[Path]) -> Iterator[None]:
    """Note what lies at `outputs` when the block ends, however it ends; a kill leaves 'unfinished' there."""
    path, before = _ledger_path(stage, names), _read(stage, names)["files"]
    _write(path, before, is_finished=False)
    try:
        yield
    finally:
        _write(
            path, {str(p): _entry(p, before.get(str(p))) for p in outputs if p.is_file()}, is_finished=True
        )


def find_not_written(
    stage: str, names: Sequence[str], outputs: Sequence[Path], record: Path | None
) -> Path | None:
    """The first of `outputs` that is there and that nothing says to be the pipeline's own.

    Args:
        record: the output that is a record. Beside it and below, what no ledger and no dvc.lock names is its
            own too: results of another machine, or a deleted `.scratch/`. A user's files can lie above.
    """
    there = [path for path in outputs if path.is_file()]
    if not there:  # the usual case: DVC has removed them
        return None
    ledger = _read(stage, names)
    lock = _text(Path("dvc.lock"))
    has_record = record is not None and is_record(record)
    for path in there:
        entry = ledger["files"].get(str(path))
        if entry is not None and entry["stamp"] == _stamp(path):
            continue
        if path.suffix == ".json" and is_record(path):
            continue
        if path != record and not ledger["is_finished"]:
            continue  # a killed run had looked before it began
        is_named = entry is not None or f"path: {path.as_posix()}\n" in lock
        if has_record and not is_named and _goes_with(path, record):
            continue
        if not _is_known(_md5(path), entry, lock):
            return path
    return None


def _goes_with(path: Path, record: Path | None) -> bool:
    """Whether the file lies where a user keeps none, or says itself what data it is of."""
    return record is not None and (path.is_relative_to(record.parent) or _is_table(path))


def _is_table(path: Path) -> bool:
    """Whether the file is a table with the digest of its data in its notes, as stages write them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        notes: object = json.loads((pq.read_schema(path).metadata or {}).get(b"PANDAS_ATTRS", b"{}"))
    except (OSError, ValueError, pa.ArrowException):
        return False
    return isinstance(notes, dict) and PACKING in notes


def is_record(path: Path) -> bool:
    """Whether the file is a JSON record as stages write them."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and set(found) >= _RECORD_KEYS


def _is_known(md5: str, entry: Mapping[str, Any] | None, lock: str) -> bool:
    above = (Path.cwd(), *Path.cwd().parents)  # a project may be a part of a DVC repository
    caches = (folder / ".dvc/cache/files/md5" for folder in above if (folder / ".dvc").is_dir())
    is_cached = any((cache / md5[:2] / md5[2:]).exists() for cache in caches)  # also of other commits
    return (entry is not None and entry["md5"] == md5) or f"md5: {md5}\n" in lock or is_cached


def _ledger_path(stage: str, names: Sequence[str]) -> Path:
    return scratch_dir("written", "-".join([stage, *names]) + ".json")


def _read(stage: str, names: Sequence[str]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(_text(_ledger_path(stage, names)))
    except ValueError:
        return {"is_finished": True, "files": {}}
    return found


def _write(path: Path, files: Mapping[str, Any], *, is_finished: bool) -> None:
    write_text(path, json.dumps({"is_finished": is_finished, "files": files}) + "\n")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _entry(path: Path, before: dict[str, Any] | None) -> dict[str, Any]:
    stamp = _stamp(path)
    is_same = before is not None and before["stamp"] == stamp
    return before if before is not None and is_same else {"stamp": stamp, "md5": _md5(path)}


def _stamp(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
