"""What can be changed in an image: every intervention by name. Lines are added here.

Shape legend: n images of a batch, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pipeline.core.types import Int64Array, UInt8Array
from pipeline.cues.exchanges.backgrounds import remove_foreground
from pipeline.explain.reliance import edits
from pipeline.records.data import DatasetInfo

SWAP = "background_swap"
FILL = "background_fill"
REMOVAL = "foreground_removal"


class Batch(NamedTuple):
    """What an edit may look at: pixels, masks and ids, never labels."""

    images_nHW3: UInt8Array
    masks_nHW: UInt8Array  # all 0 where the dataset has none
    ids_n: Int64Array
    mean_color_3: UInt8Array  # of the training images
    seed: int


Edit = Callable[[Batch], UInt8Array]


@dataclass(frozen=True)
class Kind:
    """One way to change images. `edit` is None where a second image is needed."""

    family: Literal["color", "shape", "background", "object"]  # what it takes away
    words: str  # one sentence, without its end
    edit: Edit | None
    needs_masks: bool = False
    needs_cue: bool = False  # an annotated attribute with at least two values


INTERVENTIONS: dict[str, Kind] = {
    "greyscale": Kind("color", "All color removed, brightness kept", lambda b: edits.to_grey(b.images_nHW3)),
    "hue_rotation": Kind(
        "color",
        "Every color replaced by its opposite of the same brightness",
        lambda b: edits.rotate_hue(b.images_nHW3),
    ),
    "saturation": Kind(
        "color", "Colors half as strong, brightness kept", lambda b: edits.halve_saturation(b.images_nHW3)
    ),
    "patch_shuffle": Kind(
        "shape",
        "Cut into 4 × 4 patches and put together in random order: color and texture stay, shape goes",
        lambda b: edits.shuffle_patches(b.images_nHW3, edits.draw_permutations(b.ids_n, b.seed)),
    ),
    FILL: Kind(
        "background",
        "Background replaced by the training images' mean color",
        lambda b: edits.fill_background(b.images_nHW3, b.masks_nHW, b.mean_color_3),
        needs_masks=True,
    ),
    "background_blur": Kind(
        "background",
        "Background strongly blurred",
        lambda b: edits.blur_background(b.images_nHW3, b.masks_nHW),
        needs_masks=True,
    ),
    SWAP: Kind(
        "background",
        "Foreground put on the background of a random image with another value of the attribute; "
        "the control's background comes from an image with the same value",
        None,
        needs_masks=True,
        needs_cue=True,
    ),
    REMOVAL: Kind(
        "object",
        "Foreground painted over from the background around it",
        lambda b: remove_foreground(b.images_nHW3, b.masks_nHW),
        needs_masks=True,
    ),
}


def has_annotated_cue(info: DatasetInfo) -> bool:
    """Whether the primary attribute was annotated by people and can be swapped."""
    first = info.attributes[0] if info.attributes else None
    return first is not None and first.origin == "annotated" and len(first.values) > 1
