"""The folder that features live in until the scores are saved: room for it, no stale ones beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline.artifacts.files import friendly_os_errors, require_space


def prepare(folder: Path, *, final_bytes: int) -> None:
    """Make `folder` and drop those of other weights or settings beside it.

    Raises:
        InputError: the folder cannot be written, or the disk lacks room for `final_bytes`.
    """
    with friendly_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for other in folder.parent.glob("trak_*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    held = sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
    remedy = "Free some space, or lower attribute.proj_dim, max_train or max_models."
    require_space(folder, final_bytes - held, "attribution", remedy)
