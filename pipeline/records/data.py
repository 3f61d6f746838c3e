"""The packed dataset's card: classes, attributes, groups, source."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Artifact, Record


class AttributeInfo(Record):
    name: str
    values: list[str]
    origin: Literal["annotated", "derived", "none"]
    description: str = ""


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


class DatasetInfo(Artifact):
    """`data/<dataset>/dataset.json`."""

    name: str
    title: str
    classes: list[str]
    group_labels: list[str]  # what groups are crossed with: classes, superclasses or one for all
    class_to_group_label: list[int]  # K entries, index into group_labels
    attributes: list[AttributeInfo]  # the first one forms the groups
    groups: list[GroupInfo]
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
    digest: str = ""  # of the packed files and what their numbers mean: results carry it
    source_info: SourceInfo
