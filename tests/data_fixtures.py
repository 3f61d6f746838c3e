"""Small datasets and settings that the data tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.core.settings import DataSettings
from pipeline.core.types import UInt8Array
from pipeline.data.base import RawDataset, RawRow


def data_settings(**changes: Any) -> DataSettings:
    values: dict[str, Any] = {
        "image_size": 8,
        "fit": "crop",
        "val_fraction": 0.2,
        "test_fraction": 0.2,
        "split_seed": 0,
        "skip_unreadable": False,
        "derive_attribute": "auto",
        "levels": 3,
        "group_by": "auto",
    }
    return DataSettings(**(values | changes))


def gray(level: int, size: int = 8) -> UInt8Array:
    return np.full((size, size, 3), level, np.uint8)


def noise(seed: int, size: int = 8) -> UInt8Array:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def noise_rows(n: int, labels: str = "ab", **fields: Any) -> list[RawRow]:
    """`n` different noise images, labels in turn."""
    return [RawRow(f"i{k}", noise(k), labels[k % len(labels)], **fields) for k in range(n)]


def raw_dataset(rows: list[RawRow], **changes: Any) -> RawDataset:
    return RawDataset(**{"title": "Test", "source": "made", "licence": "none", "rows": rows, **changes})


def save_image(path: Path, pixels: UInt8Array | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(len(str(path))) if pixels is None else pixels).save(path)
    return path
