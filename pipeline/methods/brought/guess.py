"""The entry of `models` for what lies at a path: a table, a folder that a library saved, or a function."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError
from pipeline.data.files.read_table import TABLE_SUFFIXES
from pipeline.models.brought.sources import CONFIG, read_config


def guess_model(
    path: str, weights: Sequence[str] | None = None, classes: Sequence[str] | None = None
) -> dict[str, Any]:
    """The entry of what lies at `path`.

    Raises:
        InputError: it is nothing that can be audited.
    """
    more = {"weights": list(weights)} if weights else {}
    more |= {"classes": list(classes)} if classes else {}
    place = Path(path).expanduser()
    if place.is_dir():
        return {"kind": _kind_of(place), "path": path, **more}
    if place.is_file() and place.suffix.lower() in TABLE_SUFFIXES:
        return {"kind": "predictions", "path": path, **more}
    if is_function(path):
        return {"kind": "python", "path": path, **more}
    what = "does not exist" if not place.exists() else "is weights alone, or nothing known"
    raise InputError(
        f"{path} {what}. Give a table of predictions (.csv, .parquet), a folder with {CONFIG} (timm, "
        "Hugging Face), or a function `file.py:function` that returns the network, with its weights."
    )


def is_function(path: str) -> bool:
    """Whether it reads as `module:function` or `file.py:function`."""
    return ":" in path and not Path(path).exists()


def _kind_of(folder: Path) -> str:
    config = read_config(str(folder), "the model")
    if not {"architecture", "model_type"} & set(config):
        raise InputError(
            f"{folder / CONFIG} names neither an `architecture` (timm) nor a `model_type` (Hugging "
            "Face). Give the network as a function: `file.py:function`, with its weights."
        )
    return "timm" if "architecture" in config or config["model_type"] == "timm_wrapper" else "huggingface"
