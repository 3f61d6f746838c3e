"""The packed dataset's card (classes, attributes, source) and the groups that were made of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Artifact, Estimate, Record

# values of an attribute of origin "cue": whether the cue alone names the image's class
ALIGNED, CONFLICTING = "aligned", "conflicting"


class AttributeInfo(Record):
    name: str
    values: list[str]
    origin: Literal["annotated", "cue", "inferred", "none"]
    description: str = ""


class AskedCue(Record):
    """A cue of which validation images were asked whether a model uses it."""

    name: str
    title: str
    part: str | None
    used: Estimate | None  # accuracy aligned minus conflicting; None: validation images cannot tell


class GroupInfo(Record):
    """A cell of (class or superclass) x attribute value. Its index in the list is its id."""

    name: str
    label: str
    attribute: str
    n_train: int
    n_val: int
    n_test: int


class SourceCounts(Record):
    """Scenes, patients or videos that images share, and whether the splits cut any."""

    name: str  # the column that names them: "scene"
    n: dict[str, int]  # train / val / test
    n_cut: int  # in more than one split
    n_leaking_test: int  # test images that share theirs with a training or validation image


class SourceInfo(Record):
    source: str
    licence: str
    citation: str = ""
    checksums: dict[str, str] = Field(default_factory=dict)


class PackedInfo(Artifact):
    """`data/<dataset>/packed/dataset.json`: what was packed, before anything is grouped."""

    name: str
    title: str
    classes: list[str]
    superclasses: list[str] = Field(default_factory=list)  # none: the source knows none
    class_to_superclass: list[int | None] = Field(default_factory=list)  # K entries; None: not known
    attributes: list[AttributeInfo]  # annotated ones
    n: dict[str, int]  # train / val / test
    image_size: int
    has_masks: bool
    n_label_flips: int | None = None  # known planted label noise in train, None if unknown
    sources: SourceCounts | None = None  # None: nothing says which images were taken together
    skipped: list[str] = Field(default_factory=list)  # unreadable files left out
    notes: list[str] = Field(default_factory=list)  # said in the report
    channel_mean: list[float]  # of train pixels in [0, 1]
    channel_std: list[float]
    source_fingerprint: str = ""  # of a local source's files; "" where not applicable
    packing: str = ""  # digest of the packed files and what their numbers mean: results carry it
    source_info: SourceInfo


class GroupsInfo(Artifact):
    """`groups/<dataset>/groups.json`: what the groups are."""

    attributes: list[AttributeInfo]  # the first one forms the groups: annotated, of a cue or none
    formed_by: str = ""  # name of the cue whose aligned and conflicting images are the groups
    asked: list[AskedCue] = Field(default_factory=list)  # cues that could have formed them
    groups: list[GroupInfo]
    group_labels: list[str]  # what groups are crossed with: classes, superclasses or one for all
    class_to_group_label: list[int]  # K entries, index into group_labels
    notes: list[str] = Field(default_factory=list)  # said in the report
    digest: str = ""  # of the packed data and their groups: what is made from both carries it


class DatasetInfo(PackedInfo):
    """What stages after `groups` know about a dataset: both records as one."""

    group_labels: list[str]
    class_to_group_label: list[int]
    groups: list[GroupInfo]
    formed_by: str = ""
    asked: list[AskedCue] = Field(default_factory=list)
    digest: str = ""

    @classmethod
    def of(cls, packed: PackedInfo, grouped: GroupsInfo) -> DatasetInfo:
        """`packed` with what `grouped` adds to it: its attributes in place of the annotated ones."""
        added = {name: value for name, value in grouped if name not in Artifact.model_fields}
        return cls(**{**dict(packed), **added, "notes": [*packed.notes, *grouped.notes]})
