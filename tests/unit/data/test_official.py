"""Published datasets in miniature: found in every form, checked, and read as published."""

import hashlib
import pickle
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from pipeline.artifacts.datasets import load_info, load_split
from pipeline.core.errors import DownloadError, InputError, UnsafeArchiveError
from pipeline.data.sources import cifar100, tiny_imagenet, waterbirds
from pipeline.data.sources.registry import load_raw
from pipeline.data.sources.tiny_imagenet import superclass
from pipeline.settings.sources import Source
from pipeline.statistics.retrained.label_errors import find_label_errors
from tests.fixtures.data import data_settings, pack_and_group, save_image
from tests.fixtures.official import cifar_pixels, make_cifar, make_tiny, make_waterbirds


def load(tmp_path: Path, kind: str, path: Path | None, **source):
    values = {"kind": kind, "path": None if path is None else str(path), "verify": "structure", **source}
    return load_raw(TypeAdapter(Source).validate_python(values), tmp_path / "downloads")


def pack_tar(folder: Path, archive: Path) -> Path:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:xz" if archive.suffix == ".xz" else "w:gz") as tar:
        tar.add(folder, folder.name)
    return archive


# --- CIFAR-100 ------------------------------------------------------------------------------


def test_cifar_pixels_labels_and_superclasses(tmp_path):
    raw = load(tmp_path, "cifar100", make_cifar(tmp_path / "cifar-100-python"))
    assert [row.name for row in raw.rows[3:6]] == [
        "train/train_3.png",
        "train/train_3.png (2)",
        "train/train_5.png",
    ]
    np.testing.assert_array_equal([row.image for row in raw.rows[6:]], cifar_pixels(1, 6))
    assert [row.label for row in raw.rows[:3]] == ["apple", "bee", "cat"]
    assert [row.split for row in raw.rows] == ["train"] * 6 + ["test"] * 6
    assert raw.superclasses == {"apple": "fruit", "bee": "beast", "cat": "beast"}


def cifar_forms(tmp_path: Path) -> dict[str, Path]:
    extracted = make_cifar(tmp_path / "parent" / "cifar-100-python")
    return {
        "extracted": extracted,
        "parent": extracted.parent,
        "archive": pack_tar(extracted, tmp_path / "any-name.bin"),
        "folder of the archive": pack_tar(extracted, tmp_path / "one" / "cifar-100-python.tar.gz").parent,
        "folder of a re-packed archive": pack_tar(
            extracted, tmp_path / "two" / "cifar-100-python.tar.xz"
        ).parent,
    }


@pytest.mark.parametrize(
    "form", ["extracted", "parent", "archive", "folder of the archive", "folder of a re-packed archive"]
)
def test_cifar_is_found_in_every_form(tmp_path, form):
    raw = load(tmp_path, "cifar100", cifar_forms(tmp_path)[form])
    assert len(raw.rows) == 12
    assert any("tar" in name or "any-name" in name for name in raw.checksums) == (
        "a" in form and "archive" in form
    )


def test_archives_are_extracted_once_per_content(tmp_path, monkeypatch):
    archive = cifar_forms(tmp_path)["archive"]
    load(tmp_path, "cifar100", archive)
    monkeypatch.setattr("pipeline.data.fetch.officials.extract", None)
    load(tmp_path, "cifar100", archive)


def test_without_path_the_downloads_folder_serves(tmp_path):
    pack_tar(make_cifar(tmp_path / "cifar-100-python"), tmp_path / "downloads" / "cifar-100-python.tar.gz")
    assert len(load(tmp_path, "cifar100", None).rows) == 12
    with pytest.raises(DownloadError, match=r"expected 169,001,437 bytes, got .*Delete it"):
        load(tmp_path, "cifar100", None, verify="full")


def test_full_verification_checks_the_inner_files(tmp_path, monkeypatch):
    folder = make_cifar(tmp_path / "cifar-100-python")
    with pytest.raises(InputError, match=r"train is not the official file: md5 expected 16019d7e.*structure"):
        load(tmp_path, "cifar100", folder, verify="full")
    ours = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in cifar100.MD5}
    monkeypatch.setattr(cifar100, "MD5", ours)
    archive = pack_tar(folder, tmp_path / "re-packed.tar.xz")
    assert len(load(tmp_path, "cifar100", archive, verify="full").rows) == 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": np.zeros((6, 10), np.uint8)}, "not an N x 3072 uint8"),
        ({"fine_labels": [0, 1]}, "not a list of 6 labels"),
        ({"fine_labels": [0, 1, 2, 3, 0, 0]}, r"outside 0\.\.2"),
        ({"coarse_labels": [0, 1, 1, 1, 1, 1]}, "'apple' has two superclasses"),
        ({"filenames": ["x"]}, "6 images but 1 file names"),
    ],
)
def test_cifar_files_of_another_structure(tmp_path, change, message):
    folder = make_cifar(tmp_path / "cifar-100-python")
    content = pickle.loads((folder / "train").read_bytes())
    (folder / "train").write_bytes(pickle.dumps(content | change, protocol=2))
    with pytest.raises(InputError, match=message):
        load(tmp_path, "cifar100", folder)


