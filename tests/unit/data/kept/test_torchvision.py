"""Classes of torchvision, from files as they ship: splits, names and pixels, and no code out of pickles."""

import hashlib
import pickle
import struct

import numpy as np
import pytest
import torchvision
from PIL import Image

from pipeline.core.errors import InputError, UnsafeArchiveError
from pipeline.data.fetch.safe_pickle import without_code
from pipeline.data.raw import RawDataset, RawRow
from tests.fixtures.kept import load, pack

RNG = np.random.default_rng(5)
COARSE = ["big", "small"]


def source(cls, path=None, **changes):
    return {"kind": "torchvision", "class": cls, "path": None if path is None else str(path)} | changes


def write_mnist(root, name="MNIST"):
    """The four files of MNIST, uncompressed."""
    images, labels = (
        RNG.integers(0, 256, (30, 28, 28)).astype(np.uint8),
        (np.arange(30) % 10).astype(np.uint8),
    )
    folder = root / name / "raw"
    folder.mkdir(parents=True)
    for part, rows in (("train", slice(0, 20)), ("t10k", slice(20, 30))):
        some, own = images[rows], labels[rows]
        (folder / f"{part}-images-idx3-ubyte").write_bytes(
            struct.pack(">4L", 2051, len(some), 28, 28) + some.tobytes()
        )
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2L", 2049, len(own)) + own.tobytes())
    return images, labels


def write_cifar(root, monkeypatch, harm=None):
    """CIFAR-100 in its own pickles, made small; torchvision is told their checksums."""
    cls, folder = torchvision.datasets.CIFAR100, root / "cifar-100-python"
    folder.mkdir(parents=True)
    images, labels = RNG.integers(0, 256, (30, 3072)).astype(np.uint8), [i % 2 for i in range(30)]

    def dump(name, content):
        data = pickle.dumps(content, protocol=2)
        (folder / name).write_bytes(data)
        return [name, hashlib.md5(data).hexdigest()]

    train = {"data": images[:20], "fine_labels": labels[:20], "harm": harm}
    monkeypatch.setattr(cls, "train_list", [dump("train", train)])
    monkeypatch.setattr(cls, "test_list", [dump("test", {"data": images[20:], "fine_labels": labels[20:]})])
    name, md5 = dump("meta", {"fine_label_names": COARSE})
    monkeypatch.setattr(cls, "meta", {"filename": name, "key": "fine_label_names", "md5": md5})
    return images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels


def as_arrays(images, names, splits):
    rows = [RawRow(f"{i}", image, names[i], splits[i]) for i, image in enumerate(images)]
    return RawDataset("t", "t", "t", rows)


def test_mnist_from_its_own_files(tmp_path):
    images, labels = write_mnist(tmp_path)
    raw = load(source("MNIST", tmp_path))
    assert raw.classes[:2] == ["0 - zero", "1 - one"]
    assert [row.name for row in raw.rows][19:21] == ["train/19", "test/0"]
    gray = np.repeat(images[..., None], 3, axis=3)
    plain = as_arrays(gray, [raw.classes[label] for label in labels], ["train"] * 20 + ["test"] * 10)
    assert pack(raw, tmp_path / "a", image_size=28) == pack(plain, tmp_path / "b", image_size=28)


def test_cifar_from_its_own_files(tmp_path, monkeypatch):
    images, labels = write_cifar(tmp_path, monkeypatch)
    raw = load(source("CIFAR100", tmp_path))
    plain = as_arrays(images, [COARSE[label] for label in labels], ["train"] * 20 + ["test"] * 10)
    assert pack(raw, tmp_path / "a", image_size=32) == pack(plain, tmp_path / "b", image_size=32)
    assert {file.name for file in raw.decided_by} == {"train", "test", "meta"}


class Harm:
    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


def test_a_pickle_that_asks_for_code_is_refused_though_its_checksum_fits(tmp_path, monkeypatch):
    write_cifar(tmp_path, monkeypatch, harm=Harm())
    with pytest.raises(UnsafeArchiveError, match=r"CIFAR100: a pickle asks for .*exec"):
        load(source("CIFAR100", tmp_path))
    data = pickle.dumps(Harm())
    with without_code("outer"):
        with without_code("inner"):
            pass
        with pytest.raises(UnsafeArchiveError, match="outer"):
            pickle.loads(data)
    assert pickle.loads(pickle.dumps(np.float64)) is np.float64, "what others unpickle is theirs"


