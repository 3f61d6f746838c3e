"""Extract tar and zip archives without trusting them.

Everything is extracted into a temporary sibling folder that replaces the target only when the
last member is written: no partial output, whatever goes wrong.
"""

from __future__ import annotations

import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from pipeline.artifacts.files import fresh_dir, require_space
from pipeline.core.errors import InputError, UnsafeArchiveError
from pipeline.core.progress import Progress

MAX_RATIO = 100  # extracted over packed size; photographs and CIFAR's raw pixels stay near 1
MIN_LIMIT = 1 << 30  # small archives may unfold to 1 GiB whatever the ratio
MAX_MEMBERS = 3_000_000
_TAR_END = 1024  # a plain tar ends with two blocks of zeros
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    NotImplementedError,  # a zip compression method this Python does not know
)


class _Budget:
    """Counts members and bytes against the limits of one archive."""

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        self.limit = max(MIN_LIMIT, MAX_RATIO * archive.stat().st_size)
        self.n_bytes = self.n_members = 0

    def spend(self, name: str, n_bytes: int) -> None:
        self.n_bytes += n_bytes
        self.n_members += 1
        if self.n_bytes > self.limit or self.n_members > MAX_MEMBERS:
            raise UnsafeArchiveError(
                f"{self.archive} unfolds to more than {self.limit / 1e9:.1f} GB or {MAX_MEMBERS:,} "
                f"members (at {name!r}): that is how archives made to fill the disk look. Check where "
                "it came from; if it is genuine, extract it yourself and set `source.path` to the folder."
            )


def extract(archive: Path, target_dir: Path) -> Path:
    """Extract a tar (plain, gz, bz2, xz) or zip archive into `target_dir`, which must hold nothing yet.

    The kind is read from the content, not from the name.

    Raises:
        UnsafeArchiveError: a member leaves the target, links outside, is a device, or is a bomb.
        InputError: no such file, not an archive, truncated or damaged; the disk is full.
    """
    if not archive.is_file():
        raise InputError(f"{archive} does not exist or is not a file.")
    try:
        if tarfile.is_tarfile(archive):  # asked first: a plain tar may end in a zip member
            _extract_tar(archive, target_dir)
        elif zipfile.is_zipfile(archive):
            _extract_zip(archive, target_dir)
        else:
            raise InputError(_not_an_archive(archive))
    except _DAMAGE as error:
        raise InputError(_damaged(archive, error)) from error
    except OSError as error:
        if error.errno is None:  # bz2 reports damage as a bare OSError
            raise InputError(_damaged(archive, error)) from error
        raise
    return target_dir


def _damaged(archive: Path, error: BaseException) -> str:
    return (
        f"{archive} is truncated or damaged ({type(error).__name__}: {error}). Nothing was "
        "extracted; delete it and obtain it again."
    )


def _not_an_archive(archive: Path) -> str:
    with archive.open("rb") as file:
        start = file.read(64)
    if not start:
        what = "is empty"
    elif start.startswith((b"PK\x03\x04", b"\x1f\x8b", b"\xfd7zXZ", b"BZh")):
        what = "starts like an archive but is truncated or damaged"
    elif start.lstrip().startswith(b"<"):
        what = "is a web page, not an archive: a login or error page was saved in its place"
    else:
        what = "is neither a tar nor a zip archive"
    return f"{archive} {what}. Delete it and obtain it again."


def _extract_tar(archive: Path, target_dir: Path) -> None:
    budget = _Budget(archive)
    with fresh_dir(target_dir) as folder, tarfile.open(archive) as tar, _progress(archive) as progress:
        for member in tar:
            _check_tar_member(archive, member, folder)
            budget.spend(member.name, member.size)
            try:
                tar.extract(member, folder, filter="data")
            except tarfile.FilterError as error:
                raise _unsafe(archive, member.name, str(error)) from error
            progress.update(1)
        check_tar_end(archive, tar)


