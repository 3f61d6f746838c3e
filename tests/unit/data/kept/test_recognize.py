"""`new-dataset` knows each way of keeping images from a path, writes its entry and says what it took for "
"what."""

import io
import json
import tarfile

import datasets
import numpy as np
import pandas as pd
import pytest

from pipeline.cli.main import main
from pipeline.core.errors import InputError
from pipeline.data.entry.containers import recognize, torchvision_root
from pipeline.data.entry.guess import guess_entry, new_dataset_entry
from pipeline.plan.params_file import read_params
from tests import ROOT
from tests.fixtures.data import noise, save_image
from tests.fixtures.kept import NAMES, as_png, load, pack
from tests.unit.data.kept.test_torchvision import write_mnist

N = 48
LABELS = [i % 3 for i in range(N)]
PLACES = ["sea" if i // 3 % 2 else "land" for i in range(N)]


def png(i):
    return as_png(noise(i, 50))


def write_parquet(folder, *, unlabelled_test=False, **columns):
    folder.mkdir(parents=True)
    features = {
        "image": datasets.Image(),
        "kind": datasets.ClassLabel(names=NAMES),
        "place": datasets.Value("string"),
    }
    for split, rows in (("train", range(30)), ("validation", range(30, 39)), ("test", range(39, N))):
        kinds = [-1 if unlabelled_test and split == "test" else LABELS[i] for i in rows]
        cells = {"image": [{"bytes": png(i), "path": None} for i in rows], "kind": kinds}
        cells["place"] = [PLACES[i] for i in rows]
        whole = datasets.Dataset.from_dict(cells, features=datasets.Features(features))
        whole.to_parquet(str(folder / f"{split}-00000-of-00001.parquet"))


def write_tars(folder):
    folder.mkdir(parents=True)
    for split, rows in (("train", range(30)), ("test", range(30, N))):
        with tarfile.open(folder / f"{split}-000000.tar", "w") as tar:
            for i in rows:
                beside = json.dumps({"place": PLACES[i]}).encode()
                for ending, content in (("png", png(i)), ("cls", str(LABELS[i]).encode()), ("json", beside)):
                    info = tarfile.TarInfo(f"{i:04}.{ending}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))


def write_metadata(folder, *, suffix="csv", at_root=False, label=True):
    for split, rows in (("train", range(30)), ("test", range(30, N))):
        for i in rows:
            save_image(folder / split / NAMES[LABELS[i]] / f"{i}.png", noise(i, 50))
        names = [f"{split if at_root else '.'}/{NAMES[LABELS[i]]}/{i}.png" for i in rows]
        table = pd.DataFrame({"file_name": names, "place": [PLACES[i] for i in rows]})
        if label:
            table["label"] = [NAMES[LABELS[i]] for i in rows]
        path = folder / f"metadata.{suffix}" if at_root else folder / split / f"metadata.{suffix}"
        if suffix == "csv":
            table.to_csv(path, index=False, mode="a", header=not path.exists())
        else:
            table.to_json(path, orient="records", lines=True, mode="a")


FOLDERS = "no column is named like a label: the folder that an image lies in is its class"


def source(path, **said):
    return new_dataset_entry("x", path, **said)["source"]


def test_parquet(tmp_path):
    write_parquet(tmp_path / "set" / "data")
    columns = {"image": "image", "label": "kind", "attributes": ["place"]}
    entry = guess_entry("x", tmp_path / "set").entry
    assert entry["source"] == {"kind": "parquet", "path": str(tmp_path / "set"), "columns": columns}
    assert entry["data"] == {"image_size": 48}
    one = tmp_path / "set" / "data" / "train-00000-of-00001.parquet"
    assert source(one)["kind"] == "parquet"
    assert len(load(source(tmp_path / "set")).rows) == N
    with pytest.raises(InputError, match="no column 'knd'; did you mean 'kind'"):
        source(one, label="knd")
    with pytest.raises(InputError, match="--label-level: levels are of folders"):
        source(one, said={"label_level": 1})
    alone = source(tmp_path / "set", attributes=[], said={"split_level": 0})
    assert alone["split_by_name"] is False
    assert alone["columns"] == {"image": "image", "label": "kind"}
    assert {row.split for row in load(alone).rows} == {None}


def test_names_that_only_the_user_knows_are_mapped_by_flags(tmp_path):
    write_parquet(tmp_path / "set")
    for old, new in (("train", "years"), ("validation", "spring"), ("test", "autumn")):
        (tmp_path / "set" / f"{old}-00000-of-00001.parquet").rename(tmp_path / "set" / f"{new}-0.parquet")
    said = {"train": ["years"], "val": ["spring"], "test": ["autumn"]}
    found = source(tmp_path / "set", said={"splits": said})
    assert found["splits"] == said
    assert [row.split for row in load(found).rows] == ["test"] * 9 + ["val"] * 9 + ["train"] * 30
    with pytest.raises(InputError, match="not said"):
        source(tmp_path / "set", said={"splits": {"train": ["years"], "val": ["spring"]}})


def test_a_split_without_labels_is_left_out_and_said(tmp_path):
    write_parquet(tmp_path / "set", unlabelled_test=True)
    guessed = guess_entry("x", tmp_path / "set")
    assert guessed.entry["source"]["splits"] == {
        "train": ["train"],
        "val": ["validation"],
        "leave_out": ["test"],
    }
    assert guessed.container.notes == ["no image of test has a label: left out"]
    assert len(load(guessed.entry["source"]).rows) == 39


def test_a_table_of_file_names_in_parquet_stays_a_table(tmp_path):
    for i in range(N):
        save_image(tmp_path / f"{i}.png", noise(i))
    pd.DataFrame({"file": [f"{i}.png" for i in range(N)], "label": LABELS}).to_parquet(
        tmp_path / "list.parquet"
    )
    assert recognize(tmp_path) is None
    assert source(tmp_path)["kind"] == "table"
    assert source(tmp_path / "list.parquet")["kind"] == "table"


def test_webdataset(tmp_path):
    write_tars(tmp_path / "shards")
    columns = {"label": "cls", "attributes": ["place"]}
    expected = {"kind": "webdataset", "path": str(tmp_path / "shards"), "columns": columns}
    assert source(tmp_path / "shards") == expected
    assert source(tmp_path / "shards" / "train-000000.tar", file="png")["columns"] == {
        "image": "png",
        **columns,
    }
    assert {row.split for row in load(expected).rows} == {"train", "test"}


@pytest.mark.parametrize("is_folder", [True, False])
def test_npz(tmp_path, is_folder):
    images = np.stack([noise(i, 28) for i in range(N)])
    arrays = {"train_images": images[:30], "train_labels": np.array(LABELS)[:30, None]}
    arrays |= {"test_images": images[30:], "test_labels": np.array(LABELS)[30:, None]}
    np.savez(tmp_path / "medmnist.npz", **arrays)
    path = tmp_path if is_folder else tmp_path / "medmnist.npz"
    found = new_dataset_entry("x", path)
    columns = {"image": "images", "label": "labels"}
    assert found["source"] == {"kind": "npz", "path": str(tmp_path / "medmnist.npz"), "columns": columns}
    assert found["data"] == {"image_size": 32}
    np.savez(tmp_path / "keras.npz", x_train=images, y_train=LABELS, x_test=images, y_test=LABELS)
    assert source(tmp_path / "keras.npz")["columns"] == {"image": "x", "label": "y"}
    with pytest.raises(InputError, match=r"several \.npz \(keras\.npz, medmnist\.npz\)"):
        source(tmp_path)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("at_root", [True, False])
@pytest.mark.parametrize("label", [True, False])
def test_imagefolder(tmp_path, suffix, at_root, label):
    """Also where one file at the top names images of folders that are splits."""
    write_metadata(tmp_path / "set", suffix=suffix, at_root=at_root, label=label)
    columns = {"label": "label", "attributes": ["place"]} if label else {"attributes": ["place"]}
    found = guess_entry("x", tmp_path / "set")
    assert found.entry["source"] == {"kind": "imagefolder", "path": str(tmp_path / "set"), "columns": columns}
    assert found.container.notes == ([] if label else [FOLDERS])
    raw = load(found.entry["source"])
    assert {(row.name.split("/")[0], row.split) for row in raw.rows} == {("train", "train"), ("test", "test")}
    assert all(row.name.split("/")[1] == row.label for row in raw.rows)


def test_one_metadata_file_of_plain_images_stays_a_table(tmp_path):
    for i in range(N):
        save_image(tmp_path / f"{i}.png", noise(i))
    pd.DataFrame({"file_name": [f"{i}.png" for i in range(N)], "label": LABELS}).to_json(
        tmp_path / "metadata.jsonl", orient="records", lines=True
    )
    found = source(tmp_path)
    assert (found["kind"], found["table"]) == ("table", "metadata.jsonl")
    assert len(load(found).rows) == N


def test_roots_of_torchvision(tmp_path):
    write_mnist(tmp_path / "root")
    expected = {"kind": "torchvision", "class": "MNIST", "path": str(tmp_path / "root")}
    for path in (tmp_path / "root", tmp_path / "root" / "MNIST", tmp_path / "root" / "MNIST" / "raw"):
        assert torchvision_root(path) == ("MNIST", tmp_path / "root")
        assert source(path) == expected
    with pytest.raises(
        InputError, match=r"--label-column: .*torchvision\.datasets\.MNIST, which has no columns"
    ):
        source(tmp_path / "root", label="x")
    assert source(tmp_path / "root", said={"split_level": 0})["split_argument"] == "none"


def test_images_beside_a_tar_are_a_folder_still(tmp_path):
    for i in range(6):
        save_image(tmp_path / "set" / "ab"[i % 2] / f"{i}.png", noise(i))
    write_tars(tmp_path / "set" / "backup")
    assert source(tmp_path / "set")["kind"] == "folder"


def test_the_command_writes_the_entry_and_says_what_it_guessed(tmp_path, monkeypatch, capsys):
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    write_parquet(tmp_path / "birds")
    monkeypatch.chdir(tmp_path)
    assert main(["new-dataset", "birds", "birds", "--no-timing"]) == 0
    said = capsys.readouterr().out
    for line in (
        "images looked into (48):\n    48 x PNG RGB 50 x 50",
        "taken for: parquet",
        "images         'image' (--file-column)",
        "label          'kind' (--label-column)",
        "split          by name (--split, --no-split)",
        "groups         'place' (--attribute-column)",
        "every image was opened: 48 of 48 can be read",
    ):
        assert line in said
    settings = read_params().dataset("birds")
    assert settings.source.kind == "parquet"
    assert {
        found[0] for found in pack(read_params().datasets["birds"]["source"], tmp_path / "p").values()
    } == {*NAMES}
