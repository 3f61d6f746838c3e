"""A planted problem for repair: images whose wrong labels harm one group, and nothing else is amiss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.attribution.effects import Attributor
from pipeline.core.attribution_settings import AttributeSettings
from pipeline.core.types import BoolArray, Split
from tests.train_fixtures import DEFAULTS, make_split

N_WRONG = 80
HARMED = 2  # right/red


def make_attributor(folder: Path, **changes: Any) -> Attributor:
    """The shipped settings, with a small projection."""
    small = {"proj_dim": 256, "max_models": None}
    settings = AttributeSettings.model_validate(DEFAULTS["attribute"] | small | changes)
    return Attributor(settings, folder, "cpu")


def make_harmed_split(n: int = 240) -> tuple[Split, BoolArray]:
    """Four groups of n / 4 images without a shortcut, and right/red ones that are labeled left besides.

    Returns:
        the split, and which of its images have the wrong label.
    """
    sound, more = make_split(n, strength=0.5), make_split(8 * N_WRONG, strength=0.5, seed=7)
    wrong = more.take(np.flatnonzero(more.groups == HARMED)[:N_WRONG])
    wrong = replace(wrong, labels=np.zeros_like(wrong.labels), groups=np.zeros_like(wrong.groups))
    order = np.random.default_rng(0).permutation(n + N_WRONG)
    parts = {
        name: np.concatenate([getattr(sound, name), getattr(wrong, name)])[order]
        for name in ("images", "labels", "attributes", "groups", "files")
    }
    is_wrong_N = (np.arange(n + N_WRONG) >= n)[order]
    return Split(name="train", ids=np.arange(n + N_WRONG), **parts), is_wrong_N