class _Evil:
    def __reduce__(self):
        return (print, ("executed",))


def test_cifar_with_a_malicious_pickle(tmp_path):
    folder = make_cifar(tmp_path / "cifar-100-python")
    (folder / "meta").write_bytes(pickle.dumps(_Evil()))
    with pytest.raises(UnsafeArchiveError, match=r"builtins\.print"):
        load(tmp_path, "cifar100", folder)


def test_where_nothing_is_found(tmp_path):
    with pytest.raises(InputError, match=r"does not exist\. Put cifar-100-python\.tar\.gz there"):
        load(tmp_path, "cifar100", tmp_path / "none")
    (tmp_path / "d").mkdir()
    with pytest.raises(InputError, match=r"holds neither .* Found: nothing"):
        load(tmp_path, "cifar100", tmp_path / "d")
    other = pack_tar(save_image(tmp_path / "x" / "a.png").parent, tmp_path / "d" / "cifar-100-python.tar.gz")
    with pytest.raises(InputError, match="is not CIFAR-100: it lacks train, test, meta"):
        load(tmp_path, "cifar100", other)
    for name in ("one", "two"):
        make_cifar(tmp_path / "several" / name)
    with pytest.raises(InputError, match="several copies of CIFAR-100: one, two"):
        load(tmp_path, "cifar100", tmp_path / "several")


# --- TinyImageNet ---------------------------------------------------------------------------


def test_tiny_imagenet_names_splits_and_superclasses(tmp_path):
    raw = load(tmp_path, "tiny_imagenet", make_tiny(tmp_path / "tiny-imagenet-200"))
    assert raw.classes == ["goldfish", "crane (n02012849)", "crane (n03126707)", "lemon"]
    assert list(raw.superclasses.values()) == ["animal", "animal", "artifact", "food"]
    assert [row.split for row in raw.rows] == ["train"] * 12 + ["test"] * 4
    assert raw.rows[-4].name == "val/images/val_n07749582.JPEG"
    assert raw.rows[-4].label == "lemon"
    assert raw.fingerprint


def test_tiny_imagenet_subset_needs_structure_and_says_so(tmp_path):
    folder = make_tiny(tmp_path / "tiny-imagenet-200")
    archive = tmp_path / "ten.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for file in sorted(folder.rglob("*")):
            zipped.write(file, file.relative_to(tmp_path))
    with pytest.raises(InputError, match=r"90528d7ca1a48142e341f4ef8d21d0de.*source\.verify: structure"):
        load(tmp_path, "tiny_imagenet", archive, verify="full")
    with pytest.raises(InputError, match=r"4 classes, 12 train.*200, 100,000 and 10,000.*verify: structure"):
        load(tmp_path, "tiny_imagenet", folder, verify="full")
    assert len(load(tmp_path, "tiny_imagenet", archive).rows) == 16
    own = hashlib.md5(archive.read_bytes()).hexdigest()
    assert len(load(tmp_path, "tiny_imagenet", archive, md5=own.upper()).rows) == 16
    with pytest.raises(InputError, match=r"md5 of source\.md5"):
        load(tmp_path, "tiny_imagenet", archive, md5="0" * 32)


def test_incomplete_tiny_imagenet(tmp_path):
    folder = make_tiny(tmp_path / "tiny-imagenet-200")
    (folder / "val/images/val_n01443537.JPEG").unlink()
    with pytest.raises(InputError, match="1 of 4 validation images are missing"):
        load(tmp_path, "tiny_imagenet", folder)
    shutil.rmtree(folder / "train/n02012849/images")
    with pytest.raises(InputError, match=r"has no images, but wnids\.txt names n02012849"):
        load(tmp_path, "tiny_imagenet", folder)


@pytest.mark.parametrize(
    ("wnid", "expected"),
    [
        ("n01313093", "animal"),  # Animalia, the file's first synset
        ("n02665812", "animal"),  # metamere, its last
        ("n02665985", "artifact"),  # aba
        ("n04615644", "artifact"),  # zoot suit
        ("n04616059", "other"),  # trait
        ("n07555863", "food"),  # food
        ("n07938773", "other"),  # arrangement
        ("n09193705", "natural object or place"),  # alp
        ("n09428293", "natural object or place"),  # seashore
        ("n10565667", "person"),  # scuba diver
        ("n11524662", "other"),  # weather
        ("n12267677", "plant"),  # acorn
        ("n13240203", "plant"),  # second growth
        ("n13240514", "other"),  # ownership
    ],
)
def test_wordnet_numbers(wnid, expected):
    assert superclass(wnid) == expected


