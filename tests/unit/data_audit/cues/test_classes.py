"""The class that a cue alone names: the planted one, and never by the cue's own training images."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.cue_classes import load_cue_classes, save_cue_classes
from pipeline.artifacts.packing import StaleError
from pipeline.core.errors import ArtifactError
from pipeline.core.types import SPLIT_NAMES, Int64Array, PackedSplit, SplitName
from pipeline.cues.cue import Seen
from pipeline.cues.look import Looked
from pipeline.data_audit.cues.classes import name_classes
from tests.fixtures.cues import SETTINGS, corner, found_cue, found_cues, planted, textures

CORNER = found_cue("corners", part="top right", kind="pixels")


def cut(looked: Looked, *ends: int) -> dict[SplitName, Looked]:
    parts = np.split(np.arange(len(looked.labels_N)), ends)
    return {name: looked.take(rows) for name, rows in zip(SPLIT_NAMES, parts, strict=True)}


def test_a_planted_cue_is_read_off_every_image() -> None:
    looked, cue_N = planted(corner, kappa=0.8, n=900)
    splits = cut(looked, 500, 700)
    noise, trees = found_cue("noise", found=False), found_cue("color", classifier="trees")
    named = name_classes(found_cues(CORNER, trees, noise), splits, SETTINGS)
    for name, planted_N in zip(SPLIT_NAMES, np.split(cue_N, [500, 700]), strict=True):
        assert (named[name]["corners top right"] == planted_N).mean() > 0.97, name
        assert set(named[name]) == {"corners top right", "color"}


def test_training_images_are_read_by_others() -> None:
    """Fitted on the very images, a cue of many numbers seems to tell classes that nothing tells."""
    looked, _ = planted(None, n=240)
    splits = cut(looked, 200, 240)
    result = found_cues(found_cue("thumbnail", kind="pixels"))
    named, train = name_classes(result, splits, SETTINGS), splits["train"]
    itself = name_classes(result, splits | {"val": train}, SETTINGS)["val"]
    assert (itself["thumbnail"] == train.labels_N).mean() > 0.63, "the bait"
    assert (named["train"]["thumbnail"] == train.labels_N).mean() < 0.6
    assert len(named["test"]["thumbnail"]) == 0


def test_images_of_a_source_are_read_by_other_sources() -> None:
    rng = np.random.default_rng(0)
    scenes_N = np.arange(20).repeat(20)
    labels_N = rng.permutation(np.arange(20) % 2)[scenes_N]
    images = textures(400, 1) + rng.integers(-60, 60, (20, 1, 1, 3))[scenes_N]
    seen = Seen(np.clip(images, 0, 255).astype(np.uint8))
    found = found_cues(found_cue("color", kind="pixels"))
    hits = {}
    for name, sources_N in (("alone", None), ("together", scenes_N)):
        named = name_classes(found, {"train": Looked(seen, labels_N, sources_N)}, SETTINGS)
        hits[name] = (named["train"]["color"] == labels_N).mean()
    assert hits["alone"] > 0.75, "the bait"
    assert hits["together"] < 0.65


def test_pixels_are_read_block_by_block_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    looked, _ = planted(corner, kappa=0.8, n=300)
    splits, found = cut(looked, 200, 200), found_cues(CORNER)
    settings = SETTINGS.model_copy(update={"max_train": 100})
    whole = name_classes(found, splits, settings)
    monkeypatch.setattr("pipeline.data_audit.cues.classes.BLOCK", 7)
    for name, columns in name_classes(found, splits, settings).items():
        np.testing.assert_array_equal(columns["corners top right"], whole[name]["corners top right"])


def test_images_beyond_those_that_are_looked_at_are_read_by_these() -> None:
    settings = SETTINGS.model_copy(update={"max_train": 300})
    looked, cue_N = planted(corner, kappa=0.8, n=900)
    splits = cut(looked, 900, 900)
    named = name_classes(found_cues(CORNER), splits, settings)["train"]["corners top right"]
    assert (named == cue_N).mean() > 0.97


def test_a_hundred_classes_and_an_annotated_column_of_any_name() -> None:
    rng = np.random.default_rng(3)
    labels_N = np.arange(3000) % 100
    own_N = np.where(rng.random(3000) < 0.7, labels_N, rng.integers(0, 100, 3000)) % 20
    words = np.array([f"id, split ☃ {v}" for v in range(20)], object)[own_N]
    looked = Looked(Seen(textures(3000, 0)[:, ::4, ::4], columns={"id": words}), labels_N)
    splits = cut(looked, 2000, 2500)
    named = name_classes(found_cues(found_cue("attr_id", kind="column")), splits, SETTINGS)
    for name, split in splits.items():
        hits = (named[name]["attr_id"] == split.labels_N).mean()
        assert 0.08 < hits < 0.3, "twenty words for a hundred classes: a fifth of .7 at most"


def packed(name: SplitName, ids: Int64Array) -> PackedSplit:
    images = np.zeros((len(ids), 1, 1, 3), np.uint8)
    return PackedSplit(name, images, ids % 2, ids, ids.astype(str))


def test_the_table_gives_back_each_splits_classes_and_knows_its_data(tmp_path) -> None:
    splits = {
        name: packed(name, ids) for name, ids in zip(SPLIT_NAMES, np.split(np.arange(9), [4, 4]), strict=True)
    }
    named = {"train": {"corners": np.array([3, 1, 2, 0])}, "val": {}, "test": {"corners": np.arange(5)}}
    named["val"] = {"corners": np.zeros(0, np.int64)}
    path = tmp_path / "audit" / "birds" / "cue_classes.parquet"
    path.parent.mkdir(parents=True)
    save_cue_classes(path, splits, named, "p")
    found = load_cue_classes(path, "p")
    for name, split in splits.items():
        assert found.of("corners", split).tolist() == named[name]["corners"].tolist()
    assert list(pd.read_parquet(path)["split"].unique()) == ["train", "test"]
    with pytest.raises(ArtifactError, match=r"does not hold border of test's.*dvc repro cues@birds"):
        found.of("border", splits["test"])
    with pytest.raises(StaleError, match="dvc repro cues@birds"):
        load_cue_classes(path, "q")
    with pytest.raises(ArtifactError, match="does not exist"):
        load_cue_classes(tmp_path / "owls" / "cue_classes.parquet", "p")
    path.write_text("no table")
    with pytest.raises(ArtifactError, match="is not a table"):
        load_cue_classes(path, "p")
