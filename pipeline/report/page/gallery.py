"""The images that any list speaks of, once each, with why they are there: what people look through."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipeline.records.lists import ImageList, ListKind, list_key
from pipeline.records.report import Report

KIND_WORDS: dict[ListKind, str] = {
    "harmful": "hurts the worst group",
    "suspected": "suspected label",
    "removed": "left out by a method",
    "leaking": "twin across splits",
    "contradicting": "twins with other labels",
    "duplicates": "has a duplicate",
    "odd": "odd image",
    "failures": "failed on test",
    "helpful": "helps the worst group",
}
SHOWN_PER_LIST = 24


@dataclass(frozen=True)
class GalleryCard:
    """One image and the kinds of lists that it stands in."""

    id: int
    file: str
    split: str
    label: int
    group: int
    kinds: list[ListKind]
    known_wrong: bool | None = None  # of the label; None where nothing is known of any


def gallery_lists(report: Report) -> list[ImageList]:
    """The lists that the gallery draws from: the images' own, the baseline's, and what a method left out.

    The other methods' lists are about other worst groups, under the same words. A control leaves out what the
    draw brings, which says nothing of an image.
    """
    own = (None, report.verdict.baseline)

    def is_shown(key: str, found: ImageList) -> bool:
        if found.kind == "removed":
            return found.method is not None and key == list_key("removed", found.method)
        return found.kind in KIND_WORDS and found.method in own

    return [found for key, found in report.lists.items() if is_shown(key, found)]


def gallery_ids(report: Report) -> list[int]:
    """The first images of every list of the gallery, each once: what it has pictures of."""
    return list(dict.fromkeys(image for found in gallery_lists(report) for image in _first(found)))


def _first(found: ImageList) -> list[int]:
    return list(dict.fromkeys(found.ids))[:SHOWN_PER_LIST]


def make_gallery(report: Report, pictured: Collection[int]) -> list[GalleryCard]:
    """Cards of the images that have a picture, training images and those in most kinds of lists first."""
    row_of = {image: row for row, image in enumerate(report.listed.ids)}
    kinds: dict[int, list[ListKind]] = {}
    for found in gallery_lists(report):
        for image in dict.fromkeys(found.ids):
            own = kinds.setdefault(image, [])
            if found.kind not in own:
                own.append(found.kind)
    shown = [image for image in gallery_ids(report) if image in pictured and image in row_of]
    cards = [_card(report, image, row_of[image], kinds[image]) for image in shown]
    return sorted(cards, key=lambda card: (card.split == "test", -len(card.kinds)))


def _card(report: Report, image: int, row: int, kinds: Sequence[ListKind]) -> GalleryCard:
    listed = report.listed
    return GalleryCard(
        id=image,
        file=listed.files[row],
        split=listed.splits[row],
        label=listed.labels[row],
        group=listed.groups[row],
        kinds=[kind for kind in KIND_WORDS if kind in kinds],
        known_wrong=listed.known_wrong[row] if listed.known_wrong else None,
    )


def kinds_shown(cards: Sequence[GalleryCard]) -> list[ListKind]:
    """The kinds that any card is of, in the order of `KIND_WORDS`."""
    return [kind for kind in KIND_WORDS if any(kind in card.kinds for card in cards)]
