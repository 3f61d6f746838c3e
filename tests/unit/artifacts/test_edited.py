"""`edited.npz`: the same images come back, and only those of the data there are now."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts.edited import EditedImages, load_edited, save_edited
from pipeline.artifacts.packing import StaleError
from pipeline.core.errors import ArtifactError


def make_edited(n: int = 3) -> EditedImages:
    rng = np.random.default_rng(0)
    names = np.array(["greyscale", "background_swap", "look_exchange"])[:n]
    images = rng.integers(0, 256, (n, 5, 4, 3)).astype(np.uint8)
    return EditedImages(names, np.arange(100, 100 + n), np.arange(n), np.arange(n) + 1, images)


def path_of(folder: Path) -> Path:
    return folder / "evaluation" / "birds" / "erm" / "edited.npz"


@pytest.mark.parametrize("n", [3, 0])
def test_round_trip_to_the_last_byte(tmp_path: Path, n: int) -> None:
    path, again = path_of(tmp_path), tmp_path / "again.npz"
    save_edited(path, make_edited(n), "ab12")
    for one, other in zip(make_edited(n), load_edited(path, "ab12"), strict=True):
        np.testing.assert_array_equal(one, other)
    save_edited(again, make_edited(n), "ab12")
    assert path.read_bytes() == again.read_bytes()  # else DVC would see a change
    assert [p.name for p in path.parent.iterdir()] == ["edited.npz"]


def test_images_of_other_data_are_refused(tmp_path: Path) -> None:
    save_edited(path_of(tmp_path), make_edited(), "ab12")
    with pytest.raises(StaleError, match=r"digest ab12, now cd34.*dvc repro evaluate@birds-erm"):
        load_edited(path_of(tmp_path), "cd34")


def test_damage_is_named(tmp_path: Path) -> None:
    path = path_of(tmp_path)
    with pytest.raises(ArtifactError, match=r"does not exist.*dvc repro"):
        load_edited(path, "ab12")
    save_edited(path, make_edited()._replace(ids_M=np.arange(2)), "ab12")
    with pytest.raises(ArtifactError, match=r"2 ids for images of shape \(3, 5, 4, 3\)"):
        load_edited(path, "ab12")
    objects = np.array([{"a": 1}], dtype=object)
    np.savez(path, schema_version=objects, made_from=objects, edits=objects, ids=objects, images=objects)
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_edited(path, "ab12")
