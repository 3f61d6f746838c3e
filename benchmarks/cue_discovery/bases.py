"""Real images to plant cues in: what is on them says nothing about the labels that they are given later.

Shape legend: N images, H height, W width.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pipeline.core.types import Int64Array, UInt8Array
from pipeline.data.decoding.decode import decode
from pipeline.data.decoding.depth import Ranges
from pipeline.data.raw import RawDataset, RawRow
from pipeline.data.sources.cifar100 import Cifar100
from pipeline.data.sources.photo_digits import PhotoDigits
from pipeline.data.sources.tiny_imagenet import TinyImagenet
from pipeline.settings.sources import Cifar100Source, PhotoDigitsSource, TinyImagenetSource

N_IMAGES, N_CLASSES = 1200, 10
REAL_DATA = "PIPELINE_REAL_DATA"  # names the folder of official archives, as for the tests on real data


class MissingBaseError(Exception):
    """The images of a base are not on this machine; the message says where they were looked for."""


def load_base(name: str, *, n: int = N_IMAGES, seed: int = 0) -> list[UInt8Array]:
    """`n` images (H x W x 3) of the base, in random order; of ten classes where it has more.

    Raises:
        MissingBaseError: its folder is not there.
    """
    return _load(BASES[name], n, seed)[0]


def load_labeled(name: str, *, n: int = N_IMAGES, seed: int = 0) -> tuple[list[UInt8Array], Int64Array]:
    """`load_base`, and whether what each image shows is in the second half of the classes, n.

    The digits are clearer here, and their photographs say nothing of them.

    Raises:
        MissingBaseError: its folder is not there.
    """
    return _load(_plain_digits if name == "digits" else BASES[name], n, seed)


def _load(
    base: Callable[[], tuple[RawDataset, int]], n: int, seed: int
) -> tuple[list[UInt8Array], Int64Array]:
    raw, side = base()
    rows = _of_ten_classes(raw) if len(raw.classes or []) > N_CLASSES else raw.rows
    chosen = np.random.default_rng([seed, 11]).permutation(len(rows))[:n]
    labels = sorted({str(row.label) for row in rows})
    shown_n = np.array([labels.index(str(rows[i].label)) >= len(labels) // 2 for i in chosen], np.int64)
    return _decode(rows, chosen, side), shown_n


def _plain_digits() -> tuple[RawDataset, int]:
    source = PhotoDigitsSource(kind="photo_digits", strength=0.5, contrast=1.0, label_noise=0.0)
    return PhotoDigits(source).load(), 32


def _digits() -> tuple[RawDataset, int]:
    return PhotoDigits(PhotoDigitsSource(kind="photo_digits")).load(), 32


def _cifar() -> tuple[RawDataset, int]:
    path = _official("cifar-100-python")
    return Cifar100(Cifar100Source(kind="cifar100", path=str(path)), path.parent).load(), 32


def _tiny_imagenet() -> tuple[RawDataset, int]:
    path = _official("tiny-imagenet-200")
    source = TinyImagenetSource(kind="tiny_imagenet", path=str(path), verify="structure")  # ten classes do
    return TinyImagenet(source, path.parent).load(), 64


BASES: dict[str, Callable[[], tuple[RawDataset, int]]] = {
    "digits": _digits,
    "cifar100": _cifar,
    "tiny_imagenet": _tiny_imagenet,
}


def _official(name: str) -> Path:
    given = os.environ.get(REAL_DATA)
    path = Path(given or ".") / name
    if not given or not path.is_dir():
        raise MissingBaseError(f"no folder {name} in {given or f'{REAL_DATA}, which is not set'}")
    return path.resolve()


def _of_ten_classes(raw: RawDataset) -> list[RawRow]:
    """Training images of ten classes spread evenly over the list of all."""
    classes = raw.classes or []
    kept = set(classes[:: len(classes) // N_CLASSES][:N_CLASSES])
    return [row for row in raw.rows if row.label in kept and row.split == "train"]


def _decode(rows: Sequence[RawRow], chosen: Int64Array, side: int) -> list[UInt8Array]:
    """The pixels as the project decodes them, in arrays of their own."""
    return [
        np.array(decode(rows[i].image, None, size=side, fit="crop", ranges=Ranges()).image) for i in chosen
    ]
