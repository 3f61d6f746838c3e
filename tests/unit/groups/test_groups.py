"""Groups of packed images: which attribute forms them, derived ones, counts, notes; what is refused."""

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.datasets import load_info, load_packed_split, load_split
from pipeline.artifacts.packing import StaleError
from pipeline.artifacts.paths import dataset_dir, groups_dir
from pipeline.artifacts.plans import StagePlan, plan_path, save_plan
from pipeline.core.errors import ArtifactError, InputError
from pipeline.data.raw import RawRow
from pipeline.groups.derive import RING_FEATURES, derive_attribute
from pipeline.records.data import DatasetInfo
from pipeline.stages.groups import run
from tests.fixtures.data import (
    gray,
    group,
    groups_settings,
    noise,
    noise_rows,
    pack_and_group,
    raw_dataset,
)

SPLITS = ("train", "val", "test")


def grouped(folder, rows, superclasses=None, **settings) -> DatasetInfo:
    raw = raw_dataset(rows, superclasses=superclasses)
    return load_info(pack_and_group(raw, folder, groups=groups_settings(**settings)))


def planted_rows(n: int = 240) -> list[RawRow]:
    """Border lightness 40, 120 or 200 in equal parts, whatever the label; the center is noise."""
    rows = []
    for k in range(n):
        image = noise(k)
        border = (40, 120, 200)[k % 3]
        image[[0, -1]] = image[:, [0, -1]] = border
        rows.append(
            RawRow(f"i{k}", image, "ab"[k // 3 % 2], SPLITS[min(2, k * 4 // n - 1) if k * 2 > n else 0])
        )
    return rows


# --- which attribute forms the groups --------------------------------------------------------


def test_every_image_is_in_the_group_of_its_class_and_annotated_value(tmp_path):
    rows = [RawRow(f"i{k}", noise(k), "ab"[k % 2], SPLITS[k % 3], {"p": "xy"[k // 2 % 2]}) for k in range(60)]
    folders = pack_and_group(raw_dataset(rows), tmp_path)
    info = load_info(folders)
    assert [group.name for group in info.groups] == ["a / x", "a / y", "b / x", "b / y"]
    for name in SPLITS:
        split = load_split(folders, name)
        expected = [2 * (int(file[1:]) % 2) + int(file[1:]) // 2 % 2 for file in split.files]
        assert split.groups.tolist() == expected
        assert np.bincount(expected, minlength=4).tolist() == [getattr(g, f"n_{name}") for g in info.groups]
        assert split.take(np.array([3, 1])).groups.tolist() == [expected[3], expected[1]]


def test_superclasses_and_all_as_group_labels(tmp_path):
    rows = noise_rows(60, "abcd", attributes={"p": "x"})
    parents = {"a": "low", "b": "low", "c": "high", "d": "high"}
    info = grouped(tmp_path, rows, parents)
    assert info.group_labels == ["high", "low"]
    assert info.class_to_group_label == [1, 1, 0, 0]
    assert grouped(tmp_path, rows, parents, group_by="class").group_labels == [*"abcd"]
    assert grouped(tmp_path, rows, group_by="all").class_to_group_label == [0] * 4
    with pytest.raises(InputError, match=r"groups.group_by = 'superclass', but .* no superclasses"):
        grouped(tmp_path, rows, group_by="superclass")
    del parents["b"]
    with pytest.raises(InputError, match=r"superclass of b is not known.*groups: { group_by: class }"):
        grouped(tmp_path, rows, parents)
    assert grouped(tmp_path, rows, parents, group_by="class").group_labels == [*"abcd"]


# --- derived attributes ---------------------------------------------------------------------


def test_planted_border_levels_are_recovered_exactly_and_announced(tmp_path):
    folders = pack_and_group(raw_dataset(planted_rows()), tmp_path)
    info = load_info(folders)
    assert (info.attributes[0].origin, info.attributes[0].values) == ("derived", ["dark", "medium", "light"])
    for name in SPLITS:
        split = load_split(folders, name)
        assert split.attributes.tolist() == [int(file[1:]) % 3 for file in split.files]
        assert split.groups.tolist() == (split.labels * 3 + split.attributes).tolist()
    assert any("groups are derived, not annotated" in note for note in info.notes)


@pytest.mark.parametrize("feature", RING_FEATURES.values())
def test_the_border_is_read_image_by_image(feature):
    """To the last bit, whichever images are read together: earlier versions read them block by block."""
    images = np.stack([noise(k, 33) for k in range(40)])
    parts = [feature(images[i : i + 7]) for i in range(0, len(images), 7)]
    np.testing.assert_array_equal(np.concatenate(parts), feature(images))


def test_thresholds_come_from_train_alone():
    ring = np.concatenate([np.arange(100.0), np.full(1000, 99.5)])
    is_train = np.arange(1100) < 100
    found = derive_attribute("ring_lightness", ring, is_train, 2)
    assert np.bincount(found.values_N[is_train]).tolist() == [50, 50]
    assert (found.values_N[~is_train] == 1).all()


def test_derived_levels_do_not_depend_on_labels():
    ring = np.random.default_rng(0).normal(50, 20, 3000)
    labels = np.random.default_rng(1).integers(0, 2, 3000)
    found = derive_attribute("ring_lightness", ring, np.ones(3000, bool), 3)
    shares = [labels[found.values_N == level].mean() for level in range(3)]
    assert max(shares) - min(shares) < 0.06  # 3.5 standard errors of the null


@pytest.mark.parametrize(("share_white", "n_levels"), [(0.5, 3), (0.8, 2), (1.0, 1)])
def test_ties_leave_fewer_levels_but_never_an_empty_one(share_white, n_levels):
    ring = np.where(np.arange(1000) < share_white * 1000, 100.0, np.linspace(0, 99, 1000))
    found = derive_attribute("ring_lightness", ring, np.ones(1000, bool), 3)
    assert len(found.info.values) == n_levels
    assert np.bincount(found.values_N, minlength=n_levels).min() > 0
    assert len(found.notes) == (1 if n_levels == 3 else 2)


def test_hue_is_cut_where_no_images_are_and_gray_stands_apart():
    rng = np.random.default_rng(0)
    planted = np.repeat([0, 1, 2], 300)
    hue = (np.array([350.0, 100.0, 220.0])[planted] + rng.uniform(-25, 25, 900)) % 360  # reds wrap around
    ring = np.concatenate([hue, np.zeros(50)])
    found = derive_attribute("ring_hue", ring, np.ones(950, bool), 3)
    assert found.info.values[-1] == "gray"
    assert (found.values_N[900:] == 3).all()
    table = np.zeros((3, 3), int)
    np.add.at(table, (planted, found.values_N[:900]), 1)
    assert (table.max(axis=1) >= 295).all()  # each planted hue is one level, the red one unbroken


def test_never_derives_and_classes_are_the_groups(tmp_path):
    info = grouped(tmp_path, noise_rows(40), derive_attribute="never")
    assert info.attributes[0].origin == "none"
    assert [group.name for group in info.groups] == ["a", "b"]


def test_annotated_attribute_wins_over_an_asked_for_derived_one_and_says_so(tmp_path):
    rows = noise_rows(40, attributes={"p": "x"})
    info = grouped(tmp_path, rows, derive_attribute="ring_hue")
    assert info.attributes[0].name == "p"
    assert any("no ring_hue was derived" in note for note in info.notes)


def test_images_that_are_all_alike_have_one_level(tmp_path):
    rows = [RawRow(f"i{k}", gray(7), "ab"[k % 2]) for k in range(20)]
    assert grouped(tmp_path, rows).attributes[0].values == ["any"]


def test_empty_groups_are_noted(tmp_path):
    rows = [RawRow(f"i{k}", noise(k), "ab"[k % 2], SPLITS[k % 3], {"p": "xy"[k % 2]}) for k in range(60)]
    assert "2 of 4 groups have no train images: a / y, b / x" in grouped(tmp_path, rows).notes


# --- what was made of other groups -----------------------------------------------------------


def test_other_groups_change_the_digest_of_groups_and_not_that_of_the_packed_data(tmp_path):
    rows = noise_rows(60)
    infos = [grouped(tmp_path, rows, **chosen) for chosen in ({}, {}, {"levels": 2}, {"group_by": "all"})]
    assert len({info.packing for info in infos}) == 1
    assert infos[0].digest == infos[1].digest
    assert len({info.digest for info in infos}) == 3
    other = pack_and_group(raw_dataset(noise_rows(61)), tmp_path)
    assert load_info(other).digest not in {info.digest for info in infos}


def test_groups_of_other_data_or_images_are_refused_with_what_makes_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = pack_and_group(raw_dataset(noise_rows(60)), tmp_path)
    pack_and_group(raw_dataset(noise_rows(61)), tmp_path / "other")
    packed = tmp_path / "other" / "packed"
    with pytest.raises(StaleError, match=r"groups\.json was made from other data or groups than"):
        load_info(folders._replace(packed=packed))
    table = pd.read_parquet(folders.groups / "groups.parquet")
    for wrong, message in (
        (table.iloc[:-1], "groups of other images than test's"),
        (table.assign(id=table["id"] + 1), "groups of other images than test's"),
        (table.drop(columns="group"), "lacks the columns"),
    ):
        wrong.to_parquet(folders.groups / "groups.parquet")
        with pytest.raises(ArtifactError, match=message):
            load_split(folders, "test")
    group(folders.packed, folders.groups)
    assert len(load_split(folders, "test")) == len(load_packed_split(folders.packed, "test"))


def test_levels_change_nothing_where_an_attribute_is_annotated(tmp_path, monkeypatch):
    """The record keeps its bytes, so that DVC runs no training again."""
    monkeypatch.chdir(tmp_path)
    rows = noise_rows(60, attributes={"p": "x"})
    pack_and_group(raw_dataset(rows), dataset_dir("birds").parent)
    records = []
    for chosen in ({}, {"levels": 2}, {"group_by": "all"}):
        plan = StagePlan(settings=groups_settings(**chosen).model_dump(), code="")
        save_plan(plan_path("groups", "birds"), plan, {})
        run("birds")
        records.append((groups_dir("birds") / "groups.json").read_bytes())
    assert records[0] == records[1] != records[2]
