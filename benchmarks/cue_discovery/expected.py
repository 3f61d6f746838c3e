"""Which families of cues count as the planted one, for each kind.

`ACCEPTED` is a parameter: who knows what the detector calls its families fills it. A kind that it lacks is
planted and examined, and only whether anything at all was named is counted.
"""

from __future__ import annotations

from collections.abc import Mapping

DESCRIPTIONS: dict[str, str] = {
    "size": "width and height together, proportions equal",
    "aspect": "width by height, with equally many pixels",
    "quality": "the quality that a JPEG was saved with",
    "format": "the kind of image file: JPEG, PNG, WebP, BMP",
    "camera": "EXIF's make and model",
    "token": "a word in the file's name",
    "order": "the row's place in the table",
    "corner": "which corner has a translucent white square",
    "watermark": "a translucent mark at a random place",
    "border": "a darker rim",
    "blur": "fine detail is smoothed",
    "noise": "fine noise is added",
    "hue": "all colors are turned",
    "texture": "the direction of a faint grating",
}
ACCEPTED: Mapping[str, frozenset[str]] = {
    "size": frozenset({"image_size"}),
    "aspect": frozenset({"aspect", "image_size"}),
    "quality": frozenset({"jpeg"}),
    "format": frozenset({"file_format"}),
    "camera": frozenset({"camera"}),
    "token": frozenset({"file_name"}),
    "order": frozenset({"order"}),
    "corner": frozenset({"corners"}),
    "watermark": frozenset({"pattern", "texture", "sharpness", "noise", "spectrum"}),
    "border": frozenset({"border"}),
    "blur": frozenset({"sharpness"}),
    "noise": frozenset({"noise"}),
    "hue": frozenset({"color"}),
    "texture": frozenset({"pattern", "texture", "spectrum"}),
}
