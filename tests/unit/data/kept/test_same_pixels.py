"""The same images, written by the libraries that people use, are packed to the same pixels, classes and "
"splits."""

import shutil
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest
import torchvision
import webdataset

from pipeline.artifacts.facts import load_facts
from tests.fixtures.kept import NAMES, N, load, make_kept, pack, without_places, write_plain

KEPT = make_kept()
SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    root = tmp_path_factory.mktemp("plain")
    return pack(write_plain(KEPT, root / "images"), root / "packed")


def write_parquet(folder: Path, *, n_shards=1, has_paths=True, label="label") -> None:
    features = {
        "image": datasets.Image(),
        label: datasets.ClassLabel(names=NAMES),
        "place": datasets.Value("string"),
    }
    folder.mkdir(parents=True)
    for split in SPLITS:
        rows = KEPT.of(split)
        cells = {
            "image": [{"bytes": KEPT.png(i), "path": f"im{i}.png" if has_paths else None} for i in rows],
            label: [KEPT.labels[i] for i in rows],
            "place": [KEPT.places[i] for i in rows],
        }
        whole = datasets.Dataset.from_dict(cells, features=datasets.Features(features))
        for k in range(n_shards):
            shard = whole.shard(n_shards, k)
            shard.to_parquet(str(folder / f"{split}-{k:05}-of-{n_shards:05}.parquet"), batch_size=2)


@pytest.mark.parametrize(("n_shards", "has_paths"), [(1, True), (3, False)])
def test_parquet_of_datasets(tmp_path, expected, n_shards, has_paths):
    write_parquet(tmp_path / "data", n_shards=n_shards, has_paths=has_paths)
    source = {"kind": "parquet", "path": str(tmp_path), "columns": {"attributes": ["place"]}}
    raw = load(source)
    assert raw.classes == NAMES, "in the order that ClassLabel declares"
    names = [row.name for row in raw.rows]
    assert len(set(names)) == N
    assert names == [row.name for row in load(source).rows]
    assert ("im7.png" if has_paths else "data/train-00000-of-00003.parquet:1") in names
    assert pack(raw, tmp_path / "packed") == expected
    facts = load_facts(tmp_path / "packed")
    assert set(facts["format"]) == {"PNG"}
    assert (facts["bytes"] > 0).all()
    assert facts["name_tokens"].notna().all() == has_paths, "what files were called is a fact of theirs"


def test_parquet_that_is_carved_goes_back_and_finds_the_same_pixels(tmp_path, expected):
    """Three passes over the row groups, as a split by chance asks for."""
    write_parquet(tmp_path / "data", n_shards=2)
    source = {"kind": "parquet", "path": str(tmp_path / "data"), "split_by_name": False}
    found = pack(source, tmp_path / "packed")
    assert {k: v[0] for k, v in found.items()} == {k: v[0] for k, v in expected.items()}
    assert {v[1] for v in found.values()} == {"train", "val", "test"}


@pytest.mark.parametrize("names", ["%s-%%06d.tar", "%s/%%06d.tar", "birds_%s_%%03d.tar"])
def test_shards_of_webdataset(tmp_path, expected, names):
    for split in SPLITS:
        pattern = tmp_path / "set" / (names % split)
        pattern.parent.mkdir(parents=True, exist_ok=True)
        with webdataset.ShardWriter(str(pattern), maxcount=5, verbose=0) as writer:
            for i in KEPT.of(split):
                # keys begin anew in every split, as many tools write them
                beside = {
                    "json": {"place": KEPT.places[i], "name": NAMES[KEPT.labels[i]]},
                    "cls": KEPT.labels[i],
                }
                writer.write({"__key__": f"{i % 18:06}", "png": KEPT.images[i], **beside})
    label_names = {str(i): name for i, name in enumerate(NAMES)}
    source = {"kind": "webdataset", "path": str(tmp_path / "set"), "columns": {"attributes": ["place"]}}
    raw = load(source | {"label_names": label_names})
    assert len({row.name for row in raw.rows}) == N
    assert pack(raw, tmp_path / "packed") == expected
    by_json = {"label": "name", "attributes": ["place"]}
    assert pack(source | {"columns": by_json}, tmp_path / "again") == expected


