"""Tar shards in which the files of one name are a sample: WebDataset."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.data.files.listing import IMAGE_SUFFIXES
from pipeline.data.files.read_table import parse_object
from pipeline.data.files.shards import Shard, find_shards
from pipeline.data.files.tar_shards import Member, list_members, split_name
from pipeline.data.raw import RawDataset
from pipeline.data.sources.cells import Cells, read_meaning, wanted_columns
from pipeline.settings.sources import WebDatasetSource

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")  # packed ones are told what to do
JSON = "json"
PICKLED = re.compile(
    r"(.*\.)?(pyd|pth|pt|pkl|pickle|npy|npz|ten|tenbin|mp|msg|cbor)"
)  # no text, and no picture
_MAX_TEXT = 1 << 20  # bytes of one member that is read as text


@dataclass
class Sample:
    """The files of one name, by ending."""

    shard: Shard
    key: str
    members: dict[str, Member] = field(default_factory=dict)


@dataclass
class Listing:
    """What all samples hold."""

    images: list[Member] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    split_names: list[str] = field(default_factory=list)
    fields: list[dict[str, str]] = field(default_factory=list)  # of each image, those that are wanted
    known: set[str] = field(default_factory=set)  # every field that some sample has
    unread: Counter[str] = field(default_factory=Counter)  # endings
    bare: list[str] = field(default_factory=list)  # samples without an image

    def add(self, sample: Sample, image: str | None, wanted: Sequence[str]) -> None:
        """Take one sample.

        Args:
            image: the ending of images; None: where there is one.

        Raises:
            InputError: several images, or a field that is no text.
        """
        ending = _find_image(sample, image)
        if ending is None:
            self.bare.append(f"{sample.shard.name}/{sample.key}")
            return
        found = read_fields(sample, wanted)
        self.known |= found.keys()
        self.fields.append({name: found[name] for name in wanted if name in found})
        self.unread.update(sample.members.keys() - {ending, JSON, *wanted})
        self.images.append(sample.members[ending])
        self.names.append(f"{sample.shard.name}/{sample.key}.{ending}")
        self.split_names.append(sample.shard.split)

    def cells(self, what: str) -> Cells:
        """The fields as columns; those that are not wanted are empty, and only named in messages."""
        columns = {name: [cells.get(name, "") for cells in self.fields] for name in sorted(self.known)}
        table = pd.DataFrame(columns, dtype=str)
        return Cells(table, what, {}, self.names, self.split_names, "the naming of shards")

    def notes(self) -> list[str]:
        """What was left out, in words."""
        notes = []
        if self.unread:
            each = list_some([f".{ending} ({n:,})" for ending, n in self.unread.most_common()])
            notes.append(f"members that were not read: {each}")
        if self.bare:
            notes.append(f"{len(self.bare):,} samples without an image were left out: {list_some(self.bare)}")
        return notes


class WebDatasetLoader:
    """Samples are images with what lies beside them; their bytes are read when they are packed."""

    def __init__(self, source: WebDatasetSource) -> None:
        self.source = source

    def load(self) -> RawDataset:
        """Raises: InputError, UnsafeArchiveError (shard, member or value not usable)."""
        source, columns = self.source, self.source.columns
        path = Path(source.path).expanduser()
        shards = find_shards(path, SUFFIXES)
        wanted = list(dict.fromkeys(wanted_columns(columns, columns.label).values()))
        listing = Listing()
        for shard in shards:
            for sample in read_samples(shard):
                listing.add(sample, columns.image, wanted)
        if not listing.images:
            raise InputError(
                f"the tar files of {path} hold no image{_of(columns.image)}: "
                f"{list_some(listing.bare) or 'nothing'}. Correct `source.path`, or set "
                "`source.columns.image`."
            )
        cells = listing.cells(path.name if path.is_file() else f"the shards in {path.name}/")
        meaning = read_meaning(cells, source, label=columns.label)
        return meaning.dataset(
            source,
            [meaning.row(k, listing.names[i], image=listing.images[i]) for k, i in enumerate(meaning.kept)],
            title=path.stem if path.is_file() else path.resolve().name,
            source=f"local WebDataset {path.name}",
            notes=listing.notes(),
            decided_by=[shard.path for shard in shards],
        )


def read_samples(shard: Shard) -> Iterator[Sample]:
    """The samples of a shard, in order.

    Raises:
        UnsafeArchiveError, InputError: as `list_members`; files of one sample that lie apart, or twice.
    """
    done = set[str]()
    sample: Sample | None = None
    for member in list_members(shard.path):
        parts = split_name(member.name)
        if parts is None:
            continue
        key, ending = parts
        if sample is None or key != sample.key:
            if sample is not None:
                yield sample
            if key in done:
                raise InputError(
                    f"{shard.path} has the sample {key!r} twice, at {member.name!r} for the second "
                    "time: files of one sample must follow one another, and no two samples share a name. "
                    "Write it again."
                )
            done.add(key)
            sample = Sample(shard, key)
        if ending in sample.members:
            raise InputError(f"{shard.path} has {member.name!r} twice in one sample. Write it again.")
        sample.members[ending] = member
    if sample is not None:
        yield sample


def read_fields(sample: Sample, wanted: Sequence[str] | None = None) -> dict[str, str]:
    """What lies beside a sample's image, as text: members by their ending, and keys of its JSON.

    Args:
        wanted: which are needed; others are named with "" where the JSON was read. None: all that are text.

    Raises:
        InputError: one that is wanted is no text.
    """
    fields: dict[str, str] = {}
    for ending, member in sample.members.items():
        if ending == JSON or ending not in (("cls", "txt") if wanted is None else wanted):
            continue
        fields[ending] = _text(member).strip()
    missing = wanted is None or any(name not in fields for name in wanted)
    if JSON in sample.members and missing:
        found = parse_object(_text(sample.members[JSON]), f"{sample.shard.path}: {sample.key}.json")
        fields = found | fields
    return fields


def _text(member: Member) -> str:
    where = f"{member.shard}: {member.name}"
    if PICKLED.fullmatch(member.name.rpartition("/")[2]):
        raise InputError(f"{where} is no text, and nothing is unpickled. Write it as .cls, .txt or .json.")
    if member.size > _MAX_TEXT:
        raise InputError(f"{where} has {member.size:,} bytes, too many for a label. Name another column.")
    try:
        return member.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is no UTF-8 text ({error}). Write it as .cls, .txt or .json.") from error


def _find_image(sample: Sample, given: str | None) -> str | None:
    """The ending of the sample's image; None: it has none.

    Raises:
        InputError: it has several.
    """
    if given is not None:
        return given.lower() if given.lower() in sample.members else None
    found = [ending for ending in sample.members if f".{ending}" in IMAGE_SUFFIXES]
    if len(found) > 1:
        raise InputError(
            f"{sample.shard.path}: sample {sample.key!r} has several images ({', '.join(found)}). Say which "
            f"one: `source.columns.image: {found[0]}` (new-dataset: --file-column {found[0]})."
        )
    return next(iter(found), None)


def _of(ending: str | None) -> str:
    return "" if ending is None else f" that ends in .{ending}"
