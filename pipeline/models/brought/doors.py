"""How a network that somebody else made is shown an image, from what was saved with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError
from pipeline.models.adapted import Door
from pipeline.models.brought.sources import PROCESSOR
from pipeline.settings.models import NetworkModel

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean, deviation
_WARPED = 384  # px: from here on ConvNeXt's processor cuts nothing away
_LEVIT = 256 / 224  # its processor resizes to so much more than its `size`


def timm_door(saved: Mapping[str, Any], entry: NetworkModel, where: str) -> Door:
    """Of timm's `pretrained_cfg`.

    Raises:
        InputError: it is for other images than square ones of three channels, or makes no sense.
    """
    from pipeline.models.timm_zoo import smooth

    try:
        channels, *sides = saved.get("input_size", (3, 224, 224))
        side = entry.input_size or _one_side(sides, where)
        door = Door(
            _channels(saved.get("mean", IMAGENET[0])),
            _channels(saved.get("std", IMAGENET[1])),
            side,
            float(saved.get("crop_pct") or 1.0),
            smooth(str(saved.get("interpolation", "bicubic"))),
        )
    except (TypeError, ValueError) as error:
        raise _unreadable(where, error) from None
    three_channels(channels, where)
    return overridden(_sensible(door, where), entry)


def processor_door(
    folder: Path, saved: Mapping[str, Any] | None, own_side: Any, entry: NetworkModel, where: str
) -> tuple[Door, list[str]]:
    """Of Hugging Face's preprocessor_config.json; without one, what is usual is taken and said.

    Args:
        saved: what it holds; None: there is none.
        own_side: `image_size` of the network's config: a number, two of them, or None.

    Raises:
        InputError: it is for images that are not square, or makes no sense.
    """
    try:
        if saved is None:
            side = _own(own_side, entry, where)
            is_told = entry.input_size and entry.mean and entry.std
            missing = (
                f"{PROCESSOR} is missing: images are shown at {side} px with ImageNet's mean and deviation. "
                "Where it was trained with others, write `mean`, `std` and `input_size`"
            )
            return overridden(Door(*IMAGENET, side), entry), [] if is_told else [missing]
        door, notes = _of_processor(saved, lambda: _own(own_side, entry, where), where)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
        raise _unreadable(f"{where}: {folder / PROCESSOR}", error) from None
    return overridden(_sensible(door, where), entry), notes


def overridden(door: Door, entry: NetworkModel) -> Door:
    """With what the user wrote; where only a side is given, nothing is cut away."""
    resized: dict[str, Any] = {"side": entry.input_size, "crop_pct": 1.0} if entry.input_size else {}
    own: dict[str, Any] = {
        "mean": entry.mean,
        "std": entry.std,
        "interpolation": entry.interpolation,
        "crop_pct": entry.crop_pct,
    }
    return replace(door, **{**resized, **{key: value for key, value in own.items() if value is not None}})


def three_channels(channels: Any, where: str) -> None:
    """Refuse a network of gray or many-channel images.

    Raises:
        InputError: with what to do.
    """
    if channels != 3:  # red, green, blue
        raise InputError(
            f"{where}: the network was made for images of {channels} channels; only three are audited. Wrap "
            "it in a function that takes three (`kind: python`): for gray ones, of "
            "pixels.mean(1, keepdim=True)."
        )


def _own(own_side: Any, entry: NetworkModel, where: str) -> int:
    """The side that the network's config names."""
    return entry.input_size or (_one_side(own_side, where) if own_side else 224)


