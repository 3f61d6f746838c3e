"""Images of one scene, patient or video stay together; a split that cuts them is said to leak."""

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from pipeline.artifacts.datasets import load_packed, load_packed_split
from pipeline.core.errors import InputError
from pipeline.data.entry.guess import new_dataset_entry
from pipeline.data.pack import pack_dataset
from pipeline.data.raw import RawRow
from pipeline.data.scenes import guess_group_column
from pipeline.data.sources.registry import load_raw
from pipeline.data.splits import TEST, TRAIN, VAL, assign_splits
from pipeline.records.base import Provenance
from pipeline.settings.sources import Source
from tests.fixtures.data import data_settings, noise, raw_dataset, save_image

N = 240


def carve(labels, sources, attributes=None, given=None, **changes):
    labels = np.asarray(labels)
    return assign_splits(
        given or [None] * len(labels),
        labels,
        np.zeros_like(labels) if attributes is None else attributes,
        classes="abcdef",
        settings=data_settings(**changes),
        sources=np.asarray(sources),
    ).splits


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("constant", [True, False], ids=["one label a source", "mixed labels"])
def test_no_source_is_cut_and_fractions_are_kept(seed, constant):
    rng = np.random.default_rng(seed)
    sources = np.repeat(np.arange(90), rng.integers(1, 60, 90))
    labels = rng.integers(0, 3, 90)[sources] if constant else rng.integers(0, 3, len(sources))
    splits = carve(labels, sources, split_seed=seed, val_fraction=0.1, test_fraction=0.2)
    assert all(len(np.unique(splits[sources == source])) == 1 for source in range(90))
    np.testing.assert_array_equal(
        splits, carve(labels, sources, split_seed=seed, val_fraction=0.1, test_fraction=0.2)
    )
    for label in range(3):
        shares = np.bincount(splits[labels == label], minlength=3) / (labels == label).sum()
        np.testing.assert_allclose(shares, [0.7, 0.1, 0.2], atol=0.06)


def test_rare_labels_reach_every_split_and_too_few_sources_stop():
    sources = np.repeat(np.arange(40), 6)
    labels = np.where(sources < 3, 1, 0)  # three sources: one for each split
    splits = carve(labels, sources)
    assert {TRAIN, VAL, TEST} == set(splits[labels == 1])
    with pytest.raises(InputError, match=r"class 'b' comes from 2 source.*at least 3.*group_column: null"):
        carve(np.where(sources < 2, 1, 0), sources)
    given = ["test" if source < 10 else "train" for source in sources]
    splits = carve(np.arange(240) % 2, sources, given=given)  # the table's test split stays
    assert (splits[:60] == TEST).all()
    assert not set(sources[splits == VAL]) & set(sources[splits == TRAIN])


def pack(folder, rows):
    pack_dataset(
        raw_dataset(rows, source_name="scene"),
        data_settings(),
        name="x",
        folder=folder,
        provenance=Provenance(),
    )
    return load_packed(folder)


def test_sources_are_packed_and_a_cut_one_is_called_a_leak(tmp_path):
    scene = [None if k % 12 == 0 else f"scene {k // 12}" for k in range(N)]
    rows = [RawRow(f"i{k}", noise(k), "ab"[k % 2], source=scene[k]) for k in range(N)]
    info = pack(tmp_path / "carved", rows)
    assert info.sources.name == "scene"
    assert info.sources.n_cut == 0
    assert not [note for note in info.notes if "LEAK" in note]
    train, test = (load_packed_split(tmp_path / "carved", name) for name in ("train", "test"))
    assert not set(train.sources) & set(test.sources)
    both = np.concatenate(
        [split.sources for split in (train, test, load_packed_split(tmp_path / "carved", "val"))]
    )
    assert len(np.unique(both)) == 20 + 20  # those without a scene are alone
    half = ["train" if k % 2 else "test" for k in range(N)]
    rows = [RawRow(f"i{k}", noise(k), "ab"[k // 2 % 2], half[k], source=scene[k]) for k in range(N)]
    info = pack(tmp_path / "cut", rows)
    assert info.sources.n_cut == 20
    assert info.notes[0].startswith("LEAK: 20 values of 'scene' are in more than one split, and 100 of 120 ")
    plain = pack(tmp_path / "plain", [RawRow(f"i{k}", noise(k), "ab"[k % 2]) for k in range(60)])
    assert plain.sources is None
    assert load_packed_split(tmp_path / "plain", "train").sources is None


def column(n_values, blank=0, n=N):
    return ["" if k < blank else f"v{k % n_values}" for k in range(n)]


@pytest.mark.parametrize(
    ("name", "values", "is_guessed"),
    [
        ("scene", column(40), True),
        ("Patient ID", column(40, blank=60), True),
        ("videoName", column(12), True),
        ("camera_nr", column(100), True),
        ("place", column(40), False),  # no such name
        ("site", column(4), False),  # few enough to be compared: an attribute
        ("scene", column(N), False),  # every image its own
        ("description", column(40), False),
    ],
)
def test_what_is_taken_for_a_source(name, values, is_guessed):
    table = pd.DataFrame({"file": map(str, range(N)), "label": column(2), name: values})
    assert guess_group_column(table, {"file", "label"}) == (name if is_guessed else None)


def test_the_coarsest_source_is_guessed_written_and_read(tmp_path):
    n = 48
    table = pd.DataFrame({"file": [f"{k}.png" for k in range(n)], "label": np.arange(n) % 2})
    table["clip"], table["patient"] = np.arange(n) // 2, [f" p{k // 4} " for k in range(n)]
    for name in table["file"]:
        save_image(tmp_path / name)
    table.to_csv(tmp_path / "metadata.csv", index=False)
    entry = new_dataset_entry("x", tmp_path)
    assert entry["source"]["columns"]["group_column"] == "patient"
    raw = load_raw(parsed(entry), tmp_path)
    assert raw.source_name == "patient"
    assert raw.rows[0].source == "p0"
    assert "group_column" not in new_dataset_entry("x", tmp_path, group_column="")["source"]["columns"]
    clips = new_dataset_entry("x", tmp_path, group_column="clip")
    assert len({row.source for row in load_raw(parsed(clips), tmp_path).rows}) == 24
    with pytest.raises(InputError, match="no column 'scen'"):
        new_dataset_entry("x", tmp_path, group_column="scen")


def parsed(entry):
    return TypeAdapter(Source).validate_python(entry["source"])
