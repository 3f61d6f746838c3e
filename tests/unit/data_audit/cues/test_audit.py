"""Cues that nobody annotated are found where they are planted, and nothing is found where there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import InputError
from pipeline.core.types import Int64Array, UInt8Array
from pipeline.cues.cue import Seen
from pipeline.cues.look import Looked
from pipeline.cues.registry import all_cues
from pipeline.data_audit.cues.audit import audit_cues
from pipeline.records.base import Provenance
from tests.fixtures.cues import SETTINGS, Plant, corner, textures, tried


def quality(images: UInt8Array, facts: pd.DataFrame, cue_N: Int64Array) -> None:
    facts["jpeg_quality"] = np.array([75.0, 92.0, 60.0])[cue_N]
    facts["bytes"] = (facts["jpeg_quality"] * 100 + np.arange(len(facts)) % 7).astype(int)


def camera(images: UInt8Array, facts: pd.DataFrame, cue_N: Int64Array) -> None:
    facts["exif_model"] = np.array(["A1", "B2", None], object)[cue_N]


def tint(images: UInt8Array, facts: pd.DataFrame, cue_N: Int64Array) -> None:
    images[cue_N == 1, :, :, 0] = np.clip(images[cue_N == 1, :, :, 0] + 25.0, 0, 255)


def middle_size(images: UInt8Array, facts: pd.DataFrame, cue_N: Int64Array) -> None:
    """Neither larger nor smaller: a straight line cannot tell it."""
    choice = np.arange(len(facts)) % 2
    facts["width"] = np.where(cue_N == 1, 320, np.where(choice == 1, 240, 480))


@pytest.mark.parametrize(
    ("plant", "name", "n"),
    [
        (quality, "jpeg", 600),
        (camera, "camera", 600),
        (corner, "corners", 600),
        (tint, "color", 1200),  # color has many hues to look at: of 600 images layout reads the tint as well
        (middle_size, "image_size", 600),
    ],
)
def test_a_planted_cue_is_named_first(plant: Plant, name: str, n: int) -> None:
    result = tried(plant, n=n)
    first = result.cues[0]
    assert (first.name, first.found, first.under) == (name, True, None)
    assert first.kappa.low < 0.6 < first.kappa.high + 0.05
    assert first.test is not None
    assert first.holds_on_test


@pytest.mark.parametrize("shares", [(0.9, 0.1), (0.25, 0.25, 0.25, 0.25)])
def test_nothing_is_found_where_nothing_tells_the_class(shares: tuple[float, ...]) -> None:
    """One of each; `benchmarks.cue_discovery` tries hundreds and writes down how often it is wrong."""
    assert [cue.name for cue in tried(None, shares=shares, n=400, trees=400).cues if cue.found] == []


def test_what_tells_no_more_stands_under_what_it_follows_from() -> None:
    found = {cue.name: cue for cue in tried(quality, kappa=0.8).cues if cue.found}
    assert found["file_size"].under == "jpeg"
    assert found["file_size"].beyond is not None
    assert found["file_size"].beyond.low <= 0.1


def test_what_is_not_in_the_pixels_stands_for_nothing_that_is() -> None:
    """A model can use the corner alone, however much more the file's name tells."""

    def both(images: UInt8Array, facts: pd.DataFrame, cue_N: Int64Array) -> None:
        facts["name_tokens"] = [[word] for word in np.array(["sea", "wood"])[cue_N]]
        is_other_N = np.random.default_rng(7).random(len(facts)) < 0.15  # the corner tells less
        corner(images, facts, np.where(is_other_N, 1 - cue_N, cue_N))

    found = {cue.name: cue for cue in tried(both, kappa=0.9).cues if cue.found}
    assert found["file_name"].under is None
    assert found["corners"].under is None
    assert next(iter(found)) == "corners"


def test_two_cues_that_tell_different_things_stand_for_themselves() -> None:
    def both(images: UInt8Array, facts: pd.DataFrame, cue_N: Int64Array) -> None:
        half = np.arange(len(facts)) % 2 == 0
        other = np.random.default_rng(5).integers(0, 2, len(facts))
        camera(images, facts, np.where(half, cue_N, other))
        facts["format"] = np.array(["JPEG", "PNG"], object)[np.where(half, other, cue_N)]

    leaders = {cue.name for cue in tried(both, kappa=0.95, n=1200).cues if cue.found and cue.under is None}
    assert {"camera", "file_format"} <= leaders


def test_one_marked_class_of_many_is_named() -> None:
    def third(images: UInt8Array, facts: pd.DataFrame, cue_N: Int64Array) -> None:
        facts["exif_model"] = np.where(cue_N == 2, "C3", "A1")

    first = next(cue for cue in tried(third, kappa=0.9, n=1500, shares=(0.2,) * 5).cues if cue.found)
    assert first.name == "camera"
    assert [one.label for one in first.classes if one.found] == ["class 2"]


def test_data_without_files_say_which_cues_they_lack() -> None:
    labels_N = np.arange(200) % 2
    looked = Looked(Seen(textures(200, 0)), labels_N)
    result = audit_cues(looked, looked, ["a", "b"], SETTINGS, Provenance())
    assert {"JPEG compression", "camera", "order of the table"} <= set(result.absent)
    assert not any(cue.found for cue in result.cues)


def test_some_images_are_read_as_they_are_looked_at_and_give_the_same() -> None:
    images = textures(60, 0)
    masks = (images[..., 0] > 120).astype(np.uint8) * 255
    rows = np.arange(0, 60, 3)
    taken = Looked(Seen(images, masks), np.arange(60) % 2).take(rows).take(np.arange(12)).seen
    read = {
        cue.name: (cue.read(taken), cue.read(Seen(images[rows[:12]], masks[rows[:12]]))) for cue in all_cues()
    }
    told = {name: (a, b) for name, (a, b) in read.items() if a is not None and b is not None}
    assert {"color", "overlay", "foreground"} <= set(told)
    assert all(np.array_equal(a.numbers, b.numbers) for a, b in told.values())


def test_one_class_cannot_be_given_away() -> None:
    looked = Looked(Seen(textures(20, 0)), np.zeros(20, np.int64))
    with pytest.raises(InputError, match="fewer than two classes"):
        audit_cues(looked, looked, ["a", "b"], SETTINGS, Provenance())


def test_scenes_stay_together() -> None:
    """Ten images of each scene share a tint and a class: images by themselves would show a cue."""
    settings = SETTINGS.model_copy(update={"trees_max_train": 400})
    rng = np.random.default_rng(2)
    scenes_N = np.arange(40).repeat(10)
    labels_N = rng.permutation(np.arange(40) % 2)[scenes_N]
    images = textures(400, 1)
    images = np.clip(images + rng.integers(-60, 60, (40, 1, 1, 3))[scenes_N], 0, 255).astype(np.uint8)
    alone = audit_cues(
        Looked(Seen(images), labels_N), Looked(Seen(images), labels_N), ["a", "b"], SETTINGS, Provenance()
    )
    together = Looked(Seen(images), labels_N, scenes_N)
    told = audit_cues(together, together, ["a", "b"], settings, Provenance())
    assert any(cue.found for cue in alone.cues), "the bait"
    assert not any(cue.found for cue in told.cues)
