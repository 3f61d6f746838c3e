"""The packed dataset: exact pixels, counts and statistics; derived groups; every refusal and its remedy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.artifacts.datasets import load_info, load_samples, load_split
from pipeline.core.errors import InputError
from pipeline.data.decoding import pixels as pixels_module
from pipeline.data.decoding.npy_stream import NpyAppender
from pipeline.data.groups import derive_attribute
from pipeline.data.pack import pack_dataset
from pipeline.data.raw import RawRow
from pipeline.records.base import Provenance
from tests.fixtures.data import data_settings, gray, noise, noise_rows, raw_dataset, save_image

SPLITS = ("train", "val", "test")


def pack(folder: Path, rows, *, settings=None, **changes):
    return pack_dataset(
        raw_dataset(rows, **changes),
        settings or data_settings(),
        name="t",
        folder=folder / "packed",
        provenance=Provenance(params_hash="h"),
    )


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


# --- what is written ------------------------------------------------------------------------


def test_pixels_labels_and_groups_arrive_where_their_ids_say(tmp_path, monkeypatch):
    monkeypatch.setattr(pixels_module, "_BLOCK_BYTES", 1)  # many blocks
    rows = [
        RawRow(
            f"i{k}", noise(k), "ab"[k % 2], SPLITS[k % 3], {"place": "xy"[k // 2 % 2]}, mask=noise(k)[..., 0]
        )
        for k in range(60)
    ]
    info = pack(tmp_path, rows, knows_label_flips=True)
    by_name = {row.name: row for row in rows}
    seen = []
    for name in SPLITS:
        split = load_split(tmp_path / "packed", name)
        assert len(split) == info.n[name] == 20
        for i, file in enumerate(split.files):
            row = by_name[file]
            assert row.split == name
            np.testing.assert_array_equal(split.images[i], row.image)
            np.testing.assert_array_equal(split.masks[i], np.where(row.mask > 127, 255, 0))
            assert info.classes[split.labels[i]] == row.label
            value = "xy".index(row.attributes["place"])
            assert split.attributes[i] == value
            assert split.groups[i] == split.labels[i] * 2 + value
        assert np.bincount(split.groups, minlength=4).tolist() == [
            getattr(group, f"n_{name}") for group in info.groups
        ]
        seen += split.ids.tolist()
    assert seen == list(range(60))
    samples = load_samples(tmp_path / "packed")
    assert samples["attr_place"].tolist() == [by_name[file].attributes["place"] for file in samples["file"]]
    assert not samples["label_flipped"].any()
    assert load_info(tmp_path / "packed") == info
    assert [group.name for group in info.groups] == ["a / x", "a / y", "b / x", "b / y"]


def test_the_digest_says_whether_results_are_of_the_same_data(tmp_path):
    rows = noise_rows(60)
    same = pack(tmp_path / "a", rows).digest
    assert pack(tmp_path / "b", rows, title="Other words", source="elsewhere").digest == same
    relabelled = [replace(rows[0], label="b"), *rows[1:]]
    repainted = [replace(rows[0], image=noise(99)), *rows[1:]]
    masked = [replace(row, mask=np.zeros((8, 8), np.uint8)) for row in rows]
    settings = [data_settings(split_seed=1), data_settings(image_size=9), data_settings(group_by="all")]
    others = [pack(tmp_path / "c", other).digest for other in (relabelled, repainted, masked)]
    others.append(pack(tmp_path / "c", rows, classes=["b", "a"]).digest)
    others += [pack(tmp_path / "c", rows, settings=changed).digest for changed in settings]
    assert len({same, *others}) == 8


def test_channel_statistics_are_those_of_the_training_pixels(tmp_path):
    info = pack(tmp_path, noise_rows(40))
    train = load_split(tmp_path / "packed", "train").images / 255
    np.testing.assert_allclose(info.channel_mean, train.mean(axis=(0, 1, 2)), atol=1e-12)
    np.testing.assert_allclose(info.channel_std, train.std(axis=(0, 1, 2)), atol=1e-12)


def test_appended_file_equals_numpys_own(tmp_path):
    blocks = [noise(k)[None].repeat(k + 1, axis=0) for k in range(4)]
    with NpyAppender(tmp_path / "a.npy", (8, 8, 3)) as appender:
        for block in blocks:
            appender.append(block)
    np.save(tmp_path / "b.npy", np.concatenate(blocks))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))


def test_known_label_flips_are_counted_in_train(tmp_path):
    rows = [
        RawRow(f"i{k}", noise(k), "ab"[k % 2], SPLITS[k % 3], {"p": "x"}, label_flipped=k in (0, 3, 4))
        for k in range(30)
    ]
    assert pack(tmp_path, rows, knows_label_flips=True).n_label_flips == 2
    assert pack(tmp_path, rows).n_label_flips is None


def test_superclasses_and_all_as_group_labels(tmp_path):
    rows = noise_rows(60, "abcd", attributes={"p": "x"})
    parents = {"a": "low", "b": "low", "c": "high", "d": "high"}
    info = pack(tmp_path, rows, superclasses=parents)
    assert info.group_labels == ["high", "low"]
    assert info.class_to_group_label == [1, 1, 0, 0]
    assert pack(
        tmp_path, rows, superclasses=parents, settings=data_settings(group_by="class")
    ).group_labels == [*"abcd"]
    assert pack(tmp_path, rows, settings=data_settings(group_by="all")).class_to_group_label == [0] * 4
    with pytest.raises(InputError, match="has no superclasses"):
        pack(tmp_path, rows, settings=data_settings(group_by="superclass"))


# --- derived attributes ---------------------------------------------------------------------


def test_planted_border_levels_are_recovered_exactly_and_announced(tmp_path):
    info = pack(tmp_path, planted_rows())
    samples = load_samples(tmp_path / "packed")
    expected = [("dark", "medium", "light")[int(name[1:]) % 3] for name in samples["file"]]
    assert samples["attr_ring_lightness"].tolist() == expected
    assert info.attributes[0].origin == "derived"
    assert any("groups are derived, not annotated" in note for note in info.notes)


def test_thresholds_come_from_train_alone():
    ring = np.concatenate([np.arange(100.0), np.full(1000, 99.5)])
    is_train = np.arange(1100) < 100
    attribute, _ = derive_attribute("ring_lightness", ring, is_train, 2)
    assert np.bincount(attribute.values[is_train]).tolist() == [50, 50]
    assert (attribute.values[~is_train] == 1).all()


def test_derived_levels_do_not_depend_on_labels():
    ring = np.random.default_rng(0).normal(50, 20, 3000)
    labels = np.random.default_rng(1).integers(0, 2, 3000)
    attribute, _ = derive_attribute("ring_lightness", ring, np.ones(3000, bool), 3)
    shares = [labels[attribute.values == level].mean() for level in range(3)]
    assert max(shares) - min(shares) < 0.06  # 3.5 standard errors of the null


@pytest.mark.parametrize(("share_white", "n_levels"), [(0.5, 3), (0.8, 2), (1.0, 1)])
def test_ties_leave_fewer_levels_but_never_an_empty_one(share_white, n_levels):
    ring = np.where(np.arange(1000) < share_white * 1000, 100.0, np.linspace(0, 99, 1000))
    attribute, notes = derive_attribute("ring_lightness", ring, np.ones(1000, bool), 3)
    assert len(attribute.info.values) == n_levels
    assert np.bincount(attribute.values, minlength=n_levels).min() > 0
    assert len(notes) == (1 if n_levels == 3 else 2)


def test_hue_is_cut_where_no_images_are_and_gray_stands_apart():
    rng = np.random.default_rng(0)
    planted = np.repeat([0, 1, 2], 300)
    hue = (np.array([350.0, 100.0, 220.0])[planted] + rng.uniform(-25, 25, 900)) % 360  # reds wrap around
    ring = np.concatenate([hue, np.zeros(50)])
    attribute, _ = derive_attribute("ring_hue", ring, np.ones(950, bool), 3)
    assert attribute.info.values[-1] == "gray"
    assert (attribute.values[900:] == 3).all()
    table = np.zeros((3, 3), int)
    np.add.at(table, (planted, attribute.values[:900]), 1)
    assert (table.max(axis=1) >= 295).all()  # each planted hue is one level, the red one unbroken


def test_never_derives_and_classes_are_the_groups(tmp_path):
    info = pack(tmp_path, noise_rows(40), settings=data_settings(derive_attribute="never"))
    assert info.attributes[0].origin == "none"
    assert [group.name for group in info.groups] == ["a", "b"]


def test_annotated_attribute_wins_over_an_asked_for_derived_one_and_says_so(tmp_path):
    rows = noise_rows(40, attributes={"p": "x"})
    info = pack(tmp_path, rows, settings=data_settings(derive_attribute="ring_hue"))
    assert info.attributes[0].name == "p"
    assert any("no ring_hue was derived" in note for note in info.notes)


# --- notes ----------------------------------------------------------------------------------


def test_empty_groups_and_leaks_are_noted(tmp_path):
    rows = [RawRow(f"i{k}", noise(k), "ab"[k % 2], SPLITS[k % 3], {"p": "xy"[k % 2]}) for k in range(60)]
    rows.append(RawRow("copy", rows[0].image, "a", "test", {"p": "x"}))
    notes = "\n".join(pack(tmp_path, rows).notes)
    assert "2 of 4 groups have no train images: a / y, b / x" in notes
    assert "1 of 21 test images are, as packed, identical to a training image" in notes
    assert "val images are" not in notes


# --- refusals -------------------------------------------------------------------------------


def complete(**special) -> list[RawRow]:
    """Two classes in all splits, plus what `special` says about the last row."""
    rows = [RawRow(f"i{k}", noise(k), "ab"[k % 2], SPLITS[k // 2 % 3]) for k in range(24)]
    return [*rows, RawRow(**{"name": "odd", "image": noise(99), "label": "a", "split": "train", **special})]


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        ([], {}, "no images"),
        (complete(name="i3"), {}, "1 image names appear more than once: i3"),
        (complete(label="c", split="test"), {}, "c are in test but not in train"),
        (complete(label="c"), {"classes": ["a", "b"]}, "labels c are not among the declared a, b"),
        (complete(), {"classes": ["a", "b", "c"]}, r"class\(es\) c have no images"),
        (complete(), {"classes": ["a", "b", "a"]}, "declared twice: a"),
        (noise_rows(9, "a"), {}, "one class only"),
        (complete(attributes={"p": "x"}), {}, "attribute 'p' is missing for 24 of 25"),
        (complete(mask=noise(1)[..., 0]), {}, "24 of 25 images have no mask"),
        (complete(image=noise(1)[..., 0]), {}, "odd: an image array has shape"),
        (
            [RawRow(f"i{k}", noise(k), "ab"[k % 2], attributes={"t": str(k)}) for k in range(120)],
            {},
            "120 different values",
        ),
        (
            complete(),
            {"expected_group_counts": {"val": {("a", ""): 5}}},
            "val has 4 images of a",
        ),
    ],
)
def test_unusable_data_is_refused_and_nothing_is_left(tmp_path, rows, changes, message):
    with pytest.raises(InputError, match=message):
        pack(tmp_path, rows, **changes)
    assert list(tmp_path.iterdir()) == []


def files_with_damage(tmp_path: Path, n_bad: int) -> list[RawRow]:
    rows = []
    for k in range(40):
        path = save_image(tmp_path / "src" / f"{k}.png", noise(k))
        if k < n_bad:
            path.write_bytes(path.read_bytes()[:60])
        rows.append(RawRow(f"{k}.png", path, "ab"[k % 2]))
    return rows


def test_unreadable_images_stop_with_names_count_and_remedy(tmp_path):
    rows = files_with_damage(tmp_path, 12)
    with pytest.raises(InputError, match=r"(?s)12 of 40 images.*0\.png: .*and 2 more.*skip_unreadable: true"):
        pack(tmp_path, rows)
    assert not (tmp_path / "packed").exists()


def test_unreadable_images_are_left_out_when_allowed(tmp_path):
    info = pack(tmp_path, files_with_damage(tmp_path, 3), settings=data_settings(skip_unreadable=True))
    assert sorted(info.skipped) == ["0.png", "1.png", "2.png"]
    assert sum(info.n.values()) == 37
    assert load_split(tmp_path / "packed", "train").images.shape[0] == info.n["train"]
    assert any("3 unreadable images were left out" in note for note in info.notes)
    with pytest.raises(InputError, match="none of the 40 images"):
        pack(tmp_path, files_with_damage(tmp_path, 40), settings=data_settings(skip_unreadable=True))


def deep_rows(tmp_path: Path, tops: list[int]) -> list[RawRow]:
    """16-bit gray files of one level each."""
    return [
        RawRow(str(k), save_image(tmp_path / f"{k}.png", np.full((8, 8), top, np.uint16)), "ab"[k % 2])
        for k, top in enumerate(tops)
    ]


def shown_levels(tmp_path: Path) -> dict[str, int]:
    files = load_samples(tmp_path / "packed")["file"]
    pixels = np.load(tmp_path / "packed/images.npy")
    return {file: int(image[0, 0, 0]) for file, image in zip(files, pixels, strict=True)}


TWELVE_BIT = [4095, 2048, 16, 1000] * 6


@pytest.mark.parametrize(
    ("tops", "setting", "levels", "notes"),
    [
        (
            TWELVE_BIT,
            "auto",
            [255, 128, 1, 62],
            [
                "24 images have more than 8 bits (integer values up to 4,095): "
                "0 is shown as black and 4,095 as white, in all of them (data.value_range: auto)",
                "6 of them come out nearly black: their values hardly exceed 16.*brighter, store all",
            ],
        ),
        ([255, 128, 64, 40] * 6, "auto", [255, 128, 64, 40], ["24 images .* 255 as white"]),
        (
            [65535, 257 * 9, 65535, 300] * 6,
            "auto",
            [255, 9, 255, 1],
            [
                "24 images",
                "12 of them come out nearly black: their values hardly exceed 2,313.*set data.value_range: "
                "[0, 2313]",
            ],
        ),
        (TWELVE_BIT, [1000, 2048], [255, 255, 0, 0], ["24 images .*data.value_range: [1000, 2048])"]),
    ],
)
def test_one_range_of_values_beyond_8_bits_holds_for_all_images(tmp_path, tops, setting, levels, notes):
    info = pack(tmp_path, deep_rows(tmp_path, tops), settings=data_settings(value_range=setting))
    found = shown_levels(tmp_path)
    assert [found[str(k)] for k in range(4)] == levels
    said = [note for note in info.notes if note.startswith(("24 images", "6 of them", "12 of them"))]
    assert len(said) == len(notes)
    for note, start in zip(said, notes, strict=True):
        assert all(part in note for part in start.split(".*"))


def test_eight_bit_images_among_deep_ones_stay_as_they_are(tmp_path):
    rows = deep_rows(tmp_path, [4095] * 20)
    rows += [
        RawRow(f"eight{k}", save_image(tmp_path / f"e{k}.png", gray(77)), "ab"[k % 2]) for k in range(20)
    ]
    info = pack(tmp_path, rows)
    levels = shown_levels(tmp_path)
    assert {levels[row.name] for row in rows[20:]} == {77}
    assert any(note.startswith("20 images have more than 8 bits") for note in info.notes)


def test_images_with_damaged_exif_are_read_and_said(tmp_path):
    rows = noise_rows(30)
    for k in range(2):
        path = tmp_path / f"{k}.png"
        Image.fromarray(noise(k)).save(path, exif=b"Exif\0\0" + b"?" * 40)
        rows[k] = RawRow(path.name, path, rows[k].label)
    notes = pack(tmp_path, rows).notes
    assert "2 images have damaged EXIF data, so none is turned: 0.png, 1.png" in notes or (
        "2 images have damaged EXIF data, so none is turned: 1.png, 0.png" in notes
    )


def test_an_earlier_result_survives_a_failure(tmp_path):
    before = pack(tmp_path, noise_rows(40))
    with pytest.raises(InputError):
        pack(tmp_path, files_with_damage(tmp_path, 1))
    assert load_info(tmp_path / "packed") == before


def test_full_disk_is_seen_before_writing(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.artifacts.files.RESERVE_BYTES", 1 << 60)
    with pytest.raises(InputError, match=r"packing 40 images.*image_size"):
        pack(tmp_path, noise_rows(40))


def test_constant_images_do_not_give_a_zero_deviation(tmp_path):
    rows = [RawRow(f"i{k}", gray(7), "ab"[k % 2]) for k in range(20)]
    info = pack(tmp_path, rows)
    assert min(info.channel_std) > 0
    assert info.attributes[0].values == ["any"]
