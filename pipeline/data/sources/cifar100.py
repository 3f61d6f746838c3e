"""CIFAR-100 (Krizhevsky 2009) from its official Python pickles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import SplitName, UInt8Array
from pipeline.data.fetch.checksums import md5_of
from pipeline.data.fetch.officials import OfficialArchive, obtain
from pipeline.data.fetch.safe_pickle import load_pickle, text
from pipeline.data.names.naming import make_unique
from pipeline.data.raw import RawDataset, RawRow
from pipeline.settings.sources import Cifar100Source

OFFICIAL = OfficialArchive(
    title="CIFAR-100",
    filename="cifar-100-python.tar.gz",
    urls=("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",),
    root="cifar-100-python",
    required=("train", "test", "meta"),
    md5="eb9058c3a382ffc7106e4002c42a8d85",
    size=169_001_437,
    inner_md5=True,
)
MD5 = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}
SIDE = 32


class Cifar100:
    """100 classes in 20 superclasses, 50,000 train and 10,000 test images of 32 x 32.

    The official set has no validation split: it is carved from train when the dataset is packed.
    """

    def __init__(self, source: Cifar100Source, downloads: Path) -> None:
        self.source, self.downloads = source, downloads

    def load(self) -> RawDataset:
        """Raises: InputError, DownloadError (missing, damaged or other files)."""
        obtained = obtain(OFFICIAL, self.source, self.downloads)
        md5 = {name: md5_of(obtained.folder / name) for name in MD5}
        if self.source.verify == "full":
            _check_md5(obtained.folder, md5)
        meta = load_pickle(obtained.folder / "meta")
        fine = _names(obtained.folder / "meta", meta, "fine_label_names")
        coarse = _names(obtained.folder / "meta", meta, "coarse_label_names")
        rows: list[RawRow] = []
        superclasses: dict[str, str] = {}
        parts: tuple[SplitName, ...] = ("train", "test")
        for split in parts:
            rows += _rows(obtained.folder / split, split, fine, coarse, superclasses)
        return RawDataset(
            title="CIFAR-100",
            source="https://www.cs.toronto.edu/~kriz/cifar.html",
            licence="not stated by the authors; research use",
            citation="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
            rows=rows,
            classes=[name for name in fine if name in superclasses],
            superclasses=superclasses,
            checksums={**obtained.checksums, **{name: f"md5:{value}" for name, value in md5.items()}},
        )


def _check_md5(folder: Path, md5: dict[str, str]) -> None:
    for name, expected in MD5.items():
        if md5[name] != expected:
            raise InputError(
                f"{folder / name} is not the official file: md5 expected {expected}, got {md5[name]}. "
                "Obtain cifar-100-python.tar.gz again, or set `source.verify: structure` if it was "
                "changed on purpose."
            )


def _names(path: Path, meta: dict[str, Any], key: str) -> list[str]:
    if not isinstance(meta.get(key), list) or not meta[key]:
        raise InputError(f"{path} lacks {key!r}. Obtain the official cifar-100-python.tar.gz.")
    return [text(name) for name in meta[key]]


def _rows(
    path: Path, split: SplitName, fine: list[str], coarse: list[str], superclasses: dict[str, str]
) -> list[RawRow]:
    """Rows of one file; fills `superclasses` and checks that it stays one per class."""
    content = load_pickle(path)
    images = _images(path, content)
    labels = _labels(path, content, "fine_labels", len(fine), len(images))
    parents = _labels(path, content, "coarse_labels", len(coarse), len(images))
    files = [text(name) for name in content.get("filenames", range(len(images)))]
    if len(files) != len(images):
        raise InputError(f"{path} has {len(images)} images but {len(files)} file names.")
    rows = []
    for name, image, label, parent in zip(make_unique(files), images, labels, parents, strict=True):
        if superclasses.setdefault(fine[label], coarse[parent]) != coarse[parent]:
            raise InputError(f"{path}: class {fine[label]!r} has two superclasses. Obtain the official file.")
        rows.append(RawRow(name=f"{split}/{name}", image=image, label=fine[label], split=split))
    return rows


def _images(path: Path, content: dict[str, Any]) -> UInt8Array:
    """N x 32 x 32 x 3: a view of the file's N x 3,072 (all reds, greens, blues), not a copy."""
    data = content.get("data")
    size = 3 * SIDE * SIDE
    if not (isinstance(data, np.ndarray) and data.dtype == np.uint8 and data.shape[1:] == (size,)):
        raise InputError(f"{path}: 'data' is not an N x {size} uint8 array. Obtain the official file.")
    images: UInt8Array = data.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return images


def _labels(path: Path, content: dict[str, Any], key: str, n_classes: int, n: int) -> list[int]:
    values = content.get(key)
    if not isinstance(values, list) or len(values) != n:
        raise InputError(f"{path}: {key!r} is not a list of {n} labels. Obtain the official file.")
    if not all(isinstance(value, int) and 0 <= value < n_classes for value in values):
        raise InputError(f"{path}: {key!r} has labels outside 0..{n_classes - 1}. Obtain the official file.")
    return values
