"""What `check` compares first: when and how large a dataset's source files were as they were packed.

Kept in `.scratch/`, not with the packed data: times differ in each copy, and DVC would run everything again.
"""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.artifacts.files import write_text
from pipeline.artifacts.paths import scratch_dir


def save_stamp(dataset: str, *, stamp: str, fingerprint: str) -> None:
    """Note that the files with `stamp` hold what `fingerprint` says."""
    write_text(_path(dataset), json.dumps({"stamp": stamp, "fingerprint": fingerprint}) + "\n")


def is_stamped(dataset: str, *, stamp: str, fingerprint: str) -> bool:
    """Whether it was noted; False where nothing readable was."""
    try:
        found: object = json.loads(_path(dataset).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return found == {"stamp": stamp, "fingerprint": fingerprint}


def _path(dataset: str) -> Path:
    return scratch_dir("sources", f"{dataset}.json")