@pytest.mark.parametrize("way", ["medmnist", "keras", "channels first"])
def test_arrays_of_numpy(tmp_path, expected, way):
    arrays = {}
    names = {"medmnist": ("{}_images", "{}_labels"), "keras": ("x_{}", "y_{}")}.get(
        way, ("images_{}", "labels_{}")
    )
    for split, short in zip(SPLITS, ("train", "val", "test"), strict=True):
        images, labels = KEPT.images[KEPT.of(split)], np.array(KEPT.labels)[KEPT.of(split)]
        images = images.transpose(0, 3, 1, 2) if way == "channels first" else images
        labels = labels[:, None].astype(np.uint8) if way == "medmnist" else labels.astype(np.float32)
        arrays |= {names[0].format(short): images, names[1].format(short): labels}
        arrays[f"{short}_place"] = np.array(KEPT.places)[KEPT.of(split)]
    save = np.savez_compressed if way == "medmnist" else np.savez
    save(tmp_path / "set.npz", class_names=np.array(NAMES), **arrays)
    image, label = {"keras": ("x", "y")}.get(way, ("images", "labels"))
    columns = {"image": image, "label": label, "attributes": ["place"]}
    raw = load({"kind": "npz", "path": str(tmp_path / "set.npz"), "columns": columns})
    assert raw.classes == NAMES
    assert pack(raw, tmp_path / "packed") == expected


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("has_labels", [True, False])
def test_imagefolder_as_datasets_reads_it(tmp_path, expected, suffix, has_labels):
    root = tmp_path / "set"
    for split in SPLITS:
        rows = KEPT.of(split)
        files = [f"{NAMES[KEPT.labels[i]]}/{i}.png" for i in rows]
        for i, file in zip(rows, files, strict=True):
            (root / split / file).parent.mkdir(parents=True, exist_ok=True)
            (root / split / file).write_bytes(KEPT.png(i))
        table = pd.DataFrame({"file_name": files, "place": [KEPT.places[i] for i in rows]})
        if has_labels:
            table["label"] = [NAMES[KEPT.labels[i]] for i in rows]
        path = root / split / f"metadata.{suffix}"
        if suffix == "csv":
            table.to_csv(path, index=False)
        elif suffix == "jsonl":
            table.to_json(path, orient="records", lines=True)
        else:
            table.to_parquet(path)
    columns = {"attributes": ["place"], "label": "label" if has_labels else None}
    assert (
        pack({"kind": "imagefolder", "path": str(root), "columns": columns}, tmp_path / "packed") == expected
    )
    if has_labels and suffix == "jsonl":  # the library that the layout is of reads the same rows
        theirs = datasets.load_dataset("imagefolder", data_dir=str(root), cache_dir=str(tmp_path / "cache"))
        assert {split: len(theirs[split]) for split in SPLITS} == {s: len(KEPT.of(s)) for s in SPLITS}


def test_image_folder_of_torchvision(tmp_path, expected):
    for i in range(N):
        file = tmp_path / KEPT.splits[i] / NAMES[KEPT.labels[i]] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(KEPT.png(i))
    theirs = torchvision.datasets.ImageFolder(tmp_path / "train")
    raw = load({"kind": "torchvision", "class": "ImageFolder", "path": str(tmp_path / "train")})
    assert [(row.name, row.label) for row in raw.rows] == [
        (Path(file).relative_to(tmp_path / "train").as_posix(), theirs.classes[label])
        for file, label in theirs.samples
    ]
    assert all(isinstance(row.image, Path) for row in raw.rows), "files themselves, with what they say"
    of_train = {pixels: found[0] for pixels, found in expected.items() if found[1] == "train"}
    assert {pixels: found[0] for pixels, found in pack(raw, tmp_path / "packed").items()} == of_train
    shutil.copytree(tmp_path / "test", tmp_path / "set" / "val")
    shutil.copytree(tmp_path / "train", tmp_path / "set" / "train")
    source = {"kind": "folder", "path": str(tmp_path / "set")}
    assert len(pack(source, tmp_path / "again")) == 27


def test_places_are_read_only_where_they_are_asked_for(tmp_path, expected):
    write_parquet(tmp_path / "data")
    source = {"kind": "parquet", "path": str(tmp_path / "data")}
    assert pack(source, tmp_path / "packed") == without_places(expected)
