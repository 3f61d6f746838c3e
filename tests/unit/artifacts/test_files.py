"""Artifacts: written whole or not at all, checked when read."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.artifacts.checkpoints import CheckpointStore, load_weights, save_weights
from pipeline.artifacts.datasets import load_packed_split, load_samples, map_array, write_samples
from pipeline.artifacts.files import fresh_dir, load_artifact, save_artifact, write_atomic, write_text
from pipeline.artifacts.provenance import file_digest, make_provenance, settings_hash
from pipeline.core.errors import ArtifactError, InputError
from pipeline.models.registry import build_model
from pipeline.records.base import Provenance
from pipeline.records.color import ColorResult
from pipeline.records.data import AttributeInfo
from pipeline.records.gradcam import GradcamResult
from tests.fixtures.audit import make_info

CAM = GradcamResult(
    provenance=Provenance(),
    method="erm",
    library="grad-cam",
    layer="stages.3",
    computed_by="closed form",
    cells=[4, 4],
    n_images=1,
    n_models=1,
    blank_rate=0.0,
    energy_in_mask=None,
    mask_area=None,
    lift=None,
    pointing=None,
    pointing_by_chance=None,
    faithfulness=None,
    sanity=[],
    groups=[],
    overlays=[],
    seconds=1.0,
)


def test_round_trip_and_schema_checks(tmp_path: Path) -> None:
    path = tmp_path / "a" / "cam.json"
    save_artifact(path, CAM)
    assert load_artifact(path, GradcamResult) == CAM
    with pytest.raises(ArtifactError, match="is not a ColorResult"):
        load_artifact(path, ColorResult)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    with pytest.raises(ArtifactError, match="schema version 99"):
        load_artifact(path, GradcamResult)
    path.write_text("{")
    with pytest.raises(ArtifactError, match="not valid JSON"):
        load_artifact(path, GradcamResult)
    with pytest.raises(ArtifactError, match=r"does not exist.*dvc repro"):
        load_artifact(tmp_path / "none.json", GradcamResult)


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        write_atomic(path, fail)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_failing_folder_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "data"
    with fresh_dir(target) as folder:
        (folder / "x").write_text("old")

    def fail() -> None:
        with fresh_dir(target) as folder:
            (folder / "x").write_text("half")
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        fail()
    assert (target / "x").read_text() == "old"
    assert os.listdir(tmp_path) == ["data"]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A 1 MiB tmpfs, where this user may mount one."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command")
    if done.returncode:
        pytest.skip("may not mount a tmpfs here")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def test_full_disk_is_said_and_leaves_the_old_file(tiny_disk: Path) -> None:
    path = tiny_disk / "a.txt"
    write_text(path, "old")
    with pytest.raises(InputError, match=r"disk that holds .*a\.txt is full.*free some space"):
        write_text(path, "x" * 3_000_000)
    assert path.read_text() == "old"
    with pytest.raises(InputError, match="is full"), fresh_dir(tiny_disk / "data") as folder:
        (folder / "big").write_bytes(b"x" * 3_000_000)
    assert os.listdir(tiny_disk) == ["a.txt"]


def test_full_disk_keeps_the_last_checkpoint(tiny_disk: Path) -> None:
    store = CheckpointStore(tiny_disk)
    store.save("seed_0", {"epoch": 1})
    with pytest.raises(InputError, match=r"disk that holds .*seed_0\.pt is full"):
        store.save("seed_0", {"epoch": 2, "weights": torch.zeros(1_000_000)})
    assert store.load("seed_0") == {"epoch": 1}
    assert os.listdir(tiny_disk) == ["seed_0.pt"]


def test_full_disk_is_said_of_weights_too(tiny_disk: Path) -> None:
    with pytest.raises(InputError, match=r"disk that holds .*seed_0\.safetensors is full"):
        save_weights(tiny_disk / "seed_0.safetensors", {"w": torch.zeros(1_000_000)}, {})
    assert os.listdir(tiny_disk) == []


def test_unwritable_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # root may write anywhere, so the refusal is taken from where there is one for root too
    if os.geteuid() == 0:
        target = Path("/proc/none/a.txt")
        with pytest.raises((InputError, FileNotFoundError)):
            write_text(target, "x")
    locked = tmp_path / "locked"
    locked.mkdir()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(
        InputError, match=r"cannot write .*a\.txt \(Permission denied\)\. Make the folder writable"
    ):
        write_text(locked / "a.txt", "x")


def test_weights_round_trip_and_truncation(tmp_path: Path) -> None:
    spec = {"name": "small_resnet", "n_classes": 3, "width": 4}
    model = build_model(**spec, pretrained=False, mean=[0.1, 0.2, 0.3], std=[1.0, 2.0, 3.0], seed=1)
    path = tmp_path / "w.safetensors"
    save_weights(path, model.state_dict(), spec)
    again = load_weights(path)
    pixels = torch.rand(2, 3, 32, 32)
    assert torch.equal(model.eval()(pixels), again(pixels))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_weights(path)


def test_checkpoints_refuse_pickled_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, ("true",)

    torch.save({"x": Evil()}, tmp_path / "seed_0.pt")
    with pytest.raises(Exception, match=r"[Ww]eights_only|Unsupported"):
        CheckpointStore(tmp_path).load("seed_0")


def test_split_reads_rows_of_one_split_only(tmp_path: Path) -> None:
    images = np.arange(5 * 12, dtype=np.uint8).reshape(5, 2, 2, 3)
    np.save(tmp_path / "images.npy", images)
    samples = pd.DataFrame(
        {
            "id": range(5),
            "file": list("abcde"),
            "label": [0, 1, 0, 1, 0],
            "split": ["train", "train", "val", "test", "test"],
            "attr_place": ["land", "water", "land", "water", "land"],
            "attr_light": ["day", "day", "day", "day", "night"],
        }
    )
    write_samples(tmp_path, samples)
    annotated = [
        AttributeInfo(name="place", values=["water", "land"], origin="annotated"),
        AttributeInfo(name="light", values=["day", "night"], origin="annotated"),
    ]
    info = make_info(2, annotated)
    save_artifact(tmp_path / "dataset.json", info)
    test = load_packed_split(tmp_path, "test")
    assert test.ids.tolist() == [3, 4]
    assert {name: codes.tolist() for name, codes in test.annotated.items()} == {
        "place": [0, 1],
        "light": [0, 1],
    }
    assert test.take(np.array([1])).annotated["place"].tolist() == [1]
    unlisted = [annotated[0].model_copy(update={"values": ["water"]})]
    save_artifact(tmp_path / "dataset.json", info.model_copy(update={"attributes": unlisted}))
    with pytest.raises(ArtifactError, match=r"'place' that dataset\.json does not list"):
        load_packed_split(tmp_path, "test")
    save_artifact(tmp_path / "dataset.json", info)
    assert test.files.tolist() == ["d", "e"]
    np.testing.assert_array_equal(test.images, images[3:])
    np.save(tmp_path / "images.npy", images[:4])
    with pytest.raises(ArtifactError, match="5 rows but 4 images"):
        load_packed_split(tmp_path, "test")
    with pytest.raises(ArtifactError, match="sorted"):
        write_samples(tmp_path, samples.iloc[::-1])
    samples.drop(columns="label").to_parquet(tmp_path / "samples.parquet")
    with pytest.raises(ArtifactError, match="lacks the columns"):
        load_samples(tmp_path)


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ArtifactError, match="cannot be read"):
        map_array(tmp_path / "images.npy")


def test_settings_hash_changes_with_any_setting_and_artifacts_are_not_dated() -> None:
    assert settings_hash(CAM) == settings_hash(CAM.model_copy())
    assert settings_hash(CAM) != settings_hash(CAM.model_copy(update={"blank_rate": 0.5}))
    assert make_provenance("x").created == ""
    assert make_provenance("x", dated=True).created.startswith("20")
    assert "torch" in make_provenance("x").versions


def test_digest_of_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"samples\.parquet does not exist\. Run `dvc repro`"):
        file_digest(tmp_path / "samples.parquet")
