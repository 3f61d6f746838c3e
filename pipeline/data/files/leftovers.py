"""Which pictures below a folder are not read, and why: nothing is left out without a word."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from pipeline.core.words import list_some
from pipeline.data.files.listing import find_files, find_hidden_images, is_image

# Pictures that Pillow does not read, or not as they are (of a camera's raw file the thumbnail).
_UNREAD = {".heic", ".heif", ".jxl", ".svg", ".eps", ".ai", ".psd", ".pdf", ".dcm", ".nii", ".fits", ".npy"}
_UNREAD |= {".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2"}
_UNREAD_TABLES = {
    ".xlsx",
    ".xls",
    ".ods",
    ".json",
    ".xml",
    ".yaml",
    ".yml",
    ".mat",
    ".h5",
}
_UNREAD_TABLES |= {".feather", ".arrow", ".pkl", ".pickle", ".sqlite", ".db"}
_PACKED_TABLE = re.compile(r"\.(csv|tsv|txt|json|jsonl|parquet)\.(gz|bz2|xz|zip|zst)$", re.IGNORECASE)
_LISTS = re.compile(r"label|class|meta|annot|list|train|test|split|attr|data|index", re.IGNORECASE)
_N_SNIFFED = 1000  # files of an unknown ending that are looked into
_CERTAIN = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "TIFF", "WEBP")  # known by their first bytes


def note_left_out(root: Path, used: Iterable[Path], *, why: str, remedy: str) -> list[str]:
    """One note on the pictures below `root` that are not among `used`; none where all are used.

    Args:
        used: images, and what is left out on purpose, such as masks.
        why, remedy: of images that could be read, as in "beside the class folders".
    """
    known = set(used)
    rest = [file for file in find_files(root) if file not in known]
    plain = [file for file in rest if is_image(file)]
    unread = [file for file in rest if file.suffix.lower() in _UNREAD]
    others = [file for file in rest if not is_image(file) and file.suffix.lower() not in _UNREAD]
    hidden = [file for file in find_hidden_images(root) if file not in known]
    misnamed = [file for file in others[:_N_SNIFFED] if _opens(file)]
    parts = [
        f"{len(files):,} {reason} ({list_some([file.relative_to(root).as_posix() for file in files], 3)})"
        for files, reason in (
            (plain, why),
            (hidden, "hidden, by a name like .x or __MACOSX"),
            (unread, f"unreadable: {_endings(unread)}"),
            (misnamed, f"of the ending {_endings(misnamed)}, though images"),
        )
        if files
    ]
    if not parts:
        return []
    remedies = [remedy] if plain else []
    if hidden:
        remedies.append("rename what is hidden")
    if unread or misnamed:
        remedies.append(f"save {'the others' if remedies else 'them'} as .png or .jpg")
    n = len(plain) + len(hidden) + len(unread) + len(misnamed)
    return [f"{n:,} images left out: {'; '.join(parts)}. To have them read, {' and '.join(remedies)}."]


def name_unread_tables(root: Path) -> str:
    """A sentence on files below `root` that may say the labels and are of a kind that is not read, or ""."""
    files = [
        file.relative_to(root).as_posix()
        for file in find_files(root)
        if file.suffix.lower() in _UNREAD_TABLES
        or _PACKED_TABLE.search(file.name)
        or (file.suffix.lower() in (".txt", ".dat") and _LISTS.search(file.stem))
    ]
    if not files:
        return ""
    return (
        f" If {list_some(files, 3)} says the labels: it cannot be read as it is. Save it as CSV, JSON "
        "lines or Parquet, a row for each image with its file and label, beside the images."
    )


def _endings(files: list[Path]) -> str:
    return ", ".join(sorted({file.suffix.lower() or "(none)" for file in files}))


def _opens(file: Path) -> bool:
    try:
        with Image.open(file, formats=_CERTAIN):
            return True
    except (OSError, ValueError, SyntaxError, struct.error):
        return False
