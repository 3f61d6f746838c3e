"""The images a report shows, as small WebP data URIs, chosen from the report and kept in budget."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from PIL import Image

from pipeline.core.types import UInt8Array
from pipeline.records.attribution import AttributionResult
from pipeline.records.report import Report
from pipeline.report.page.causes import find_causes
from pipeline.report.page.gallery import gallery_ids
from pipeline.report.page.traits import find_traits
from pipeline.settings.report import ReportSettings

T = TypeVar("T")

INFLUENCES_SHOWN = 4  # helpful and harmful training images beside each test image
HARMFUL_SHOWN = 24  # of the images most harmful to the worst group
HELPFUL_SHOWN = 24  # of those that help it most
SUSPECTS_SHOWN = 12  # of the images whose label looks wrong
SETS_SHOWN = 12  # sets of duplicates of each kind
TWINS_SHOWN = 4  # images of a set
ODD_SHOWN = 10  # images of each kind of odd ones
MANY_CLASSES = 20  # more classes than this: fewer pictures of each
PICTURE_BUDGET = 3_500_000  # characters of data URIs; the rest of the 5 MB is text and tables

LOOK_CLOSER = 2  # times the thumbnail's side: test images shown one by one, for the enlarged view

_SAMPLE = 48  # pictures whose size stands for all
_MARGIN = 1.15  # a sample may miss the large ones

# (scale of the thumbnail's side, WebP quality, examples per group at most), best first.
_LEVELS = ((1.0, 85, 24), (0.75, 75, 24), (0.6, 65, 8), (0.5, 55, 4), (0.5, 45, 2), (0.4, 35, 1))


@dataclass(frozen=True)
class PictureSource:
    """Where pixels come from."""

    pixels: Callable[[int], UInt8Array]  # image id -> H W 3
    overlay: Callable[[str, str], UInt8Array]  # method, overlay's file name -> H W 3
    heat: Callable[[str, int], UInt8Array]  # method, image id -> the image under its GradCAM map, H W 3
    train_ids: Mapping[int, Sequence[int]]  # group index -> ids of its training images
    file_name: Callable[[int], str] | None = None  # image id -> where the image came from
    known_wrong: Collection[int] = ()  # ids whose label is known to be wrong
    edited: Callable[[str, int], UInt8Array] | None = None  # name of an edit, image id -> the changed image


@dataclass(frozen=True)
class Pictures:
    """Encoded pictures, ready to be placed."""

    images: Mapping[int, str] = field(default_factory=dict)  # id -> data URI
    overlays: Mapping[tuple[str, str], str] = field(default_factory=dict)
    heats: Mapping[tuple[str, int], str] = field(default_factory=dict)  # method, id -> data URI
    examples: Mapping[int, list[int]] = field(default_factory=dict)  # group index -> ids
    files: Mapping[int, str] = field(default_factory=dict)  # id -> file name
    known_wrong: frozenset[int] = frozenset()
    edits: Mapping[tuple[str, int], str] = field(default_factory=dict)  # edit, id -> the changed image
    is_reduced: bool = False  # smaller or fewer than asked for, to stay in budget


def build_pictures(
    report: Report, source: PictureSource, settings: ReportSettings, *, budget: int = PICTURE_BUDGET
) -> Pictures:
    """Encode every image the report shows, smaller or fewer where the budget asks for it.

    The size is judged on a sample, so that a level that is too large costs little; the last level
    is taken even where it is over budget, and `render_report` then says what to do.
    """
    overlays = [(m, o.image) for m, cam in report.gradcam.items() for o in cam.overlays]
    always = Counter(image for attribution in report.attribution.values() for image in _ids(attribution))
    always.update(o.id for cam in report.gradcam.values() for o in cam.overlays)
    always.update(_color_ids(report))
    always.update(_hygiene_ids(report))
    always.update(image.id for image in report.images)
    always.update(gallery_ids(report))
    always.update(image.id for image in find_causes(report))
    always.update(image for shown in find_traits(report) for image in shown.ids)
    edits = [(e.edit, e.id) for e in report.edits] if source.edited else []
    always.update(image for _, image in edits)
    large = {image.id for image in report.images}
    heats = [(m, i.id) for i in report.images for m, o in i.methods.items() if o.map_class is not None]
    for level, (scale, quality, most_examples) in enumerate(_LEVELS):
        side = max(24, round(settings.thumbnail * scale))
        n_examples = min(settings.examples_per_group, most_examples)
        examples = {group: spread(ids, n_examples) for group, ids in source.train_ids.items()}
        uses = always + Counter(image for ids in examples.values() for image in ids)

        def picture(image: int, side: int = side, quality: int = quality) -> str:
            return encode(source.pixels(image), side * (LOOK_CLOSER if image in large else 1), quality)

        sample = [len(picture(image)) for image in spread(list(uses), _SAMPLE)]
        closer = [len(encode(source.heat(*heat), LOOK_CLOSER * side, quality)) for heat in spread(heats, 8)]
        expected = _mean(sample) * (uses.total() + len(overlays) + len(edits)) + _mean(closer) * len(heats)
        is_reduced = level > 0
        if expected * _MARGIN <= budget:
            break
    return Pictures(
        images={image: picture(image) for image in uses},
        overlays={key: encode(source.overlay(*key), side, quality) for key in overlays},
        heats={key: encode(source.heat(*key), LOOK_CLOSER * side, quality) for key in heats},
        edits={key: encode(source.edited(*key), side, quality) for key in edits} if source.edited else {},
        examples=examples,
        files={image: source.file_name(image) for image in uses} if source.file_name else {},
        known_wrong=frozenset(image for image in uses if image in source.known_wrong),
        is_reduced=is_reduced,
    )


def _ids(attribution: AttributionResult) -> list[int]:
    """Ids of one method's attribution pictures, an id as often as it is shown."""
    found = [influence.id for influence in attribution.most_harmful_to_worst[:HARMFUL_SHOWN]]
    found += [influence.id for influence in attribution.most_helpful_to_worst[:HELPFUL_SHOWN]]
    if attribution.label_errors is not None:
        for suspected in attribution.label_errors.lists:
            found += [suspect.id for suspect in suspected.suspects[:SUSPECTS_SHOWN]]
    for target in attribution.targets:
        found += [i.id for i in target.helpful[:INFLUENCES_SHOWN]]
        found += [i.id for i in target.harmful[:INFLUENCES_SHOWN]]
    return found


