"""Image files that a table names: as written, else by what people leave out or write otherwise."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.data.files.listing import IMAGE_SUFFIXES, find_files, find_images
from pipeline.data.names.spelling import visible


class FileIndex:
    """Images below a folder, found without regard to case, spaces, Unicode form or a missing ending."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self._prefix = os.path.normpath(base)

    def find(self, name: str) -> list[Path]:
        """The file of that name, else those that may be meant (none, one, or several)."""
        written = self.written(name)
        if os.path.isfile(written):
            return [Path(written)]
        plain = _plain(name)
        by_name, by_stem = self._listed
        if os.path.splitext(plain)[1] in IMAGE_SUFFIXES:
            return by_name.get(plain, [])
        return by_name.get(plain, []) or by_stem.get(plain, [])

    def path(self, name: str) -> Path:
        """Where a file of that name lies, there or not; "./a" is "a"."""
        return Path(self.written(name))

    def name_of(self, file: Path) -> str:
        """What a file is called for people: its path below the folder where it is there."""
        return str(file).removeprefix(self._prefix + os.sep).replace(os.sep, "/")

    def written(self, name: str) -> str:
        """`path` as text, which is faster for many."""
        return os.path.normpath(os.path.join(self._prefix, name.replace("\\", "/")))

    @cached_property
    def _listed(self) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
        by_name: dict[str, list[Path]] = defaultdict(list)
        by_stem: dict[str, list[Path]] = defaultdict(list)
        base = Path(self._prefix)
        for path in find_images(base) if base.is_dir() else []:
            plain = _plain(self.name_of(path))
            by_name[plain].append(path)
            by_stem[os.path.splitext(plain)[0]].append(path)
        return by_name, by_stem


def _plain(name: str) -> str:
    text = unicodedata.normalize("NFC", name.replace("\\", "/")).strip()
    return os.path.normpath("/".join(part.strip() for part in text.split("/"))).lower()


def find_listed(
    base: Path, names: Sequence[str], *, what: str, where: str, key: str
) -> tuple[list[Path], list[str]]:
    """The file of each name, and a note where a name is not the file's own.

    Args:
        base: the folder that the names are relative to.
        what, where: "images" or "masks", and the table and column that name them, for messages.
        key: in params.yaml, of `base`.

    Raises:
        InputError: files that are missing, or names that several files fit.
    """
    index = FileIndex(base)
    found = [index.find(name) for name in names]
    missing = [name for name, files in zip(names, found, strict=True) if not files]
    if missing:
        raise InputError(
            f"{len(missing):,} of {len(names):,} {what} named in {where} are missing: "
            f"{list_some([repr(name) for name in missing])}. Looked for {index.path(missing[0])}, also "
            f"without regard to case, spaces, Unicode form and a missing ending. Set `{key}` to the folder "
            "that names are relative to."
        )
    unclear = [name for name, files in zip(names, found, strict=True) if len(files) > 1]
    if unclear:
        several = [file.name for file in index.find(unclear[0])]
        raise InputError(
            f"{len(unclear):,} of {len(names):,} {what} named in {where} fit several files: {unclear[0]!r} "
            f"may be {list_some(several)}. Write the names with their ending, as the files have them."
        )
    files = [each[0] for each in found]
    others = [i for i, file in enumerate(files) if str(file) != index.written(names[i])]
    if not others:
        return files, []
    there = {i: index.name_of(files[i]) for i in others}
    kinds = sorted({kind for i in others for kind in _differences(names[i], there[i])})
    # escaped where two Unicode forms look the same
    shown = [f"{visible(names[i])} -> {visible(there[i]).strip(chr(39))}" for i in others]
    return files, [
        f"{len(others):,} names in {where} are not quite the files' ({', '.join(kinds)}): "
        f"{list_some(shown, 3)}"
    ]


def _differences(name: str, file: str) -> list[str]:
    """In what a name that was found is not the file's own."""
    plain, composed = unicodedata.normalize("NFC", name), unicodedata.normalize("NFC", file)
    spaced = [part.strip() for part in plain.replace("\\", "/").split("/")]
    found = {
        "ending": os.path.splitext(spaced[-1])[1].lower() not in IMAGE_SUFFIXES,
        "case": os.path.basename(composed).lower().startswith(spaced[-1].lower())
        and not os.path.basename(composed).startswith(spaced[-1]),
        "spaces": "/".join(spaced) != plain.replace("\\", "/"),
        "Unicode form": (plain != name) != (composed != file),
    }
    return [kind for kind, differs in found.items() if differs]


def match_masks(base: Path, files: list[str]) -> list[Path]:
    """For each image name the file of the same path below `base`, whatever its ending.

    Raises:
        InputError: with the count and first names of images without a mask.
    """
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in find_files(base):
        by_stem[_stem(path.relative_to(base).as_posix())].append(path)
    found = [by_stem.get(_stem(os.path.normpath(file)), []) for file in files]
    missing = [file for file, masks in zip(files, found, strict=True) if not masks]
    if missing:
        raise InputError(
            f"{len(missing):,} of {len(files):,} images have no mask below {base}: {list_some(missing)}. A "
            "mask has the image's path with any ending. Add them, or remove `source.masks`."
        )
    # With both x.jpg and x.png there, the lossless file is the mask.
    return [min(masks, key=lambda path: (path.suffix.lower() != ".png", path.name)) for masks in found]


def _stem(name: str) -> str:
    return os.path.splitext(name.replace("\\", "/"))[0]
