"""`maps.npz`: the same maps come back, and only those."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts.maps import SavedMaps, load_maps, save_maps
from pipeline.core.errors import ArtifactError


def make_maps(n: int = 5) -> SavedMaps:
    rng = np.random.default_rng(0)
    maps = np.maximum(rng.normal(size=(2, n, 4, 3)), 0).astype(np.float32) * 1e-7
    return SavedMaps(np.array([3, 1]), np.arange(100, 100 + n), rng.integers(0, 4, (2, n)), maps)


def test_round_trip_to_the_last_bit_and_byte(tmp_path: Path) -> None:
    path, again = tmp_path / "a" / "maps.npz", tmp_path / "again.npz"
    save_maps(path, make_maps())
    loaded = load_maps(path)
    assert loaded.maps_SNhw.dtype == np.float32
    for one, other in zip(make_maps(), loaded, strict=True):
        np.testing.assert_array_equal(one, other)
    save_maps(again, make_maps())
    assert path.read_bytes() == again.read_bytes()  # else DVC would see a change
    assert [p.name for p in path.parent.iterdir()] == ["maps.npz"]


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "maps.npz"
    with pytest.raises(ArtifactError, match=r"does not exist.*dvc repro"):
        load_maps(path)
    save_maps(path, make_maps())
    content = path.read_bytes()
    for broken in (b"", b"no zip", content[: len(content) // 2]):
        path.write_bytes(broken)
        with pytest.raises(ArtifactError, match="cannot be read"):
            load_maps(path)
    np.savez(path, maps=np.zeros((1, 2, 2, 2)))
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_maps(path)
    save_maps(path, make_maps()._replace(ids_N=np.arange(4)))
    with pytest.raises(ArtifactError, match=r"maps of shape \(2, 5, 4, 3\) for 2 models and 4 images"):
        load_maps(path)


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "maps.npz"
    objects = np.array([{"a": 1}], dtype=object)
    np.savez(path, schema_version=objects, seeds=objects, ids=objects, predicted=objects, maps=objects)
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_maps(path)


def test_maps_of_other_images_are_refused(tmp_path: Path) -> None:
    save_maps(tmp_path / "a.npz", make_maps())
    save_maps(tmp_path / "b.npz", make_maps()._replace(ids_N=np.arange(5)))
    first = load_maps(tmp_path / "a.npz")
    assert len(load_maps(tmp_path / "a.npz", like=first).ids_N) == 5
    with pytest.raises(ArtifactError, match="other images than the method it is compared with"):
        load_maps(tmp_path / "b.npz", like=first)
