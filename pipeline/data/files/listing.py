"""What is below a folder, leaving out what operating systems leave behind."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from pipeline.core.errors import InputError
from pipeline.data.names.split_words import plain_split

# Of what Pillow opens, what people keep pictures in: no documents, icons, videos or scientific containers.
_FORMATS = {"AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "QOI", "TGA"}
_FORMATS |= {"TIFF", "WEBP"}
IMAGE_SUFFIXES = frozenset(
    suffix for suffix, kind in Image.registered_extensions().items() if kind in _FORMATS
)
_JUNK = {"__MACOSX", "Thumbs.db", "@eaDir"}


def is_junk(name: str) -> bool:
    return name.startswith(".") or name in _JUNK


def find_files(folder: Path) -> list[Path]:
    """All files below `folder`, sorted, without hidden ones.

    Links to folders are followed, except to a folder that the link lies in: that would never end.

    Raises:
        InputError: a folder that may not be read.
    """
    return list(_walk(folder, _places(folder)))


def _walk(folder: Path, here: frozenset[str]) -> Iterator[Path]:
    entries = _entries(folder)
    yield from (Path(entry.path) for entry in entries if not entry.is_dir())
    for entry in entries:
        if entry.is_dir() and (place := os.path.realpath(entry.path)) not in here:
            yield from _walk(Path(entry.path), here | {place})


def _places(folder: Path) -> frozenset[str]:
    """Where `folder` and all folders above it really are."""
    as_written = Path(os.path.abspath(folder))
    return frozenset(os.path.realpath(place) for place in (folder, as_written, *as_written.parents))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What lies directly in `folder`, sorted, without hidden ones."""
    try:
        with os.scandir(folder) as found:
            return sorted((e for e in found if not is_junk(e.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(
            f"the folder {folder} cannot be read ({error.strerror}): nothing in it would be seen. Change its "
            "permissions, or move it away."
        ) from None


def find_hidden_images(folder: Path) -> list[Path]:
    """Image files below `folder` that `find_images` passes over, by their name or that of a folder.

    Not what systems write beside images: resource forks ("._a.jpg") and thumbnails in `@eaDir`.
    """
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "@eaDir"]
        is_hidden = any(is_junk(part) for part in Path(place).relative_to(folder).parts)
        found += [
            Path(place, name)
            for name in names
            if (is_hidden or is_junk(name)) and not name.startswith("._") and is_image(Path(name))
        ]
    return sorted(found)


def find_images(folder: Path) -> list[Path]:
    """Image files below `folder` by suffix, sorted."""
    return [file for file in find_files(folder) if is_image(file)]


def is_image(file: Path) -> bool:
    return file.suffix.lower() in IMAGE_SUFFIXES


def subfolders(folder: Path) -> list[Path]:
    """Direct subfolders, sorted, without hidden ones and without links to a folder that they lie in."""
    here = _places(folder)
    folders = [Path(entry.path) for entry in _entries(folder) if entry.is_dir()]
    return [child for child in folders if os.path.realpath(child) not in here]


def unwrap(folder: Path) -> Path:
    """`folder`, or the one within that a chain of single folders leads to, as archives are often packed.

    A folder wraps another if it holds that one and no image, and the other holds folders.
    """
    inner = subfolders(folder)
    if len(inner) != 1 or plain_split(inner[0].name) or not subfolders(inner[0]):
        return folder
    return folder if images_within(folder) else unwrap(inner[0])


def images_within(folder: Path) -> list[Path]:
    """Images that lie directly in `folder`."""
    files = [Path(entry.path) for entry in _entries(folder) if not entry.is_dir()]
    return [file for file in files if is_image(file)]


def fingerprint_folder(folder: Path) -> str:
    """16 hex digits that change when a file below is added, removed, renamed or changes its size.

    Times are left out on purpose: copying or re-extracting the same files must not look like a
    change. `version` in the source settings covers edits that keep the size. "" = no such folder.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        return ""
    digest = hashlib.sha256()
    for file in find_files(folder):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{file.lstat().st_size}\n".encode())
    return digest.hexdigest()[:16]
