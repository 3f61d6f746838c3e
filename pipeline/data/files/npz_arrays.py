"""Arrays of a NumPy `.npz`, without unpickling: small ones whole, images a row at a time."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.core.errors import InputError
from pipeline.data.raw import Content, DeepPixels, UnreadableError

Values = npt.NDArray[np.generic]
_ENDING = ".npy"
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError, RuntimeError)
_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class ArrayInfo:
    """What an array's header says."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool
    start: int  # bytes of the header
    n_bytes: int  # of the member, header included


def list_arrays(path: Path) -> dict[str, ArrayInfo]:
    """Every array by name.

    Raises:
        InputError: no .npz, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(_ENDING)]
            found = [_read_header(archive, member) for member in members]
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Correct `source.path`.") from None
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    if not found:
        raise InputError(f"{path} holds no arrays. Correct `source.path`.")
    return {info.name: info for info in found}


def _read_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> ArrayInfo:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, is_fortran, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError(f"{member.filename} is of the unknown version {version}")
        name = member.filename.removesuffix(_ENDING)
        return ArrayInfo(name, tuple(shape), dtype, is_fortran, file.tell(), member.file_size)


def _damaged(path: Path, error: BaseException) -> InputError:
    return InputError(f"{path} is no .npz, or damaged ({error}). Obtain or write it again.")


def check_plain(path: Path, info: ArrayInfo) -> None:
    """Refuse an array that is not of numbers or text, or not as long as its header says.

    Raises:
        InputError: with the remedy.
    """
    if info.dtype.hasobject:
        raise InputError(
            f"{path}: array {info.name!r} holds Python objects, which would have to be unpickled and so "
            "could run code: nothing is. Save it as numbers or text, for example np.asarray(labels, "
            "dtype=str), and images of one size as one array."
        )
    if info.dtype.names is not None:
        raise InputError(f"{path}: array {info.name!r} is of records ({info.dtype}). Save a plain array.")
    n_bytes = info.dtype.itemsize * int(np.prod(info.shape, dtype=object))
    if info.start + n_bytes != info.n_bytes:
        raise InputError(
            f"{path}: array {info.name!r} says {info.shape} of {info.dtype}, but has {info.n_bytes:,} bytes. "
            "Obtain or write it again."
        )


def read_whole(path: Path, info: ArrayInfo) -> Values:
    """A small array.

    Raises:
        InputError: as `check_plain`; damaged.
    """
    check_plain(path, info)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(info.name + _ENDING) as file:
            values: Values = np.lib.format.read_array(file, allow_pickle=False)
            file.read(1)  # the end, where the checksum is compared
            return values
    except _DAMAGE as error:
        raise _damaged(path, error) from error


class NpzImages:
    """Rows of an array of images: N x h x w, N x h x w x C or N x C x h x w, C of 1, 3 or 4.

    Ascending rows are read once; to go back begins anew where the file is compressed.
    """

    def __init__(self, path: Path, info: ArrayInfo) -> None:
        """Raises: InputError (no array of images, or one that cannot be read by rows)."""
        check_plain(path, info)
        self.path, self.info = path, info
        self.is_first = _channels_first(path, info)
        if info.is_fortran:
            raise InputError(
                f"{path}: array {info.name!r} is stored column by column (Fortran order), so that no image "
                "lies in one piece. Save np.ascontiguousarray(images)."
            )
        self._n_bytes = info.dtype.itemsize * int(np.prod(info.shape[1:]))
        self._file: IO[bytes] | None = None

    def read(self, row: int) -> Content:
        """One image: h x w x 3 of 8 bits, or what is deeper.

        Raises:
            UnreadableError: floats that are not finite, as values without a brightness.
            InputError: the file is damaged.
        """
        try:
            data = self._bytes(row)
        except _DAMAGE as error:
            raise _damaged(self.path, error) from error
        if len(data) != self._n_bytes:
            raise InputError(f"{self.path}: array {self.info.name!r} ends early. Obtain or write it again.")
        values = np.frombuffer(data, self.info.dtype).reshape(self.info.shape[1:])
        return as_content(values.transpose(1, 2, 0) if self.is_first else values)

    def _bytes(self, row: int) -> bytes:
        if self._file is None:
            archive = zipfile.ZipFile(self.path)
            self._file = archive.open(self.info.name + _ENDING)
        self._file.seek(self.info.start + row * self._n_bytes)
        return self._file.read(self._n_bytes)


def _channels_first(path: Path, info: ArrayInfo) -> bool:
    """Whether an array of images is N x C x h x w.

    Raises:
        InputError: it is no array of images.
    """
    shape, kind = info.shape, info.dtype.kind
    is_flat = len(shape) == 3
    is_last = len(shape) == 4 and shape[3] in _CHANNELS
    is_first = len(shape) == 4 and shape[1] in _CHANNELS and not is_last
    if kind not in "buif" or 0 in shape or not (is_flat or is_last or is_first):
        raise InputError(
            f"{path}: array {info.name!r} is {shape} of {info.dtype}, no images: N x height x width of "
            "numbers is expected, with 1, 3 or 4 channels before or behind. Set `source.columns.image` "
            "(new-dataset: --file-column), or save it so."
        )
    return is_first


def as_content(values: Values) -> Content:
    """An image's numbers, h x w or h x w x (1, 3 or 4), as packing takes them.

    8 bits and truth values are levels as they are; transparent ones are laid on white; other numbers go by
    `data.value_range`, as those of deep image files do.
    """
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.dtype == np.bool_:
        values = values.astype(np.uint8) * np.uint8(255)
    if values.dtype != np.uint8:
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise UnreadableError("some pixel values are not finite numbers")
        return DeepPixels(values)
    if values.ndim == 2:
        return np.repeat(values[..., None], 3, axis=2)
    if values.shape[2] == 4:
        white = Image.new("RGBA", values.shape[1::-1], (255, 255, 255, 255))
        laid = Image.alpha_composite(white, Image.fromarray(np.ascontiguousarray(values)))
        return np.asarray(laid.convert("RGB"))
    return np.ascontiguousarray(values, np.uint8)


@dataclass(frozen=True, slots=True)
class NpzImage:
    """One row's image."""

    images: NpzImages
    row: int

    @property
    def called(self) -> None:
        return None

    def read(self) -> Content:
        return self.images.read(self.row)
