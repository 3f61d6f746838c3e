"""`check`: validate params.yaml, say what cannot run here and where a source changed since it was packed."""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts.datasets import load_packed
from pipeline.artifacts.paths import dataset_dir, downloads_dir
from pipeline.artifacts.source_stamps import is_stamped, save_stamp
from pipeline.cli.runnable import find_doubts, find_obstacles, missing_sources
from pipeline.core.errors import ArtifactError, InputError
from pipeline.data.fingerprint import fingerprint_files, stamp_files
from pipeline.data.sources.registry import load_raw
from pipeline.plan.guard import check_all_outputs
from pipeline.plan.params_file import read_params
from pipeline.plan.schema import SCHEMA_PATH, is_stale, write_schema
from pipeline.settings.sources import OWN_FILES, Source


def run(*, writes_schema: bool = False) -> None:
    if writes_schema:
        write_schema()
    params = read_params()
    params.check()
    check_all_outputs(params)
    obstacles = [obstacle for name in params.active for obstacle in find_obstacles(name, params)]
    if obstacles:
        raise InputError("params.yaml is valid, but cannot run here:\n  " + "\n  ".join(obstacles))
    print(f"params.yaml is valid: {len(params.datasets)} datasets, active: {', '.join(params.active)}")
    if is_stale():
        print(
            f"warning: {SCHEMA_PATH}, by which editors check params.yaml, was made of other code: "
            "shortcut-audit check --write-schema"
        )
    for name in params.active:
        source = params.dataset(name).source
        if isinstance(source, OWN_FILES):
            print(f"{name}: {_compare(name, source)}")
        for doubt in find_doubts(name, params):
            print(f"warning: {doubt}")
    for name in params.datasets:
        if name not in params.active:
            for missing in missing_sources(name, params):
                print(f"{name} is not active: {missing}")


def _compare(name: str, source: Source) -> str:
    """Untouched files are not read again; those that were, wholly: an edit may keep a file's size."""
    try:
        packed = load_packed(dataset_dir(name)).source_fingerprint
    except ArtifactError:
        return "not packed yet"
    path = getattr(source, "path", None) or name
    where = f"of {path}" if Path(path).expanduser().is_file() else f"below {path}"
    changed = f"files {where} changed since they were packed"
    again = f"raise datasets.{name}.source.version by one, then dvc repro"
    try:
        raw = load_raw(source, downloads_dir() / name)
        stamp = stamp_files(raw)
        if not is_stamped(name, stamp=stamp, fingerprint=packed):
            if packed != fingerprint_files(raw):
                return f"{changed}: {again}"
            save_stamp(name, stamp=stamp, fingerprint=packed)
    except (InputError, OSError) as error:
        return f"{changed} ({error}). Mend them, or {again}"
    return "its files are as they were packed"
