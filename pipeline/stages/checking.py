"""`check`: validate params.yaml, and say where a source changed since it was packed."""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts.datasets import load_info
from pipeline.artifacts.paths import dataset_dir
from pipeline.core.errors import ArtifactError
from pipeline.core.settings import FolderSource, TableSource
from pipeline.data.listing import fingerprint_folder
from pipeline.stages.guard import check_all_outputs
from pipeline.stages.params_file import read_params


def run() -> None:
    params = read_params()
    params.check()
    check_all_outputs(params)
    print(f"params.yaml is valid: {len(params.datasets)} datasets, active: {', '.join(params.active)}")
    for name in params.active:
        source = params.dataset(name).source
        if isinstance(source, FolderSource | TableSource):
            print(f"{name}: {_compare(name, Path(source.path))}")


def _compare(name: str, path: Path) -> str:
    try:
        packed = load_info(dataset_dir(name)).source_fingerprint
    except ArtifactError:
        return "not packed yet"
    if packed == fingerprint_folder(path):
        return "its files are as they were packed"
    return f"files below {path} changed since they were packed: raise datasets.{name}.source.version by one"
