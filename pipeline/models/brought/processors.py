"""Whether an image comes to a network of Hugging Face's as its own image processor would bring it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.models.adapted import Door, enter

_SIDE = 96  # px of the image that both are shown
_NEAR = 3 / 255  # mean difference, in units of pixels; rounding and filters differ by less

DIFFERS = (
    "its own image processor does more than resizing, cutting the middle out and normalizing: what it is "
    "shown here differs from that. Where it matters, let a function (`kind: python`) return a network that "
    "does the rest"
)


def check_door(folder: Path, door: Door) -> list[str]:
    """A sentence where the folder's own processor shows the network something else; empty where the same."""
    theirs = _processed(folder)
    if theirs is None:
        return []
    with torch.no_grad():
        mean, std = (torch.tensor(list(values)).view(1, 3, 1, 1) for values in (door.mean, door.std))
        pixels = torch.from_numpy(_image()).permute(2, 0, 1)[None].float() / 255
        ours = enter(pixels, door.matrix(_SIDE), mean, std, is_bgr=door.is_bgr)
    differ = theirs.shape != ours.shape or float(((theirs - ours) * std).abs().mean()) > _NEAR
    return [DIFFERS] if differ else []


def _processed(folder: Path) -> torch.Tensor | None:
    """The image as their processor gives it; None where there is none that can be run here."""
    import transformers
    from PIL import Image

    auto: Any = transformers.AutoImageProcessor
    with quiet():
        try:
            own = auto.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
            found = own(Image.fromarray(_image()), return_tensors="pt")["pixel_values"]
        except Exception:  # whatever it may raise: what its file says is gone by
            return None
    return found if isinstance(found, torch.Tensor) else None


def _image() -> Any:
    """Smooth, of three unlike channels, unlike itself mirrored."""
    y, x = np.mgrid[0:_SIDE, 0:_SIDE] / (_SIDE - 1)
    return np.stack([255 * x, 255 * y * x, 200 * (1 - y) + 20], axis=2).astype(np.uint8)


@contextmanager
def quiet() -> Iterator[None]:
    """Transformers' progress bars and tables of tensors say nothing that our messages do not."""
    from transformers.utils import logging

    theirs: Any = logging

    level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity(theirs.CRITICAL)
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        theirs.set_verbosity(level)
        if bars:
            theirs.enable_progress_bar()