def test_not_a_wordnet_number():
    with pytest.raises(InputError, match="not a WordNet noun number"):
        superclass("v00001740")


# --- Waterbirds -----------------------------------------------------------------------------


def test_waterbirds_rows_attribute_and_known_wrong_labels(tmp_path):
    raw = load(tmp_path, "waterbirds", make_waterbirds(tmp_path / "w", n_images=30, published=False))
    row = raw.rows[7]  # train: 3 land/land, 2 land/water, 2 water/land, 3 water/water
    assert (row.label, row.attributes, row.split, row.label_flipped) == (
        "waterbird",
        {"background": "water"},
        "train",
        True,
    )
    assert not raw.rows[0].label_flipped
    assert raw.attribute_values == {"background": ["land", "water"]}
    assert raw.expected_group_counts is None


def test_known_wrong_labels_of_waterbirds_reach_the_ranking_of_label_errors(tmp_path):
    folder = make_waterbirds(tmp_path / "w", published=False)
    table = pd.read_csv(folder / "metadata.csv")
    waterbird = table["y"] == 1  # all of them Eastern Towhees: every other one becomes a true waterbird
    right = waterbird & (table.index % 2 == 0)
    table.loc[right, "img_filename"] = [f"147.Least_Tern/{i}.jpg" for i in table.index[right]]
    table.to_csv(folder / "metadata.csv", index=False)
    for name in table["img_filename"]:
        save_image(folder / name)
    raw = load(tmp_path, "waterbirds", folder)
    folders = pack_and_group(raw, tmp_path / "p", data=data_settings(image_size=8))
    info, train = load_info(folders), load_split(folders, "train")
    assert train.label_flipped is not None
    towhees = np.array(["Towhee" in name for name in train.files])
    assert 0 < towhees.sum() < (train.labels == 1).sum()
    np.testing.assert_array_equal(train.label_flipped, towhees)
    found = find_label_errors(
        {"aum": np.where(towhees, 1.0, -1.0)},
        train,
        suggested_N=1 - train.labels,
        group_names=[group.name for group in info.groups],
    )
    assert found.n_known_wrong == towhees.sum()
    assert found.rankings[0].average_precision == 1.0
    assert all(
        suspect.known_wrong and info.classes[suspect.label] == "waterbird"
        for suspect in found.lists[0].suspects
    )


def test_without_a_mislabeled_species_nothing_is_known_of_labels(tmp_path):
    folder = make_waterbirds(tmp_path / "w", n_images=30, published=False)
    assert load(tmp_path, "waterbirds", folder).knows_label_flips, "Towhees are among them"
    table = pd.read_csv(folder / "metadata.csv")
    table["img_filename"] = [f"147.Least_Tern/{i}.jpg" for i in table.index]
    table.to_csv(folder / "metadata.csv", index=False)
    for name in table["img_filename"]:
        save_image(folder / name)
    assert not load(tmp_path, "waterbirds", folder).knows_label_flips


def test_waterbirds_published_counts_are_asserted_on_the_whole_table(tmp_path):
    folder = make_waterbirds(tmp_path / "w", n_images=5)
    with pytest.raises(
        InputError, match=r"11,783 of 11,788 images.*and 11,778 more.*allow_missing_images: true"
    ):
        load(tmp_path, "waterbirds", folder, verify="full")
    raw = load(tmp_path, "waterbirds", folder, verify="full", allow_missing_images=True)
    assert len(raw.rows) == 5
    table = pd.read_csv(folder / "metadata.csv")
    table.iloc[1:].to_csv(folder / "metadata.csv", index=False)
    with pytest.raises(InputError, match=r"3497/184/56/1057 images.*expected 3498/184/56/1057"):
        load(tmp_path, "waterbirds", folder, verify="full", allow_missing_images=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": 2}, r"column 'y' has 2; allowed: \[0, 1\]"),
        ({"split": "train"}, r"column 'split' has train"),
        ({"place": None}, r"column 'place' has empty cells"),
    ],
)
def test_waterbirds_with_other_values_or_columns(tmp_path, change, message):
    folder = make_waterbirds(tmp_path / "w", published=False)
    table = pd.read_csv(folder / "metadata.csv")
    table.assign(**change).to_csv(folder / "metadata.csv", index=False)
    with pytest.raises(InputError, match=message):
        load(tmp_path, "waterbirds", folder)
    table.drop(columns=list(change)).to_csv(folder / "metadata.csv", index=False)
    with pytest.raises(InputError, match=f"lacks the column.*{next(iter(change))}"):
        load(tmp_path, "waterbirds", folder)


def test_official_facts_are_the_published_ones():
    assert cifar100.OFFICIAL.md5 == "eb9058c3a382ffc7106e4002c42a8d85"
    assert tiny_imagenet.OFFICIAL.size == 248_100_043
    assert sum(sum(counts) for counts in waterbirds.PUBLISHED.values()) == 11_788
