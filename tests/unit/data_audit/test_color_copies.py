"""Copies that hygiene finds stay together in color's folds: a copy in another fold is memory, not a cue."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.datasets import load_packed_split, write_samples
from pipeline.artifacts.files import load_artifact, save_artifact
from pipeline.artifacts.hygiene_tables import (
    fold_copies,
    load_copies,
    load_odd_images,
    save_copies,
    save_odd_images,
)
from pipeline.cli.main import main
from pipeline.core.errors import ArtifactError
from pipeline.records.color import ColorResult
from tests import ROOT
from tests.fixtures.hygiene import crops, jpeg, packed_info

PARAMS = ROOT / "params.yaml"
N_ORIGINALS, N_COPIES = 30, 10


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty pictures, each of them ten times, exact or re-encoded; labels are a coin flip per picture."""
    root = tmp_path_factory.mktemp("project")
    shutil.copy(PARAMS, root / "params.yaml")
    folder = root / "data" / "photo_digits" / "packed"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    original = rng.permutation(np.repeat(np.arange(N_ORIGINALS), N_COPIES))
    pictures = crops(N_ORIGINALS)
    images = np.stack([pictures[o] if i % 2 else jpeg(pictures[o], 92) for i, o in enumerate(original)])
    labels = rng.permutation(np.arange(N_ORIGINALS) % 2)[original]
    np.save(folder / "images.npy", images)
    np.save(folder / "masks.npy", np.empty((0, 32, 32), np.uint8))
    splits = np.repeat(["train", "val", "test"], [200, 20, 80])
    columns = {"label": labels, "split": splits}
    write_samples(
        folder, pd.DataFrame({"id": np.arange(len(labels)), "file": original.astype(str), **columns})
    )
    save_artifact(folder / "dataset.json", packed_info(images, (200, 20, 80)))
    return root


def test_copies_across_folds_tell_the_label_until_hygiene_has_found_them(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    out = project / "audit" / "photo_digits"
    assert main(["color", "photo_digits"]) == 0
    before = load_artifact(out / "color.json", ColorResult).color_only
    assert main(["hygiene", "photo_digits"]) == 0
    assert main(["color", "photo_digits"]) == 0
    after = load_artifact(out / "color.json", ColorResult).color_only
    assert before.kappa > 0.5
    assert before.p_value < 0.05
    assert after.low < 0
    assert after.p_value > 0.05
    copy_set = load_copies(out / "copies.parquet", "")
    original = pd.read_parquet(project / "data/photo_digits/packed/samples.parquet")["file"].to_numpy()
    assert copy_set is not None
    pairs = set(zip(copy_set.tolist(), original.tolist(), strict=True))
    assert len(pairs) <= 1.1 * N_ORIGINALS, "one set a picture, but for a copy that is missed"
    assert len({found for found, _ in pairs}) == len(pairs), "no set holds two pictures"


def test_copies_of_other_data_and_no_table_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "audit" / "birds" / "copies.parquet"
    assert load_copies(path, "now") is None
    save_copies(path, np.arange(3), "before")
    assert load_copies(path, "before") is not None
    with pytest.raises(ArtifactError, match=r"other data.*: dvc repro hygiene@birds"):
        load_copies(path, "now")
    path.write_text("no table")
    with pytest.raises(ArtifactError, match="not a table of hygiene's"):
        load_copies(path, "now")


def test_a_class_of_copies_alone_does_not_hide_its_color(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In one fold, no other fold could learn the class: the cue would seem to be absent."""
    monkeypatch.chdir(project)
    folder, path = project / "data/photo_digits/packed", Path("audit/photo_digits/copies.parquet")
    train, test = load_packed_split(folder, "train"), load_packed_split(folder, "test")
    labels = pd.read_parquet(folder / "samples.parquet")["label"].to_numpy()
    for classes, is_folded in (([1], False), ([], True)):
        copy_set = np.arange(len(labels))
        copy_set[np.isin(labels, classes)] = 0
        copy_set[:2] = 0
        save_copies(path, copy_set, train.packing)
        found, _ = fold_copies("photo_digits", train, test)
        assert (found.sources is not None) is is_folded
        assert ("copies count by themselves" in caplog.text) is not is_folded
        caplog.clear()


def test_odd_images_are_read_back_by_kind_and_refused_of_other_data(tmp_path: Path) -> None:
    path = tmp_path / "audit" / "birds" / "odd_images.parquet"
    save_odd_images(path, {"dark": np.array([True, False]), "grey": np.array([False, False])}, "before")
    found = load_odd_images(path, "before")
    assert {kind: is_odd.tolist() for kind, is_odd in found.items()} == {
        "dark": [True, False],
        "grey": [False] * 2,
    }
    with pytest.raises(ArtifactError, match=r"other data.*: dvc repro hygiene@birds"):
        load_odd_images(path, "now")
    with pytest.raises(ArtifactError, match="not a table of hygiene's"):
        load_odd_images(tmp_path / "no.parquet", "before")
