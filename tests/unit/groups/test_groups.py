"""Groups of packed images: what forms them, counts, notes; what is refused."""

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.datasets import load_info, load_packed_split, load_split
from pipeline.artifacts.packing import StaleError
from pipeline.core.errors import ArtifactError, InputError
from pipeline.data.raw import RawRow
from pipeline.groups.form import of_clusters, of_cue, of_errors
from pipeline.groups.source import find_source
from pipeline.records.data import DatasetInfo
from tests.fixtures.cues import found_cue
from tests.fixtures.data import (
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


def test_an_attribute_is_chosen_by_its_name(tmp_path):
    rows = [
        RawRow(f"i{k}", noise(k), "ab"[k % 2], attributes={"color": "uvw"[k % 3], "p": "xy"[k // 2 % 2]})
        for k in range(60)
    ]
    assert [a.name for a in grouped(tmp_path, rows).attributes] == ["color", "p"]
    for asked in ("p", "attr_p"):
        info = grouped(tmp_path, rows, **{"from": asked})
        assert [a.name for a in info.attributes] == ["p", "color"], "the others stay known"
        assert [group.name for group in info.groups] == ["a / x", "a / y", "b / x", "b / y"]
    clash = grouped(tmp_path, rows, **{"from": "color"})
    assert clash.groups[0].name == "a / u"
    assert "'color' is an annotated attribute and a cue: the groups are of the attribute" in clash.notes
    assert [group.name for group in grouped(tmp_path, rows, **{"from": "never"}).groups] == ["a", "b"]


@pytest.mark.parametrize(
    ("asked", "attributes", "found"),
    [
        ("auto", ["p", "q"], ("attribute", "p")),
        ("auto", [], ("auto", "")),
        ("never", ["p"], ("never", "")),
        ("inferred", ["p"], ("inferred", "")),
        ("border", [], ("cue", "border")),
        ("border", ["border"], ("attribute", "border")),
        ("a: [b] \u2603", ["a: [b] \u2603"], ("attribute", "a: [b] \u2603")),
        ("auto", ["never"], ("attribute", "never")),
        ("attr_auto", ["auto"], ("attribute", "auto")),
    ],
)
def test_keywords_come_first_then_attributes_then_cues(asked, attributes, found):
    assert find_source(asked, attributes)[:2] == found


@pytest.mark.parametrize("asked", ["bordr", "attr_q", "p "])
def test_a_name_of_nothing_is_told_what_there_is(asked):
    with pytest.raises(InputError, match=r"the name of nothing here.*annotated attributes p.*cues .*border"):
        find_source(asked, ["p"])
    with pytest.raises(InputError, match=r"no annotated attribute.*Write `groups: { from: auto }`"):
        find_source(asked, [])


def test_groups_of_a_cue_are_the_images_that_it_names_rightly_and_others(tmp_path):
    rows = [RawRow(f"i{k}", noise(k), "abcd"[k % 4], SPLITS[k % 3]) for k in range(120)]
    parents = {"a": "low", "b": "low", "c": "high", "d": "high"}
    cue = found_cue("corners", "a corner", part="top right")

    def form(splits):
        labels_N = np.concatenate([split.labels for split in splits])
        return of_cue(cue, labels_N, np.where(np.arange(len(labels_N)) % 5 == 0, 3, labels_N))

    folders = pack_and_group(raw_dataset(rows, superclasses=parents), tmp_path, form=form)
    info, train = load_info(folders), load_split(folders, "train")
    first = info.attributes[0]
    assert (first.name, first.values, first.origin) == (
        "a corner, top right",
        ["aligned", "conflicting"],
        "cue",
    )
    assert info.formed_by == "corners"
    assert [group.name for group in info.groups][:2] == ["high / aligned", "high / conflicting"]
    wrong_N = (train.ids % 5 == 0) & (train.labels != 3)
    assert train.attributes.tolist() == wrong_N.astype(int).tolist()
    assert any("alone names the class of" in note for note in info.notes)
    assert of_cue(cue, train.labels, train.labels, ["a corner, top right"]).info.name.endswith("(cue)")


def test_what_an_early_model_gets_wrong_forms_groups_where_it_errs_on_training_images():
    values_N, distances_N = np.array([0, 1, 0, 1]), np.array([0.1, 0.2, np.nan, np.nan], np.float32)
    formed = of_errors(values_N, distances_N)
    assert (formed.info.values, formed.info.origin) == (["early right", "early wrong"], "inferred")
    assert formed.values_N.tolist() == [0, 1, 0, 1]
    assert of_errors(values_N, distances_N, ["early model"]).info.name == "early model (inferred)"
    only_elsewhere = of_errors(np.array([0, 0, 0, 1]), distances_N)
    assert only_elsewhere.info.origin == "none", "an error on a test image forms no groups to train with"
    assert only_elsewhere.values_N.tolist() == [0, 0, 0, 0]
    assert "groups.inference: clusters" in only_elsewhere.notes[0]


def test_the_most_central_images_are_training_images_of_the_group_nearest_first(tmp_path):
    rows = [RawRow(f"i{k}", noise(k), "ab"[k % 2], "test" if k >= 40 else "train") for k in range(60)]

    def form(splits):
        ids_N = np.concatenate([split.ids for split in splits])
        labels_N = np.concatenate([split.labels for split in splits])
        is_train_N = np.arange(len(ids_N)) < len(splits[0])
        # the second cluster: four images of the first class, and none of the other's training images
        is_second_N = ((labels_N == 0) & (ids_N < 8)) | ((labels_N == 1) & ~is_train_N)
        return of_clusters(is_second_N.astype(np.int64), np.where(is_train_N, -ids_N, np.nan))

    folders = pack_and_group(raw_dataset(rows), tmp_path, form=form)
    info, train = load_info(folders), load_split(folders, "train")
    assert [group.name for group in info.groups[:2]] == ["a / cluster 1", "a / cluster 2"]
    for index, ids in enumerate(info.central):
        assert ids == sorted(train.ids[train.groups == index].tolist(), reverse=True)[:6]
    n_train = [group.n_train for group in info.groups]
    assert [len(ids) for ids in info.central] == [min(n, 6) for n in n_train]
    assert n_train[3] == 0 < n_train[1] < 6 < n_train[0]


def test_empty_groups_are_noted(tmp_path):
    rows = [RawRow(f"i{k}", noise(k), "ab"[k % 2], SPLITS[k % 3], {"p": "xy"[k % 2]}) for k in range(60)]
    assert "2 of 4 groups have no train images: a / y, b / x" in grouped(tmp_path, rows).notes


# --- what was made of other groups -----------------------------------------------------------


def test_other_groups_change_the_digest_of_groups_and_not_that_of_the_packed_data(tmp_path):
    rows = noise_rows(60)
    infos = [grouped(tmp_path, rows, **chosen) for chosen in ({}, {}, {"group_by": "all"})]
    assert len({info.packing for info in infos}) == 1
    assert infos[0].digest == infos[1].digest
    assert len({info.digest for info in infos}) == 2
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
