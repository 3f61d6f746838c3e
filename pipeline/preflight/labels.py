"""Augmentations under which an image may no longer be what its label says."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.settings.train import TrainSettings

_SYMBOL_WORDS = {"digit", "digits", "letter", "letters", "number", "numbers", "character", "text", "word"}
_SYMBOL_WORDS |= {
    "sign",
    "arrow",
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
}
_SIDE_WORDS = {"left", "right", "clockwise", "anticlockwise", "counterclockwise", "lh", "rh", "os", "od"}
_COLOR_WORDS = {
    "red",
    "green",
    "blue",
    "yellow",
    "orange",
    "purple",
    "pink",
    "brown",
    "black",
    "white",
    "grey",
}
_LEAST_SYMBOLS = 5  # classes named by one digit or letter
_COLOR_WORDS |= {"gray", "ripe", "unripe", "dark", "light", "golden", "colour", "color"}


def augmentation_risks(settings: TrainSettings, classes: Sequence[str]) -> list[str]:
    """What training would do to images of classes so named, each with the key that stops it.

    Names are all there is to go by: no name, no warning.
    """
    symbols = _symbols(classes)
    sides = [name for name in classes if _words(name) & _SIDE_WORDS]
    colors = [name for name in classes if _words(name) & _COLOR_WORDS]
    found = []
    if "flip" in settings.augment:
        keep = "crop" if "crop" in settings.augment else "none"
        for named, what in ((symbols, "digits, letters or signs"), (sides, "sides")):
            if named:
                found.append(
                    f"train.augment: {settings.augment} mirrors images, and class {named[0]!r} sounds like "
                    f"{what}: mirrored they mean something else. Write train: {{ augment: {keep} }}"
                )
    if settings.auto_augment != "none" and (symbols or sides or colors):
        first = (symbols or sides or colors)[0]
        found.append(
            f"train.auto_augment: {settings.auto_augment} turns, shears and recolors images, which may "
            f"change what class {first!r} means. Write train: {{ auto_augment: none }}"
        )
    if settings.color_jitter > 0 and colors:
        found.append(
            f"train.color_jitter: {settings.color_jitter:g} changes colors, and class {colors[0]!r} is named "
            "after one. Write train: { color_jitter: 0.0 }"
        )
    return found


def _symbols(classes: Sequence[str]) -> list[str]:
    """Digits, letters, and names that speak of them. A few bare numbers are codes: two classes 0 and 1."""
    bare = [name for name in classes if re.fullmatch(r"[0-9A-Za-z]", name.strip())]
    spoken = [name for name in classes if _words(name) & _SYMBOL_WORDS]
    return spoken or (bare if len(bare) >= _LEAST_SYMBOLS else [])


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+", name.lower()))
