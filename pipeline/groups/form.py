"""The attribute that forms the groups: annotated, whether a cue names the class, or none.

Shape legend: N images of all splits.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.core.types import Int64Array, PackedSplit
from pipeline.records.cues import CueFinding
from pipeline.records.data import ALIGNED, CONFLICTING, AttributeInfo

NO_ATTRIBUTE = "no attribute: the groups are the classes"


class Formed(NamedTuple):
    """The attribute that forms the groups."""

    info: AttributeInfo
    values_N: Int64Array  # index of each image's value
    notes: list[str]  # for the report
    cue: str = ""  # its name, where its own guess forms the groups


def no_attribute(n: int, *notes: str) -> Formed:
    """The single value "all" for every row: groups are then the classes."""
    info = AttributeInfo(name="none", values=["all"], origin="none", description="no attribute")
    return Formed(info, np.zeros(n, np.int64), list(notes) or [NO_ATTRIBUTE])


def of_attribute(
    attributes: Sequence[AttributeInfo], splits: Sequence[PackedSplit], name: str, note: str = ""
) -> Formed:
    """An annotated one, by name."""
    info = next(attribute for attribute in attributes if attribute.name == name)
    values_N = np.concatenate([split.annotated[name] for split in splits])
    return Formed(info, values_N, [note] if note else [])


def of_cue(
    cue: CueFinding, labels_N: Int64Array, named_N: Int64Array, taken: Collection[str] = (), note: str = ""
) -> Formed:
    """Aligned where the cue alone names an image's class, conflicting where it names another.

    Args:
        named_N: class that the cue names.
        taken: names of annotated attributes.
    """
    title = cue.title if cue.part is None else f"{cue.title}, {cue.part}"
    name = f"{title} (cue)" if title in taken else title
    description = (
        f"whether {title} alone names the image's class ({ALIGNED}) or another ({CONFLICTING}); it sees "
        f"{cue.sees}, and no image was read by a classifier that was fitted on it"
    )
    info = AttributeInfo(name=name, values=[ALIGNED, CONFLICTING], origin="cue", description=description)
    share = float((named_N == labels_N).mean()) if len(labels_N) else 0.0
    notes = [
        f"groups are of a cue, not annotated: {title} alone names the class of {share:.0%} of the images"
    ]
    return Formed(info, (named_N != labels_N).astype(np.int64), [*notes, *([note] if note else [])], cue.name)


def of_clusters(values_N: Int64Array, taken: Collection[str] = ()) -> Formed:
    """Clusters inside each class, 0 the larger one.

    Args:
        taken: names of annotated attributes.
    """
    name = "cluster (inferred)" if "cluster" in taken else "cluster"
    values = [f"cluster {i + 1}" for i in range(int(values_N.max(initial=0)) + 1)]
    description = (
        "clusters, inside each class, of what the last layer of a briefly trained network sees; the first is "
        "the largest, and a cluster of one class has nothing to do with that of another"
    )
    info = AttributeInfo(name=name, values=values, origin="inferred", description=description)
    return Formed(
        info, values_N, ["groups are inferred, not annotated: clusters of a briefly trained network"]
    )
