"""The table of facts: a row for each packed image of every kind of source, in the packed order."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydantic import TypeAdapter

from pipeline.artifacts.datasets import load_packed, load_samples
from pipeline.artifacts.facts import FACT_COLUMNS, read_facts
from pipeline.artifacts.packing import StaleError
from pipeline.artifacts.paths import dataset_dir, facts_path
from pipeline.core.errors import ArtifactError, InputError
from pipeline.data import plugins
from pipeline.data.decoding import pixels as pixels_module
from pipeline.data.facts.table import _READ
from pipeline.data.pack import pack_dataset
from pipeline.data.raw import RawDataset, RawRow
from pipeline.data.sources.registry import load_raw
from pipeline.records.base import Provenance
from pipeline.settings.sources import Source
from tests.fixtures.data import data_settings, noise, noise_rows, raw_dataset, save_image
from tests.fixtures.official import make_cifar, make_tiny, make_waterbirds


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")


def pack(raw: RawDataset, **settings: Any) -> pd.DataFrame:
    """The facts as they are read back."""
    made = Provenance(params_hash="h")
    pack_dataset(raw, data_settings(**settings), name="t", folder=dataset_dir("t"), provenance=made)
    return read_facts("t")


def save_files(folder: Path, n: int = 24) -> list[RawRow]:
    """JPEGs of different widths and qualities in two classes; every ninth cannot be read."""
    rows = []
    for k in range(n):
        path = folder / "ab"[k % 2] / f"IMG_{7 * k:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(k, 8 + k)[:8]).save(path, quality=50 + k)
        os.utime(path, (0, k))
        if k % 9 == 4:
            path.write_bytes(path.read_bytes()[:300])
        rows.append(RawRow(path.relative_to(folder).as_posix(), path, "ab"[k % 2]))
    return rows


# --- what is in a row ------------------------------------------------------------------------


def test_rows_stay_with_their_images_where_some_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels_module, "_BLOCK_BYTES", 1)  # several blocks
    rows = save_files(tmp_path / "set")
    with pytest.raises(InputError, match="cannot be read"):
        pack(raw_dataset(rows))
    assert not facts_path(dataset_dir("t")).exists()
    facts, samples = pack(raw_dataset(rows), skip_unreadable=True), load_samples(dataset_dir("t"))
    numbers = [[row.name for row in rows].index(file) for file in samples["file"]]
    assert len(facts) == len(samples) == 24 - 3
    assert numbers != sorted(numbers), "splits are drawn, so that the order is another"
    assert facts["id"].tolist() == samples["id"].tolist()
    assert facts["order"].tolist() == numbers
    assert facts["width"].tolist() == [8 + k for k in numbers]
    assert facts["jpeg_quality"].tolist() == [50 + k for k in numbers]
    assert facts["modified"].tolist() == numbers
    assert facts["name_number"].tolist() == [7 * k for k in numbers]
    assert facts["name_tokens"].tolist() == [["img", "#4"]] * 21
    sizes = [(tmp_path / "set" / file).stat().st_size for file in samples["file"]]
    assert facts["bytes"].tolist() == sizes
    pixels = facts["width"] * facts["height"]
    np.testing.assert_allclose(facts["bytes_per_pixel"].astype(float), np.array(sizes) / pixels.astype(float))


def test_images_packed_twice_for_their_range_have_one_row(tmp_path: Path) -> None:
    rows = [
        RawRow(str(k), save_image(tmp_path / f"{k}.png", np.full((8, 8), 4000, np.uint16)), "ab"[k % 2])
        for k in range(20)
    ]
    facts = pack(raw_dataset(rows))
    assert len(facts) == 20
    assert set(facts["bit_depth"]) == {16}


def test_arrays_are_null_but_for_size_mode_and_order() -> None:
    facts = pack(raw_dataset(noise_rows(30)))
    known = ["id", "width", "height", "mode", "order"]
    assert facts.drop(columns=known).isna().all(axis=None)
    assert facts["name_tokens"].tolist() == [None] * 30
    assert facts[known].notna().all(axis=None)
    assert set(zip(facts["width"], facts["height"], facts["mode"], strict=True)) == {(8, 8, "RGB")}
    files = load_samples(dataset_dir("t"))["file"]
    assert [f"i{k}" for k in facts["order"]] == files.tolist()


# --- the file --------------------------------------------------------------------------------


def test_columns_have_their_types_though_all_are_null() -> None:
    facts = pack(raw_dataset(noise_rows(30)))
    schema = pq.read_schema(facts_path(dataset_dir("t")))
    assert dict(zip(schema.names, schema.types, strict=True)) == dict(FACT_COLUMNS)
    assert {str(kind) for kind in facts.dtypes} == {"string", "Int64", "Float64", "boolean", "object"}
    assert facts.columns.tolist() == list(FACT_COLUMNS)
    made_elsewhere = {"id", "order", "bytes_per_pixel", "name_tokens", "name_number"}
    assert set(_READ) | made_elsewhere == set(FACT_COLUMNS)


def test_facts_are_no_part_of_the_packed_data(tmp_path: Path) -> None:
    rows = save_files(tmp_path / "set", 4 * 9)
    pack(raw_dataset(rows), skip_unreadable=True)
    before, table = load_packed(dataset_dir("t")), facts_path(dataset_dir("t")).read_bytes()
    pack(raw_dataset(rows), skip_unreadable=True)
    assert facts_path(dataset_dir("t")).read_bytes() == table
    for row in rows:
        os.utime(row.image, (9, 9))  # type: ignore[arg-type]
    facts = pack(raw_dataset(rows), skip_unreadable=True)
    assert set(facts["modified"]) == {9}
    assert load_packed(dataset_dir("t")).packing == before.packing


def test_facts_of_other_data_and_damaged_tables_are_refused() -> None:
    with pytest.raises(ArtifactError, match=r"dataset\.json does not exist"):
        read_facts("t")
    pack(raw_dataset(noise_rows(30)))
    path = facts_path(dataset_dir("t"))
    whole = path.read_bytes()
    pack(raw_dataset(noise_rows(40)))
    path.write_bytes(whole)
    with pytest.raises(StaleError, match=r"data/t/facts.parquet was made from other .*dvc repro data@t"):
        read_facts("t")
    packing = load_packed(dataset_dir("t")).packing
    for table, reason in (
        (pd.DataFrame({"id": [1]}), "has other columns than facts have"),
        (pd.read_parquet(path).iloc[1:], "has facts of other images"),
    ):
        table.attrs["packing"] = packing
        table.to_parquet(path)
        with pytest.raises(ArtifactError, match=rf"data/t/facts.parquet {reason}.*dvc repro data@t"):
            read_facts("t")
    path.write_bytes(whole[:90])
    with pytest.raises(ArtifactError, match="not a table of facts"):
        read_facts("t")
    path.unlink()
    with pytest.raises(ArtifactError, match="not a table of facts"):
        read_facts("t")


# --- every kind of source --------------------------------------------------------------------


def make_folder(root: Path) -> dict[str, Any]:
    for k in range(30):
        save_image(root / "ab"[k % 2] / f"{k}.png")
    return {"kind": "folder", "path": str(root)}


def make_table(root: Path) -> dict[str, Any]:
    names = [f"{k}.png" for k in np.random.default_rng(0).permutation(40)]
    for name in names:
        save_image(root / "pictures" / name)
    places = ["train", "val", "test", "spare"] * 10
    table = pd.DataFrame({"name": names, "y": [k // 4 % 2 for k in range(40)], "split": places})
    table.to_csv(root / "list.csv", index=False)
    columns = {"file": "name", "label": "y", "split": "split"}
    splits = {"train": ["train"], "val": ["val"], "test": ["test"], "leave_out": ["spare"]}
    return {"kind": "table", "path": str(root), "table": "list.csv", "images": "pictures", "columns": columns,
            "splits": splits}  # fmt: skip


def make_python(root: Path) -> dict[str, Any]:
    for k in range(20):
        save_image(root / f"{k}.png")
    (root / "own.py").write_text(
        "from pathlib import Path\nimport numpy as np\nfrom pipeline.data.raw import RawDataset, RawRow\n"
        "class Own:\n    def __init__(self, folder):\n        self.folder = Path(folder)\n"
        "    def load(self):\n        files = sorted(self.folder.glob('*.png'), reverse=True)\n"
        "        rows = [RawRow(f.stem, f, 'ab'[k % 2]) for k, f in enumerate(files)]\n"
        "        arrays = [np.full((8, 8, 3), k, np.uint8) for k in range(9)]\n"
        "        rows += [RawRow(f'array{k}', array, 'ab'[k % 2]) for k, array in enumerate(arrays)]\n"
        "        return RawDataset('t', 's', 'l', rows)\n"
    )
    return {"kind": "python", "class": "own:Own", "options": {"folder": str(root)}}


SOURCES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "folder": make_folder,
    "table": make_table,
    "python": make_python,
    "waterbirds": lambda root: {
        "kind": "waterbirds",
        "path": str(make_waterbirds(root, n_images=30, published=False)),
    },
    "cifar100": lambda root: {"kind": "cifar100", "path": str(make_cifar(root))},
    "tiny_imagenet": lambda root: {"kind": "tiny_imagenet", "path": str(make_tiny(root))},
    "photo_digits": lambda _: {"kind": "photo_digits", "n_train": 100, "n_val": 40, "n_test": 40},
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_source_has_a_row_for_each_image(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind != "cifar100":
        (tmp_path / kind).mkdir() if kind in ("folder", "table", "python") else None
    source = SOURCES[kind](tmp_path / kind)
    if kind == "python":
        monkeypatch.setattr(plugins, "__file__", str(tmp_path / kind / "__init__.py"))
        monkeypatch.setattr(plugins, "__path__", [str(tmp_path / kind)])
        monkeypatch.delitem(sys.modules, "pipeline.data.plugins.own", raising=False)
    if kind in ("waterbirds", "cifar100", "tiny_imagenet"):
        source["verify"] = "structure"
    raw = load_raw(TypeAdapter(Source).validate_python(source), tmp_path / "downloads")
    for k, path in enumerate(raw.files()):
        os.utime(path, (0, k))
    facts, samples = pack(raw), load_samples(dataset_dir("t"))
    assert len(facts) == len(samples) == len(raw.rows)
    by_name = {row.name: k for k, row in enumerate(raw.rows)}
    if raw.is_listing:
        assert facts["order"].isna().all(), "the order of a listing is ours"
    else:
        assert facts["order"].tolist() == [by_name[file] for file in samples["file"]]
    for fact, file in zip(facts.itertuples(), samples["file"], strict=True):
        image = raw.rows[by_name[file]].image
        if isinstance(image, Path):
            assert (fact.bytes, fact.modified) == (image.stat().st_size, image.stat().st_mtime)
            assert fact.name_tokens is not None
        else:
            assert (fact.width, fact.height) == (image.shape[1], image.shape[0])
            assert fact.name_tokens is None


def test_tiny_imagenets_numbers_of_classes_are_no_facts(tmp_path: Path) -> None:
    source = {"kind": "tiny_imagenet", "path": str(make_tiny(tmp_path / "tiny")), "verify": "structure"}
    facts = pack(load_raw(TypeAdapter(Source).validate_python(source), tmp_path / "downloads"))
    assert {tuple(tokens) for tokens in facts["name_tokens"]} == {("#1", "images"), ("images",)}
    assert set(facts["name_number"].dropna()) == {0, 1, 2}


def test_a_tables_own_word_for_a_class_is_no_fact(tmp_path: Path) -> None:
    for k in range(40):
        save_image(tmp_path / f"mel{k % 2}_scan{k:02d}.png")
    table = pd.DataFrame({"f": sorted(path.name for path in tmp_path.glob("*.png"))})
    table["y"] = table["f"].str[:4]
    table.to_csv(tmp_path / "t.csv", index=False)
    source = {
        "kind": "table",
        "path": str(tmp_path),
        "table": "t.csv",
        "columns": {"file": "f", "label": "y"},
        "label_names": {"mel0": "benign", "mel1": "malignant"},
    }
    facts = pack(load_raw(TypeAdapter(Source).validate_python(source), tmp_path / "downloads"))
    assert {tuple(tokens[:2]) for tokens in facts["name_tokens"]} == {("scan", "#2")}
    assert {token[:4] for tokens in facts["name_tokens"] for token in tokens[2:]} == {"scan"}