def test_datasets_of_pictures_in_memory(tmp_path):
    options = {"size": 40, "image_size": [3, 8, 8], "num_classes": 3}
    raw = load(source("FakeData", options=options))
    theirs = torchvision.datasets.FakeData(**options)
    plain = as_arrays(
        [np.asarray(theirs[i][0]) for i in range(40)],
        [str(int(theirs[i][1])) for i in range(40)],
        [None] * 40,
    )
    assert pack(raw, tmp_path / "a") == pack(plain, tmp_path / "b")
    with pytest.raises(InputError, match=r"FakeData\(sizes=3\) failed: TypeError"):
        load(source("FakeData", options={"sizes": 3}))
    for key in ("transform", "root", "download", "loader"):
        with pytest.raises(InputError, match=f"source.options has {key}"):
            load(source("FakeData", options={key: 1}))


def write_pcam_like(root, splits=("train", "test")):
    """GTSRB's layout is the simplest of those with `split=`."""
    for split, folder in (("train", "GTSRB/Training"), ("test", "GTSRB/Final_Test/Images")):
        if split not in splits:
            continue
        place = root / "gtsrb" / folder
        for i in range(6):
            inner = place / f"{i % 2:05}" if split == "train" else place
            inner.mkdir(parents=True, exist_ok=True)
            Image.fromarray(RNG.integers(0, 256, (8, 8, 3)).astype(np.uint8)).save(inner / f"{i:05}.ppm")
    if "test" in splits:
        lines = "".join(f"{i:05}.ppm;0;0;0;0;0;0;{i % 2}\n" for i in range(6))
        header = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n"
        (root / "gtsrb" / "GT-final_test.csv").write_text(header + lines)


def test_splits_are_those_of_the_split_argument(tmp_path):
    write_pcam_like(tmp_path)
    raw = load(source("GTSRB", tmp_path))
    assert [row.split for row in raw.rows] == ["train"] * 6 + ["test"] * 6
    assert {row.label for row in raw.rows} == {"0", "1"}
    said = load(source("GTSRB", tmp_path, splits={"train": ["test"], "test": ["train"]}))
    assert [row.split for row in said.rows] == ["train"] * 6 + ["test"] * 6
    one = load(source("GTSRB", tmp_path, options={"split": "test"}))
    assert [row.split for row in one.rows] == [None] * 6
    none = load(source("GTSRB", tmp_path, split_argument="none"))
    assert len(none.rows) == 6
    with pytest.raises(InputError, match="split_argument = 'fold': GTSRB takes root, split"):
        load(source("GTSRB", tmp_path, split_argument="fold"))


def test_a_split_whose_files_are_missing_is_said(tmp_path):
    write_pcam_like(tmp_path, splits=("train",))
    raw = load(source("GTSRB", tmp_path))
    assert {row.split for row in raw.rows} == {"train"}
    assert any(note.startswith("no test split: torchvision.datasets.GTSRB") for note in raw.notes)
    with pytest.raises(InputError, match=r"GTSRB\(.*\) failed: RuntimeError: Dataset not found"):
        load(source("GTSRB", tmp_path / "gtsrb"))


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        ("MNSIT", "is no dataset of torchvision; did you mean 'MNIST'"),
        ("VisionDataset", "is no dataset of torchvision"),
        ("os", "is no dataset"),
        ("__all__", "is no dataset"),
    ],
)
def test_names_that_are_no_class_are_refused(cls, message):
    with pytest.raises(InputError, match=message):
        load(source(cls, "."))


def test_paths_and_downloads(tmp_path):
    with pytest.raises(InputError, match=r"source\.path is not set: MNIST needs the folder"):
        load(source("MNIST"))
    with pytest.raises(InputError, match="is not a folder"):
        load(source("MNIST", tmp_path / "none"))
    with pytest.raises(InputError, match="would be written into"):
        load(source("MNIST", tmp_path, download=True))
    with pytest.raises(InputError, match="ImageFolder cannot download"):
        load(source("ImageFolder", download=True), tmp_path / "downloads")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "downloads"]


def test_labels_that_are_no_class_and_images_that_are_none_say_so(tmp_path):
    class Odd(torchvision.datasets.VisionDataset):
        def __init__(self, root=None, label=None, image=None):
            self.label, self.image = label, image

        def __len__(self):
            return 4

        def __getitem__(self, i):
            return self.image, self.label

    names = torchvision.datasets.__all__
    torchvision.datasets.Odd, torchvision.datasets.__all__ = Odd, (*names, "Odd")
    try:
        for label, message in (
            ([1, 2], "list '.1, 2.' as the label"),
            (None, "NoneType"),
            (-1, "label -1"),
            (0.5, "0.5"),
        ):
            with pytest.raises(InputError, match=message):
                load(source("Odd", tmp_path, options={"label": label, "image": Image.new("RGB", (4, 4))}))
        raw = load(source("Odd", tmp_path, options={"label": "a", "image": "video"}))
        with pytest.raises(InputError, match="gives str as an image"):
            raw.rows[0].image.read()
    finally:
        torchvision.datasets.__all__ = names
        del torchvision.datasets.Odd
