"""Published datasets: find them locally or download them, and check that they are what they claim.

`source.path` may be the archive, a folder that holds it (also re-packed, for example as .tar.xz),
the extracted folder, or its parent.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from pipeline.artifacts.files import friendly_os_errors
from pipeline.core.errors import InputError
from pipeline.data.fetch.archives import extract
from pipeline.data.fetch.checksums import md5_of
from pipeline.data.fetch.download import download
from pipeline.data.files.listing import fingerprint_folder
from pipeline.settings.sources import DownloadableSource

_log = logging.getLogger(__name__)

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tar", ".zip")


@dataclass(frozen=True)
class OfficialArchive:
    """What is published about a dataset's archive."""

    title: str
    filename: str
    urls: tuple[str, ...]
    root: str  # the folder inside
    required: tuple[str, ...]  # relative to root; all there = extracted
    md5: str | None = None
    size: int | None = None
    inner_md5: bool = False  # the loader checks the files inside, so a re-packed archive is fine

    @property
    def stem(self) -> str:
        return strip_archive_suffix(self.filename)

    def is_extracted(self, folder: Path) -> bool:
        return all((folder / name).exists() for name in self.required)


@dataclass(frozen=True)
class Obtained:
    """The extracted dataset, and the archive it came from with its md5 where there was one."""

    folder: Path
    archive: Path | None = None
    md5: str | None = None

    @property
    def checksums(self) -> dict[str, str]:
        if self.archive is None or self.md5 is None:
            return {}
        return {self.archive.name: f"md5:{self.md5}"}

    @property
    def fingerprint(self) -> str:
        """Of the folder's listing, where there is no archive whose checksum says more."""
        return fingerprint_folder(self.folder) if self.archive is None else ""


def strip_archive_suffix(name: str) -> str:
    """`"x.tar.gz"` -> `"x"`."""
    for suffix in ARCHIVE_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def obtain(official: OfficialArchive, source: DownloadableSource, downloads: Path) -> Obtained:
    """The extracted dataset, downloaded first where `source.path` names no copy.

    Raises:
        InputError: nothing usable at `source.path`, a wrong checksum, or an unsafe archive.
        DownloadError: no mirror gave the right file.
    """
    if source.path is None:
        return _extracted(official, _download(official, source, downloads), downloads)
    path = Path(source.path).expanduser()
    if not path.exists():
        raise InputError(
            f"source.path = {source.path!r} does not exist. Put {official.filename} there, or remove "
            "the key to download it."
        )
    if path.is_dir():
        folder = _find_extracted(official, path)
        if folder is not None:
            return Obtained(folder)
        path = _find_archive(official, path)
    _check_archive(official, source, path)
    return _extracted(official, path, downloads)


def _download(official: OfficialArchive, source: DownloadableSource, downloads: Path) -> Path:
    md5, size = source.md5, None
    if md5 is None and source.verify == "full":
        md5, size = official.md5, official.size
    urls = source.mirrors or official.urls
    return download(urls, downloads / official.filename, md5=md5, size=size)


def _find_extracted(official: OfficialArchive, path: Path) -> Path | None:
    for folder in (path, path / official.root):
        if official.is_extracted(folder):
            return folder
    inside = [child for child in sorted(path.iterdir()) if child.is_dir() and official.is_extracted(child)]
    if len(inside) > 1:
        raise InputError(
            f"{path} holds several copies of {official.title}: {', '.join(c.name for c in inside)}. "
            "Set `source.path` to one of them."
        )
    return inside[0] if inside else None


def _find_archive(official: OfficialArchive, folder: Path) -> Path:
    exact = folder / official.filename
    if exact.is_file():
        return exact
    names = [official.stem + suffix for suffix in ARCHIVE_SUFFIXES]
    found = [folder / name for name in names if (folder / name).is_file()]
    if found:
        return found[0]
    there = sorted(child.name for child in folder.iterdir())
    shown = ", ".join(there[:8]) + (", ..." if len(there) > 8 else "") if there else "nothing"
    raise InputError(
        f"{folder} holds neither {official.filename} nor the extracted {official.title} "
        f"({', '.join(official.required)}). Found: {shown}. Set `source.path` to the archive or to the "
        "extracted folder, or remove the key to download."
    )


def _check_archive(official: OfficialArchive, source: DownloadableSource, path: Path) -> None:
    expected = source.md5
    if expected is None and source.verify == "full" and not official.inner_md5:
        expected = official.md5
    if expected is None:
        return
    got = md5_of(path)
    if got != expected.lower():
        whose = "source.md5" if source.md5 else "the official archive"
        raise InputError(
            f"{path} is not the expected file: md5 of {whose} is {expected.lower()}, got {got}. If it is a "
            "re-packed or reduced copy on purpose, set `source.verify: structure` (and no other "
            "`source.md5`); otherwise obtain it again."
        )


def _extracted(official: OfficialArchive, archive: Path, downloads: Path) -> Obtained:
    """Extract below `downloads`, once per content of the archive."""
    md5 = md5_of(archive)
    target = downloads / "extracted" / f"{official.stem}-{md5[:12]}"
    with friendly_os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if not target.is_dir():
            _log.info("extracting %s", archive)
            extract(archive, target)
    folder = _find_extracted(official, target)
    if folder is None:
        raise InputError(
            f"{archive} is not {official.title}: it lacks {', '.join(official.required)}. "
            f"Obtain {official.filename}."
        )
    return Obtained(folder, archive, md5)
