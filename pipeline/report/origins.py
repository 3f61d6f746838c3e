"""What `dvc.lock`, git and the system say about a report's origin. Nothing here may stop a report."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.records.base import Provenance
from pipeline.records.report import FileHash, Machine, ReportProvenance, Revision, StageRun
from pipeline.report.provenance import SHORT, describe_revision, describe_stages, reproduce_commands

LOCK_PATH = Path("dvc.lock")
# what decides the numbers; reports, notes and dvc.lock itself may differ from the commit
DECIDING = ("params.yaml", "dvc.yaml")
CODE = ("pipeline", "pyproject.toml", "constraints.txt")  # likewise, in a checkout of this project
PACKAGE = Path(__file__).resolve().parents[1]
# in the order of dvc.yaml; the report's own entry is the one of its last run and is left out
STAGES = (
    "data", "color", "hygiene", "cues", "groups", "train", "evaluate", "retrain", "attribute", "gradcam",
    "indicators", "verdict",
)  # fmt: skip
_HASH_BELOW = 64_000_000  # bytes; larger outputs are compared by size and number of files
_SECONDS = 10.0  # that git may take


def trace_report(
    made: Provenance,
    *,
    dataset: str,
    methods: Sequence[str],
    params: Mapping[str, Any],
    lock: Path = LOCK_PATH,
) -> ReportProvenance:
    """Everything a reader needs to tell what made the report and to make it again."""
    stages, stages_note = _read_stages(lock, dataset, methods)
    revision, revision_note = _read_revision()
    return ReportProvenance(
        **made.model_dump(),
        command=f"dvc repro report@{dataset}",
        params=dict(params),
        stages=stages,
        stages_note=stages_note,
        revision=revision,
        revision_note=revision_note,
        machine=_describe_machine(),
        reproduce=reproduce_commands(dataset, revision),
    )


# --- dvc.lock --------------------------------------------------------------------------------


def _read_stages(lock: Path, dataset: str, methods: Sequence[str]) -> tuple[list[StageRun], str]:
    try:
        found = YAML(typ="safe", pure=True).load(lock.read_text(encoding="utf-8"))
        listed = found["stages"]
        wanted = {name: listed[name] for name in _stage_names(dataset, methods) if name in listed}
        disk = _Disk()
        stages = [_stage_run(name, entry, disk) for name, entry in wanted.items()]
    except FileNotFoundError:
        return [], f"There is no {lock}: the stages were run without DVC, and nothing recorded their files."
    except (OSError, YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        return [], f"{lock} cannot be read, so that nothing says which files the stages made."
    return stages, describe_stages(stages)


def _stage_names(dataset: str, methods: Sequence[str]) -> Iterator[str]:
    yield "plan"
    for stage in STAGES:
        yield f"{stage}@{dataset}"
        yield from (f"{stage}@{dataset}-{method}" for method in methods)


def _stage_run(name: str, entry: Mapping[str, Any], disk: _Disk) -> StageRun:
    deps, outs, plans = entry.get("deps") or [], entry.get("outs") or [], entry.get("params") or {}
    return StageRun(
        stage=name,
        command=str(entry["cmd"]),
        code=next((str(plan["code"]) for plan in plans.values() if "code" in plan), None),
        outs=[_short(out) for out in outs],
        changed=[
            *(path for path, plan in plans.items() if _read_plan(Path(path)) != plan),
            *(str(file["path"]) for file in (*deps, *outs) if not disk.is_as_recorded(file)),
        ],
    )


def _read_plan(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _short(entry: Mapping[str, Any]) -> FileHash:
    digest, dot, kind = str(entry.get("md5", "")).partition(".")
    return FileHash(path=str(entry["path"]), md5=digest[:SHORT] + dot + kind)


class _Disk:
    """The files as they are now, each hashed once: many stages depend on the same ones."""

    def __init__(self) -> None:
        self._files: dict[str, list[tuple[str, int]]] = {}
        self._digests: dict[str, str] = {}

    def is_as_recorded(self, entry: Mapping[str, Any]) -> bool:
        path = str(entry["path"])
        if path not in self._files:
            self._files[path] = _list_files(Path(path))
        files = self._files[path]
        size = sum(n_bytes for _, n_bytes in files)
        if size != entry.get("size") or len(files) != entry.get("nfiles", 1):
            return False
        if size > _HASH_BELOW:
            return True
        if path not in self._digests:
            self._digests[path] = _digest(Path(path), files)
        return self._digests[path] == entry.get("md5")


def _list_files(root: Path) -> list[tuple[str, int]]:
    """Files at or below `root` that DVC tracks, with their sizes."""
    found = [root] if root.is_file() else [path for path in root.rglob("*") if path.is_file()]
    return [(file.as_posix(), file.stat().st_size) for file in found]


def _digest(path: Path, files: Sequence[tuple[str, int]]) -> str:
    """md5 as DVC computes it: a folder's is that of the JSON list of its files."""
    if path.is_file():
        return _md5(path)
    listed = [
        {"md5": _md5(Path(file)), "relpath": Path(file).relative_to(path).as_posix()} for file, _ in files
    ]
    listed.sort(key=lambda file: file["relpath"])
    text = json.dumps(listed, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


# --- git and the machine ---------------------------------------------------------------------


def _read_revision() -> tuple[Revision | None, str]:
    commit = _git("rev-parse", "--verify", "--quiet", "HEAD")
    if commit is None:
        return None, "git names no commit for this folder: the revision is not known."
    if _git("ls-files", "--error-unmatch", "dvc.yaml") is None:  # an outer project's repository
        return None, "git does not track this project's files: their revision is not known."
    is_checkout = Path("pipeline").resolve() == PACKAGE
    deciding = (*DECIDING, *CODE) if is_checkout else DECIDING
    status = _git("status", "--porcelain", "-z", "--no-renames", "--", *deciding)
    if status is None:
        return None, "git did not answer: the revision is not known."
    revision = Revision(commit=commit.strip(), changed=[line[3:] for line in status.split("\0") if line])
    return revision, describe_revision(revision, None if is_checkout else _installed_version())


def _installed_version() -> str:
    try:
        return importlib.metadata.version("shortcut-audit")
    except importlib.metadata.PackageNotFoundError:
        return "of a version that is not recorded"


def _git(*arguments: str) -> str | None:
    """What git prints, or None where it fails. It takes no lock: a commit may be under way."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *arguments],
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", errors="replace")


def _describe_machine() -> Machine:
    affinity = getattr(os, "sched_getaffinity", None)
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        processor=_processor(),
        cpu_threads=len(affinity(0)) if affinity else os.cpu_count() or 1,
    )


def _processor() -> str:
    try:
        named = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        named = None
    return named[1].strip() if named else platform.machine()