def check_plain_member(archive: Path, member: tarfile.TarInfo) -> None:
    """Refuse a member of a tar whose files are read where they are: what only extraction could need.

    Raises:
        UnsafeArchiveError: it leaves the archive's folder, or is a link, a device or a pipe.
    """
    if _leaves(member.name, PurePosixPath()) or "\0" in member.name:
        raise _unsafe(archive, member.name, "would be written outside the target")
    if not (member.isfile() or member.isdir()):
        raise _unsafe(archive, member.name, "is a link, a device or a pipe")
    if member.issparse():
        raise _unsafe(archive, member.name, "is stored in pieces (sparse), as no tool writes images")


def _check_tar_member(archive: Path, member: tarfile.TarInfo, folder: Path) -> None:
    _check_name(archive, member.name, folder)
    if member.issym() or member.islnk():
        base = PurePosixPath(member.name).parent if member.issym() else PurePosixPath()
        if _leaves(member.linkname, base):
            raise _unsafe(archive, member.name, f"links to {member.linkname!r}, outside the target")
    elif not (member.isfile() or member.isdir()):
        raise _unsafe(archive, member.name, "is a device or a pipe")


def check_tar_end(archive: Path, tar: tarfile.TarFile) -> None:
    """A cut at a member boundary looks like the end: look for what only the real end has."""
    stream = tar.fileobj
    if isinstance(stream, io.BufferedReader):  # a plain tar: no compression, so no checksum
        stream.seek(max(0, archive.stat().st_size - _TAR_END))
        if any(stream.read()):
            raise tarfile.ReadError("the end-of-archive blocks are missing")
    while stream is not None and stream.read(1 << 20):
        pass  # reading to the end makes gzip and xz verify their own checksums


def _extract_zip(archive: Path, target_dir: Path) -> None:
    budget = _Budget(archive)
    with zipfile.ZipFile(archive) as zipped:
        members = zipped.infolist()
        for member in members:
            budget.spend(member.filename, member.file_size)
        _check_free_space(target_dir, budget.n_bytes)
        with fresh_dir(target_dir) as folder, _progress(archive, len(members)) as progress:
            for member in members:
                _check_zip_member(archive, member, folder)
                zipped.extract(member, folder)
                progress.update(1)


def _check_zip_member(archive: Path, member: zipfile.ZipInfo, folder: Path) -> None:
    _check_name(archive, member.filename, folder)
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _unsafe(archive, member.filename, "is a link, a device or a pipe")
    if member.flag_bits & 0x1:
        raise InputError(f"{archive}: {member.filename!r} is encrypted; obtain an archive without password.")


def _check_name(archive: Path, name: str, folder: Path) -> None:
    """Refuse names that would be written outside `folder`, also by way of an extracted link."""
    if _leaves(name, PurePosixPath()) or "\0" in name:
        raise _unsafe(archive, name, "would be written outside the target")
    root = os.path.realpath(folder)
    parent = os.path.realpath(os.path.join(root, os.path.dirname(name)))
    if parent != root and not parent.startswith(root + os.sep):
        raise _unsafe(archive, name, "would be written outside the target through a link")


def _leaves(name: str, base: PurePosixPath) -> bool:
    plain = name.replace("\\", "/")
    if plain.startswith("/") or (len(plain) > 1 and plain[1] == ":"):
        return True
    depth = len(base.parts)
    for part in PurePosixPath(plain).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def _unsafe(archive: Path, name: str, why: str) -> UnsafeArchiveError:
    return UnsafeArchiveError(
        f"{archive}: member {name!r} {why}. Nothing was extracted: do not use this archive."
    )


def _check_free_space(target_dir: Path, needed: int) -> None:
    target_dir.parent.mkdir(parents=True, exist_ok=True)
    require_space(target_dir.parent, needed, "extracting")


def _progress(archive: Path, total: int | None = None) -> Progress:
    return Progress(f"extracting {archive.name}", total=total, unit="files")