def examples_shown(n_classes: int) -> int:
    """Most and least typical images shown of each class."""
    return 4 if n_classes <= MANY_CLASSES else 2


def _color_ids(report: Report) -> list[int]:
    examples = report.color.examples
    n = examples_shown(len(examples))
    return [image for e in examples for image in (*e.typical[:n], *e.atypical[:n])]


def _hygiene_ids(report: Report) -> list[int]:
    if report.hygiene is None:
        return []
    sets = [s for found in report.hygiene.duplicates for s in found.sets[:SETS_SHOWN]]
    twins = [image for s in sets for image in s.ids[:TWINS_SHOWN]]
    return twins + [image for issue in report.hygiene.issues for image in issue.ids[:ODD_SHOWN]]


def _mean(sizes: Sequence[int]) -> float:
    return sum(sizes) / max(len(sizes), 1)


def spread(items: Sequence[T], n: int) -> list[T]:
    """At most `n` of `items`, evenly spaced: the same ones in every run."""
    if len(items) == 0:
        return []
    rows = np.unique(np.linspace(0, len(items) - 1, min(n, len(items))).round().astype(int))
    return [items[row] for row in rows]


def encode(image: UInt8Array, side: int, quality: int) -> str:
    """A WebP data URI whose longer side is at most `side` pixels; small images keep their pixels."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="WEBP", quality=quality, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
