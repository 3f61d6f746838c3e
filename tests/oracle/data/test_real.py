"""The published files themselves, where the folder named by PIPELINE_REAL_DATA has them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydantic import TypeAdapter

from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.paths import DataFolders
from pipeline.core.errors import InputError
from pipeline.core.types import Split, SplitName
from pipeline.data.fetch.archives import extract
from pipeline.data.sources.registry import load_raw
from pipeline.records.data import DatasetInfo
from pipeline.settings.sources import Source
from pipeline.statistics.retrained.label_errors import find_label_errors
from tests.fixtures.data import data_settings, pack_and_group, save_image

pytestmark = pytest.mark.real_data
ARCHIVES = (".tar.xz", ".tar.gz", ".zip")


@pytest.fixture(scope="module")
def downloads(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("downloads")


def find(name: str, downloads: Path, *other_names: str) -> Path:
    """The extracted folder `name`, or one of its archives extracted; skips where there is neither."""
    root = os.environ.get("PIPELINE_REAL_DATA")
    if not root:
        pytest.skip("PIPELINE_REAL_DATA is not set: no real data to test with")
    if (Path(root) / name).is_dir():
        return Path(root) / name
    for stem in (name, *other_names):
        for archive in (Path(root) / (stem + suffix) for suffix in ARCHIVES):
            if archive.is_file():
                target = downloads / f"{stem}-files"
                return (target if target.is_dir() else extract(archive, target)) / name
    pytest.skip(f"{root} has no {name}")


def load(downloads: Path, **source):
    return load_raw(TypeAdapter(Source).validate_python(source), downloads)


def pack(raw, folder: Path, **settings) -> DatasetInfo:
    return load_info(pack_and_group(raw, folder, data=data_settings(**settings)))


def read(folder: Path, name: SplitName) -> Split:
    """A split of what `pack` left in `folder`."""
    return load_split(DataFolders(folder / "packed", folder / "groups"), name)


def test_cifar100_is_the_official_one_and_matches_its_published_statistics(downloads, tmp_path):
    raw = load(downloads, kind="cifar100", path=str(find("cifar-100-python", downloads)))
    assert raw.superclasses["maple_tree"] == "trees"
    assert len(set(raw.superclasses.values())) == 20
    info = pack(raw, tmp_path / "p", image_size=32, val_fraction=0.1)
    assert info.n == {"train": 45_000, "val": 5_000, "test": 10_000}
    # The channel statistics that the literature uses for all 50,000 training images.
    np.testing.assert_allclose(info.channel_mean, [0.5071, 0.4865, 0.4409], atol=0.002)
    np.testing.assert_allclose(info.channel_std, [0.2673, 0.2564, 0.2762], atol=0.002)
    for name, per_class in (("train", 450), ("val", 50), ("test", 100)):
        split = read(tmp_path / "p", name)
        assert (np.bincount(split.labels) == per_class).all()
    assert split.files[0] == "test/volcano_s_000012.png"
    assert info.classes[split.labels[0]] == "mountain"
    thirds = [sum(g.n_train for g in info.groups if g.attribute == v) for v in info.attributes[0].values]
    assert max(thirds) - min(thirds) < 100


def test_tiny_imagenet_with_gray_jpegs(downloads, tmp_path):
    folder = find("tiny-imagenet-200", downloads, "tiny-imagenet-10")
    source = {"kind": "tiny_imagenet", "path": str(folder)}
    n_classes = len((folder / "wnids.txt").read_text().split())
    if n_classes < 200:
        with pytest.raises(InputError, match="verify: structure"):
            load(downloads, **source)
    raw = load(downloads, **source, verify="structure")
    assert len(raw.rows) == 550 * n_classes
    assert "other" not in raw.superclasses.values()
    info = pack(raw, tmp_path / "p", image_size=64, val_fraction=0.1, max_per_class=100)
    split = read(tmp_path / "p", "test")
    gray = [i for i in range(0, len(split), 5) if Image.open(folder / split.files[i]).mode == "L"]
    for i in gray:
        assert (split.images[i][..., 0] == split.images[i][..., 2]).all()
    shown = np.asarray(Image.open(folder / split.files[3]).convert("RGB"))
    np.testing.assert_array_equal(split.images[3], shown)
    assert info.n["test"] == 50 * n_classes


def test_waterbirds_published_counts(downloads):
    folder = find("waterbird_complete95_forest2water2", downloads, "waterbirds-sample")
    raw = load(downloads, kind="waterbirds", path=str(folder.parent), allow_missing_images=True)
    assert raw.rows
    assert all(row.image.is_file() for row in raw.rows)
    if len(raw.rows) < 11_788:
        with pytest.raises(InputError, match="allow_missing_images: true"):
            load(downloads, kind="waterbirds", path=str(folder))


def test_the_three_tern_species_of_waterbirds_arrive_as_known_wrong_labels(downloads, tmp_path):
    """The official metadata with stand-ins for images that the sample lacks: names decide, not pixels."""
    folder = find("waterbird_complete95_forest2water2", downloads, "waterbirds-sample")
    table = pd.read_csv(folder / "metadata.csv")
    species = table["img_filename"].str.extract(r"^\d+\.(\w+)/")[0]
    flipped = species.isin(["Western_Meadowlark", "Western_Wood_Pewee", "Eastern_Towhee"])
    assert flipped.sum() == 180, "60 images of each species of CUB-200-2011"
    assert (table.loc[flipped, "y"] == 1).all(), "published as waterbirds"
    copy = tmp_path / folder.name
    copy.mkdir()
    table.to_csv(copy / "metadata.csv", index=False)
    others = table[~flipped].groupby(["split", "y", "place"]).head(5)
    # species whose names hold "tern" too, but which are waterbirds
    real_terns = table[species.str.contains("Tern") | (species == "Western_Grebe")].groupby("split").head(5)
    kept = pd.concat([table[flipped], others, real_terns])["img_filename"].unique()
    for name in kept:
        save_image(copy / name)
    info = pack(
        load(downloads, kind="waterbirds", path=str(copy), allow_missing_images=True),
        tmp_path / "p",
        image_size=8,
    )
    for number, name in enumerate(("train", "val", "test")):
        split = read(tmp_path / "p", name)
        expected = set(table.loc[flipped & (table["split"] == number), "img_filename"])
        assert set(split.files[split.label_flipped]) == expected
        assert len(expected) > 10
    train = read(tmp_path / "p", "train")
    found = find_label_errors(
        {"aum": np.where(train.label_flipped, 1.0, -1.0)},
        train,
        suggested_N=None,
        group_names=[group.name for group in info.groups],
    )
    assert found.n_known_wrong == train.label_flipped.sum()
    assert found.rankings[0].average_precision == 1.0


def test_shorebirds_as_a_table_with_masks(downloads, tmp_path):
    folder = find("shorebirds", downloads)
    raw = load(
        downloads,
        kind="table",
        path=str(folder),
        columns={"file": "img_filename", "label": "y", "split": "split", "attributes": ["place"]},
        label_names={"0": "landbird", "1": "waterbird"},
        attribute_names={"0": "land", "1": "water"},
        masks="segmentations",
    )
    info = pack(raw, tmp_path / "p", image_size=32)
    counts = [[getattr(group, f"n_{split}") for group in info.groups] for split in ("train", "val", "test")]
    assert counts == [[2735, 137, 33, 636], [264, 301, 72, 71], [683, 670, 157, 143]]
    assert [group.name for group in info.groups][1] == "landbird / water"
    split = read(tmp_path / "p", "val")
    i = 7
    mask = np.asarray(Image.open((folder / "segmentations" / split.files[i]).with_suffix(".png"))) > 127
    assert abs((split.masks[i] > 0).mean() - mask.mean()) < 0.03
