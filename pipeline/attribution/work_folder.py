"""The folder a third-party store lives in: room for it, no stale ones beside it, no torn files in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from pipeline.artifacts.files import friendly_os_errors, require_space


def prepare(folder: Path, *, final_bytes: int) -> None:
    """Make `folder`, drop stores of other weights or settings beside it, and mend torn files.

    Raises:
        InputError: the folder cannot be written, or the disk lacks room for `final_bytes`.
    """
    with friendly_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for other in folder.parent.glob("trak_*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        _repair(folder)
    _check_disk(folder, final_bytes)


def _check_disk(folder: Path, final_bytes: int) -> None:
    """Writing to a memory map on a full disk kills the process without a message."""
    held = sum(file.stat().st_blocks * 512 for file in folder.rglob("*.mmap"))
    remedy = "Free some space, or lower attribute.proj_dim, max_train or max_models."
    require_space(folder, final_bytes - held, "attribution", remedy)


def _repair(folder: Path) -> None:
    """Mend JSON files that a kill left half written; the flags in the arrays tell what is done."""
    for file in folder.glob("*.json"):
        try:
            json.loads(file.read_text())
        except ValueError:
            if file.stem.startswith("id_"):
                state = {file.stem.removeprefix("id_"): {"is_featurized": 0, "is_finalized": 0}}
                file.write_text(json.dumps(state))
            else:
                file.unlink()  # traker writes it again
