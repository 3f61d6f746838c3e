"""Files inside of tar archives, read where they are: nothing is extracted."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import InputError, PipelineError
from pipeline.data.fetch.archives import MAX_MEMBERS, check_plain_member, check_tar_end
from pipeline.data.raw import UnreadableError

MAX_IMAGE_BYTES = 1 << 28  # one encoded image; photographs have some 10 MB
_PACKED = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7z": "unxz", b"\x28\xb5\x2f": "unzstd"}
# what comes before the first dot of a file's name is its sample, as WebDataset has it
_NAME = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)")


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside of a tar."""

    shard: Path
    name: str
    offset: int
    size: int

    @property
    def called(self) -> str:
        return self.name

    def read(self) -> bytes:
        """Its bytes; of a tar that was cut since it was listed, what is left.

        Raises:
            UnreadableError: more than any image has.
        """
        if self.size > MAX_IMAGE_BYTES:
            raise UnreadableError(f"{self.size:,} bytes, more than {MAX_IMAGE_BYTES:,}")
        with self.shard.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


def split_name(name: str) -> tuple[str, str] | None:
    """Sample and ending of a member's name, "a/7" and "seg.png" of "a/7.seg.png"; None: of no sample."""
    found = _NAME.fullmatch(name.removeprefix("./"))
    if found is None or name.startswith("__"):
        return None
    return found[1], found[2].lower()


def list_members(shard: Path) -> Iterator[Member]:
    """Every file of a tar, in order.

    Raises:
        UnsafeArchiveError: a member leaves the archive's folder, or is a link or a device.
        InputError: not a tar, compressed, cut or damaged.
    """
    _check_not_packed(shard)
    try:
        with tarfile.open(shard, "r:") as tar:
            for number, member in enumerate(tar):
                check_plain_member(shard, member)
                if number > MAX_MEMBERS:
                    raise InputError(f"{shard} has more than {MAX_MEMBERS:,} members. Split it into shards.")
                if member.isfile():
                    yield Member(shard, member.name, member.offset_data, member.size)
                tar.members = []  # type: ignore[attr-defined]  # which tarfile keeps, and nobody needs
            check_tar_end(shard, tar)
    except PipelineError:
        raise
    except (tarfile.TarError, EOFError, ValueError, OSError) as error:
        raise InputError(
            f"{shard} is no tar, or cut or damaged ({error}). Obtain or write it again."
        ) from error


def _check_not_packed(shard: Path) -> None:
    with shard.open("rb") as file:
        start = file.read(4)
    for mark, program in _PACKED.items():
        if start.startswith(mark):
            raise InputError(
                f"{shard} is a compressed tar: to read one image, all before it would have to be "
                f"unpacked. Unpack it once: {program} {shard}"
            )