def _of_processor(
    saved: Mapping[str, Any], own_side: Callable[[], int], where: str
) -> tuple[Door, list[str]]:
    notes: list[str] = []
    does_resize = bool(saved.get("do_resize", True))
    size, crop = _side(saved.get("size"), where), _side(saved.get("crop_size"), where)
    cropped = bool(saved.get("do_center_crop")) and crop is not None
    seen = (crop if cropped else size if does_resize else None) or own_side()
    resized = _resized(saved, size if does_resize and size else seen, is_cropped=cropped)
    if not does_resize:
        notes.append(
            "its preprocessing resizes nothing, so that what it was shown depends on the images' own size: "
            f"here they are resized to {seen} px"
        )
    scale = float(saved.get("rescale_factor") or 1 / 255) * 255 if saved.get("do_rescale", True) else 255.0
    offset = 1.0 if saved.get("rescale_offset") else 0.0  # x * factor - 1
    is_normal = bool(saved.get("do_normalize", not _is_of(saved, "MobileViT")))
    mean = _channels((saved.get("image_mean") if is_normal else None) or (0.0,) * 3)
    std = _channels((saved.get("image_std") if is_normal else None) or (1.0,) * 3)
    mean = [(m + offset) / scale for m in mean]
    twice = bool(saved.get("include_top"))  # EfficientNet's divides once more
    again = _channels(saved.get("image_std") or (1.0,) * 3) if twice else [1.0] * 3
    std = [s * more / scale for s, more in zip(std, again, strict=True)]
    crop_pct = min(1.0, seen / max(resized, 1))
    is_bgr = bool(saved.get("do_flip_channel_order"))
    return Door(mean, std, seen, crop_pct, _pil_filter(saved.get("resample", 2)), is_bgr), notes


def _resized(saved: Mapping[str, Any], size: int, *, is_cropped: bool) -> int:
    """The side that an image has before its middle is cut out."""
    if crop_pct := saved.get("crop_pct"):
        if not 0 < float(crop_pct) <= 1:
            raise ValueError(f"crop_pct {crop_pct} is no share")
        return size if not is_cropped and size >= _WARPED else int(size / float(crop_pct))
    if _is_of(saved, "Levit"):
        return int(_LEVIT * size)
    return size


def _is_of(saved: Mapping[str, Any], kind: str) -> bool:
    """Whether a processor is of a kind that has rules of its own; its name has had several endings."""
    names = (saved.get(key) for key in ("image_processor_type", "feature_extractor_type"))
    return any(str(name).startswith(kind) for name in names)


def _sensible(door: Door, where: str) -> Door:
    """Refuse what no image can go through.

    Raises:
        InputError: names it.
    """
    numbers = [*door.mean, *door.std, door.crop_pct]
    is_broken = any(not abs(x) < float("inf") for x in numbers) or min(door.std) <= 0
    if is_broken or not 0 < door.crop_pct <= 1 or (door.side is not None and door.side < 1):
        raise InputError(
            f"{where}: what was saved of its preprocessing makes no sense: mean {list(door.mean)}, std "
            f"{list(door.std)}, side {door.side}, crop_pct {door.crop_pct}. Save the model again, or mend it "
            "there."
        )
    return door


def _unreadable(where: str, error: Exception) -> InputError:
    if isinstance(error, InputError):
        return error
    return InputError(
        f"{where}: what was saved of its preprocessing cannot be read ({error}). Save the model again, or "
        "mend it there."
    )


def _one_side(sides: Any, where: str) -> int:
    """Of a number, or of one or two equal ones."""
    found = [int(side) for side in (sides if isinstance(sides, Sequence) else [sides])]
    if len(set(found)) != 1:
        raise InputError(
            f"{where}: the network was made for images of {' x '.join(map(str, found))} px; only squares are "
            "audited. Give a side as `input_size`, if it takes others."
        )
    return found[0]


def _side(size: Any, where: str) -> int | None:
    """Of {height, width}, {shortest_edge} or a number."""
    if not isinstance(size, Mapping):
        return None if size is None else _one_side(size, where)
    keys = [k for k in ("height", "width", "shortest_edge") if isinstance(size.get(k), int | float)]
    return _one_side([size[k] for k in keys], where) if keys else None


def _channels(values: Any) -> list[float]:
    found = [float(v) for v in (values if isinstance(values, Sequence) else [values] * 3)]
    if len(found) != 3:  # red, green, blue
        raise ValueError(f"{len(found)} numbers for 3 channels")
    return found


def _pil_filter(number: Any) -> str:
    """Torch's name of Pillow's filter; Lanczos and others are nearest to bicubic."""
    return {0: "nearest", 2: "bilinear"}.get(number, "bicubic")
