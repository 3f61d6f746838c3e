"""The packed dataset: exact pixels, counts and statistics; every refusal and its remedy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.artifacts.datasets import load_packed, load_packed_split, load_samples
from pipeline.core.errors import InputError
from pipeline.data.decoding import pixels as pixels_module
from pipeline.data.decoding.npy_stream import NpyAppender
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


# --- what is written ------------------------------------------------------------------------


def test_pixels_labels_and_attributes_arrive_where_their_ids_say(tmp_path, monkeypatch):
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
        split = load_packed_split(tmp_path / "packed", name)
        assert len(split) == info.n[name] == 20
        for i, file in enumerate(split.files):
            row = by_name[file]
            assert row.split == name
            np.testing.assert_array_equal(split.images[i], row.image)
            np.testing.assert_array_equal(split.masks[i], np.where(row.mask > 127, 255, 0))
            assert info.classes[split.labels[i]] == row.label
            assert split.annotated["place"][i] == "xy".index(row.attributes["place"])
        seen += split.ids.tolist()
    assert seen == list(range(60))
    samples = load_samples(tmp_path / "packed")
    assert samples["attr_place"].tolist() == [by_name[file].attributes["place"] for file in samples["file"]]
    assert not samples["label_flipped"].any()
    assert load_packed(tmp_path / "packed") == info
    assert [(a.name, a.values, a.origin) for a in info.attributes] == [("place", ["x", "y"], "annotated")]


def test_the_digest_says_whether_results_are_of_the_same_data(tmp_path):
    rows = noise_rows(60)
    same = pack(tmp_path / "a", rows).packing
    assert pack(tmp_path / "b", rows, title="Other words", source="elsewhere").packing == same
    relabelled = [replace(rows[0], label="b"), *rows[1:]]
    repainted = [replace(rows[0], image=noise(99)), *rows[1:]]
    masked = [replace(row, mask=np.zeros((8, 8), np.uint8)) for row in rows]
    settings = [data_settings(split_seed=1), data_settings(image_size=9)]
    others = [pack(tmp_path / "c", other).packing for other in (relabelled, repainted, masked)]
    others.append(pack(tmp_path / "c", rows, classes=["b", "a"]).packing)
    others.append(pack(tmp_path / "c", rows, superclasses={"a": "both", "b": "both"}).packing)
    others += [pack(tmp_path / "c", rows, settings=changed).packing for changed in settings]
    assert len({same, *others}) == 8


def test_channel_statistics_are_those_of_the_training_pixels(tmp_path):
    info = pack(tmp_path, noise_rows(40))
    train = load_packed_split(tmp_path / "packed", "train").images / 255
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


# --- notes ----------------------------------------------------------------------------------


def test_leaks_are_noted(tmp_path):
    rows = [RawRow(f"i{k}", noise(k), "ab"[k % 2], SPLITS[k % 3], {"p": "xy"[k % 2]}) for k in range(60)]
    rows.append(RawRow("copy", rows[0].image, "a", "test", {"p": "x"}))
    notes = "\n".join(pack(tmp_path, rows).notes)
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
    assert load_packed_split(tmp_path / "packed", "train").images.shape[0] == info.n["train"]
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
    assert load_packed(tmp_path / "packed") == before


def test_full_disk_is_seen_before_writing(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.artifacts.files.RESERVE_BYTES", 1 << 60)
    with pytest.raises(InputError, match=r"packing 40 images.*image_size"):
        pack(tmp_path, noise_rows(40))


def test_constant_images_do_not_give_a_zero_deviation(tmp_path):
    rows = [RawRow(f"i{k}", gray(7), "ab"[k % 2]) for k in range(20)]
    assert min(pack(tmp_path, rows).channel_std) > 0
