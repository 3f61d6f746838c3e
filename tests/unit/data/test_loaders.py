"""Data of one's own: class folders, tables and Python classes, and what is said when they do not fit."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydantic import TypeAdapter

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.data import plugins
from pipeline.data.files.listing import fingerprint_folder
from pipeline.data.names.naming import make_unique, natural_key
from pipeline.data.sources.registry import load_raw
from pipeline.settings.sources import Source
from tests.fixtures.data import noise, save_image


def load(tmp_path: Path, **source):
    return load_raw(TypeAdapter(Source).validate_python(source), tmp_path / "downloads")


# --- folder ---------------------------------------------------------------------------------


def test_class_folders(tmp_path):
    for name in ("cat/1.jpg", "cat/deep/2.PNG", "dog/1.jpg", ".hidden/1.jpg", "__MACOSX/1.jpg"):
        save_image(tmp_path / "set" / name)
    (tmp_path / "set/cat/notes.txt").write_text("x")
    (tmp_path / "set/empty").mkdir()
    raw = load(tmp_path, kind="folder", path=str(tmp_path / "set"))
    assert [(row.name, row.label, row.split) for row in raw.rows] == [
        ("cat/1.jpg", "cat", None),
        ("cat/deep/2.PNG", "cat", None),
        ("dog/1.jpg", "dog", None),
    ]
    assert raw.notes == [
        "folders without images were left out: empty",
        "2 images left out: 2 hidden, by a name like .x or __MACOSX (.hidden/1.jpg, __MACOSX/1.jpg). To have "
        "them read, rename what is hidden.",
    ]
    assert raw.decided_by == []


def test_class_folders_below_splits(tmp_path):
    for name in ("Train/cat/1.png", "train_notes", "valid/cat/2.png", "test/dog/3.png", "Train/dog/4.png"):
        save_image(tmp_path / name) if name.endswith("png") else (tmp_path / name).mkdir()
    raw = load(tmp_path, kind="folder", path=str(tmp_path))
    assert {(row.name, row.label, row.split) for row in raw.rows} == {
        ("Train/cat/1.png", "cat", "train"),
        ("Train/dog/4.png", "dog", "train"),
        ("valid/cat/2.png", "cat", "val"),
        ("test/dog/3.png", "dog", "test"),
    }


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["a.png"], "1 images but no class folders"),
        (["train/a.png", "test/b.png"], r"found test/b.png, train/a.png. Put .*train/<class>/image.png"),
        (["cat/a.txt"], "only files with the endings .txt"),
        ([], "no files"),
        (["train/cat/a.png", "val/cat/a.png", "valid/cat/a.png"], "several folders for val"),
        (["train/cat/a.png", "more/cat/a.png"], 'not understood: "more"'),
    ],
)
def test_other_folders_are_explained(tmp_path, files, message):
    root = tmp_path / "set"
    root.mkdir()
    for name in files:
        if name.endswith("png"):
            save_image(root / name)
        else:
            (root / name).parent.mkdir()
            (root / name).write_text("x")
    with pytest.raises(InputError, match=message):
        load(tmp_path, kind="folder", path=str(root))
    with pytest.raises(InputError, match="is not a folder"):
        load(tmp_path, kind="folder", path=str(root / "none"))


@pytest.mark.parametrize(
    ("images", "table"),
    [
        ("images/1.png", "meta.xlsx"),
        ("images/1.png", "images/meta.json"),
        ("set/images/1.png", "set/labels.tsv.gz"),
        ("1.png", "labels.txt"),
        ("train/1.png", "anno.JSON"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(tmp_path, images, table):
    root = tmp_path / "set"
    save_image(root / images)
    (root / table).write_bytes(b"x")
    with pytest.raises(
        InputError, match=rf"If {table} says the labels: .* Save it as CSV, JSON lines or Parquet"
    ):
        load(tmp_path, kind="folder", path=str(root))
    save_image(root / "cat/2.png")
    save_image(root / "dog/2.png")
    if images == "images/1.png":
        assert len(load(tmp_path, kind="folder", path=str(root)).classes) == 3


ENDINGS = ("a.jfif", "b.JPE", "c.avif", "d.webp", "e.TIF", "f.pbm", "g.j2k", "h.apng")


def test_every_ending_that_can_be_read_is_read(tmp_path):
    for name in (*ENDINGS, "i.qoi"):
        kind = {"JPE": "JPEG", "jfif": "JPEG", "pbm": "PPM"}.get(name[2:])
        path = tmp_path / "cat" / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(noise(0)).convert("1" if kind == "PPM" else "RGB").save(path, kind)
    save_image(tmp_path / "dog/a.png")
    raw = load(tmp_path, kind="folder", path=str(tmp_path))
    assert [row.name for row in raw.rows if row.label == "cat"] == [f"cat/{n}" for n in (*ENDINGS, "i.qoi")]
    assert raw.notes == []


def test_one_note_says_which_images_are_left_out(tmp_path):
    for name in ("1.png", "cat/a.png", "dog/a.png"):
        save_image(tmp_path / name)
    save_image(tmp_path / "dog/b.png").rename(tmp_path / "dog/b")
    (tmp_path / "dog/c.HEIC").write_bytes(b"x")
    for name in ("cat/boxes.txt", "cat/._a.png", "dog/.DS_Store", "dog/Thumbs.db", "README"):
        (tmp_path / name).write_text("no image")
    assert load(tmp_path, kind="folder", path=str(tmp_path)).notes == [
        "3 images left out: 1 beside the class folders (1.png); 1 unreadable: .heic (dog/c.HEIC); "
        "1 of the ending (none), though images (dog/b). To have them read, move them into the "
        "folder of their class and save the others as .png or .jpg."
    ]


@pytest.mark.parametrize(
    ("hidden", "n"),
    [
        ([".bird/1.png", "dog/.ipynb_checkpoints/1.png", "cat/.hid.png", "__MACOSX/x.JPG"], 4),
        ([".a/.b/1.png", ".a/deep/2.png"], 2),
        (["cat/._a.jpg", "__MACOSX/._a.png", "cat/@eaDir/a.png/thumb.jpg", ".git/index", "cat/Thumbs.db"], 0),
    ],
)
def test_hidden_images_are_left_out_and_said(tmp_path, hidden, n):
    for name in ("cat/a.png", "dog/a.png"):
        save_image(tmp_path / name)
    for name in hidden:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((tmp_path / "cat/a.png").read_bytes())
    raw = load(tmp_path, kind="folder", path=str(tmp_path))
    assert len(raw.rows) == 2
    assert [f"{n} images left out: {n} hidden" in note for note in raw.notes] == ([True] if n else [])


def test_a_hidden_image_that_a_table_lists_is_read(tmp_path):
    table = wilds_table()
    table.loc[0, "img_filename"] = "birds/.0.jpg"
    root = make_table(tmp_path, table)
    (root / "birds/0.jpg").rename(root / "birds/.0.jpg")
    raw = load(tmp_path, kind="table", path=str(root), columns=COLUMNS)
    assert raw.rows[0].name == "birds/.0.jpg"
    assert "hidden" not in str(raw.notes)


def test_images_that_a_table_does_not_list_are_noted(tmp_path):
    root = make_table(tmp_path)
    save_image(root / "birds/extra.jpg")
    raw = load(tmp_path, kind="table", path=str(root), columns=COLUMNS, masks="segmentations")
    assert [note for note in raw.notes if "left out" in note] == raw.notes[-1:]
    assert raw.notes[-1].startswith("1 images left out: 1 not listed in metadata.csv (birds/extra.jpg).")


def test_links_to_folders_are_followed_and_loops_are_not(tmp_path):
    root, elsewhere = tmp_path / "set", tmp_path / "elsewhere"
    for path in (root / "cat/a.png", root / "owl/a.png", elsewhere / "b.png", elsewhere / "deep/c.png"):
        save_image(path)
    (root / "dog").symlink_to(elsewhere)
    (root / "cat/more").symlink_to(elsewhere / "deep")
    for loop in ("cat/loop", "loop", "owl/up"):
        (root / loop).symlink_to(root)
    before = fingerprint_folder(root)
    raw = load(tmp_path, kind="folder", path=str(root))
    names = ["cat/a.png", "cat/more/c.png", "dog/b.png", "dog/deep/c.png", "owl/a.png"]
    assert [row.name for row in raw.rows] == names
    save_image(elsewhere / "deep/d.png")
    assert fingerprint_folder(root) != before


@pytest.mark.parametrize(
    ("files", "classes", "where"),
    [
        (["wrap/cat/1.png", "wrap/dog/1.png"], ["cat", "dog"], "wrap/"),
        (["a/b/train/cat/1.png", "a/b/train/dog/1.png"], ["cat", "dog"], "a/b/"),
        (["train/train/cat/1.png", "train/train/dog/1.png"], ["cat", "dog"], "train/train/"),
        (["train/cat/1.png", "train/dog/1.png", "test/test/dog/1.png"], ["cat", "dog"], "test/test/"),
        (["train/cat/1.png", "train/dog/1.png", "test/dog/deep/1.png"], ["cat", "dog"], None),
        (["cat/deep/1.png", "dog/deep/1.png"], ["cat", "dog"], None),
        (["wrap/cat/1.png", "wrap/dog/1.png", "__MACOSX/wrap/._1.png"], ["cat", "dog"], "wrap/"),
    ],
)
def test_one_folder_too_many_is_unwrapped_and_said(tmp_path, files, classes, where):
    for name in files:
        save_image(tmp_path / "set" / name)
    raw = load(tmp_path, kind="folder", path=str(tmp_path / "set"))
    assert raw.classes == classes
    assert [note for note in raw.notes if "holds one folder only" in note] == [
        note for note in raw.notes if where and note.endswith(f"classes were read from {where}")
    ]
    assert bool(raw.notes) == bool(where)


def test_fingerprint_sees_new_renamed_and_resized_files_but_not_times(tmp_path):
    one = tmp_path / "a"
    one.write_bytes(b"12")
    first = fingerprint_folder(tmp_path)
    one.write_bytes(b"34")
    assert fingerprint_folder(tmp_path) == first
    one.write_bytes(b"345")
    second = fingerprint_folder(tmp_path)
    one.rename(tmp_path / "b")
    assert len({first, second, fingerprint_folder(tmp_path)}) == 3
    assert fingerprint_folder(tmp_path / "none") == ""


# --- table ----------------------------------------------------------------------------------

COLUMNS = {"file": "img_filename", "label": "y", "split": "split", "attributes": ["place"]}


def wilds_table() -> pd.DataFrame:
    """Columns as in the WILDS benchmark's metadata."""
    n = 12
    return pd.DataFrame(
        {
            "img_filename": [f"birds/{i}.jpg" for i in range(n)],
            "y": [i % 2 for i in range(n)],
            "split": [0, 1, 2, 0, 0, 2] * 2,
            "place": [i // 2 % 2 for i in range(n)],
        }
    )


def make_table(tmp_path: Path, table: pd.DataFrame | None = None, **options) -> Path:
    root = tmp_path / "set"
    table = wilds_table() if table is None else table
    for name in wilds_table()["img_filename"]:
        save_image(root / name)
        save_image(root / "segmentations" / Path(name).with_suffix(".png"), np.zeros((8, 8), np.uint8))
    table.to_csv(root / "metadata.csv", index=False, **options)
    return root


def test_wilds_style_table(tmp_path):
    raw = load(
        tmp_path,
        kind="table",
        path=str(make_table(tmp_path)),
        columns=COLUMNS,
        label_names={"1": "waterbird", "0": "landbird"},
        attribute_names={"0": "land", "1": "water"},
        masks="segmentations",
    )
    row = raw.rows[5]
    assert (row.name, row.label, row.split, row.attributes) == (
        "birds/5.jpg",
        "waterbird",
        "test",
        {"place": "land"},
    )
    assert row.image == tmp_path / "set/birds/5.jpg"
    assert row.mask == tmp_path / "set/segmentations/birds/5.png"
    assert raw.classes == ["waterbird", "landbird"]  # the order of label_names
    assert raw.attribute_values == {"place": ["land", "water"]}
    assert [path.suffix for path in raw.decided_by] == [".csv"]


def test_parquet_and_separators_read_the_same(tmp_path):
    root = make_table(tmp_path)
    expected = load(tmp_path, kind="table", path=str(root), columns=COLUMNS)
    gaps = wilds_table().astype({"y": float})  # integers that pandas once turned into floats
    gaps.to_parquet(root / "m.parquet")
    wilds_table().to_csv(root / "m.csv", sep=";", index=False, encoding="utf-8-sig")
    wilds_table().to_csv(root / "m.tsv", sep="\t", index=False)
    for name in ("m.parquet", "m.csv", "m.tsv"):
        raw = load(tmp_path, kind="table", path=str(root), table=name, columns=COLUMNS)
        assert raw.rows == expected.rows
        assert raw.classes == ["0", "1"]


def test_text_stays_text(tmp_path):
    table = wilds_table().assign(y=["007", "NA"] * 6, split=["Training", "valid", "test"] * 4)
    raw = load(tmp_path, kind="table", path=str(make_table(tmp_path, table)), columns=COLUMNS)
    assert {row.label for row in raw.rows} == {"007", "NA"}
    assert [row.split for row in raw.rows[:3]] == ["train", "val", "test"]


def test_split_names_and_mask_column(tmp_path):
    masks = [f"birds/{i}.png" for i in range(12)]
    table = wilds_table().assign(split=["id", "ood"] * 6, m=masks)
    source = {
        "kind": "table",
        "path": str(make_table(tmp_path, table)),
        "columns": {**COLUMNS, "mask": "m"},
        "masks": "segmentations",
    }
    raw = load(tmp_path, **source, splits={"train": ["id"], "test": ["ood"]})
    assert [row.split for row in raw.rows[:2]] == ["train", "test"]
    assert raw.rows[0].mask == tmp_path / "set/segmentations/birds/0.png"
    with pytest.raises(InputError, match=r'(?s)not understood: "id", "ood".*splits: '):
        load(tmp_path, **source)


def test_png_mask_is_preferred_over_a_jpeg_of_the_same_name(tmp_path):
    root = make_table(tmp_path)
    save_image(root / "segmentations/birds/0.jpg")
    raw = load(tmp_path, kind="table", path=str(root), columns=COLUMNS, masks="segmentations")
    assert raw.rows[0].mask.suffix == ".png"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"table": "meta.csv"}, "does not exist"),
        (
            {"columns": {**COLUMNS, "label": "Y"}},
            r"no column 'Y'.*Columns found: img_filename, y.*columns\.label",
        ),
        (
            {"columns": {**COLUMNS, "attributes": ["plaec"]}},
            r"did you mean 'place'.*columns\.attributes\[0\]",
        ),
        (
            {"images": "photos"},
            r"12 of 12 images.*are missing: 'birds/0.jpg'.*photos/birds/0.jpg.*source\.images",
        ),
        ({"masks": "none"}, "is not a folder"),
        ({"masks": "birds/.."}, None),
        ({"label_names": {"2": "owl"}}, r"names the value '2'.*Values found: 0, 1"),
    ],
)
def test_what_does_not_fit_is_named_with_the_key_to_set(tmp_path, changes, message):
    source = {"kind": "table", "path": str(make_table(tmp_path)), "columns": COLUMNS, **changes}
    if message is None:
        assert load(tmp_path, **source).rows[0].mask is not None
        return
    with pytest.raises(InputError, match=message):
        load(tmp_path, **source)


def test_empty_cells_missing_files_and_missing_masks_are_counted(tmp_path):
    table = wilds_table()
    table["y"] = table["y"].astype(str)
    table.loc[3, "y"] = " "
    root = make_table(tmp_path, table)
    with pytest.raises(InputError, match=r"'y' is empty in 1 rows \(first: data row 4\)"):
        load(tmp_path, kind="table", path=str(root), columns=COLUMNS)
    root = make_table(tmp_path)
    (root / "segmentations/birds/4.png").unlink()
    with pytest.raises(InputError, match=r"1 of 12 images have no mask below .*birds/4.jpg"):
        load(tmp_path, kind="table", path=str(root), columns=COLUMNS, masks="segmentations")
    (root / "birds/7.jpg").unlink()
    with pytest.raises(InputError, match="1 of 12 images named in"):
        load(tmp_path, kind="table", path=str(root), columns=COLUMNS)
    (root / "metadata.csv").write_text("img_filename,y\n")
    with pytest.raises(InputError, match="no rows"):
        load(tmp_path, kind="table", path=str(root), columns=COLUMNS)
    (root / "metadata.csv").write_bytes(b"\xff\xfe\x00ba")
    with pytest.raises(InputError, match="cannot be read as a table"):
        load(tmp_path, kind="table", path=str(root), columns=COLUMNS)


# --- python ---------------------------------------------------------------------------------

MISTAKES = """
from pipeline.data.raw import RawDataset

class NoLoad:
    pass

class Failing:
    def load(self):
        return 1 / 0

class WrongResult:
    def load(self):
        return [1, 2]

class WrongRows:
    def load(self):
        return RawDataset("t", "s", "l", rows=[("a.png", "cat")])

class Fine:
    def __init__(self, folder: str = "x", *, n: int):
        self.n = n
    def load(self):
        return RawDataset(f"{self.n}", "s", "l", rows=[])
"""


@pytest.fixture
def plugin_folder(tmp_path, monkeypatch):
    """An empty plug-in folder that is searched instead of the project's."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.setattr(plugins, "__file__", str(folder / "__init__.py"))
    monkeypatch.setattr(plugins, "__path__", [str(folder)])
    yield folder
    for name in [name for name in sys.modules if name.startswith("pipeline.data.plugins.")]:
        del sys.modules[name]


def test_the_documented_example_runs_as_it_stands(tmp_path, plugin_folder):
    lines = plugins.__doc__.split("::\n", 1)[1].split("\nand its entry")[0].splitlines()
    (plugin_folder / "night_roads.py").write_text("\n".join(line.removeprefix("    ") for line in lines))
    for name in ("car_day_1.jpg", "car_night_2.jpg", "bus_day_3.jpg"):
        save_image(tmp_path / "roads" / name)
    options = {"folder": str(tmp_path / "roads")}
    raw = load(tmp_path, kind="python", **{"class": "night_roads:NightRoads"}, options=options)
    assert [(row.label, row.attributes["light"]) for row in raw.rows] == [
        ("bus", "day"),
        ("car", "day"),
        ("car", "night"),
    ]


def test_a_loader_of_the_projects_own_needs_no_file_in_the_package(tmp_path, plugin_folder, monkeypatch):
    project = tmp_path / "project"
    (project / "plugins").mkdir(parents=True)
    monkeypatch.chdir(project)
    (project / "plugins" / "mistakes.py").write_text(MISTAKES)
    assert load(tmp_path, kind="python", **{"class": "mistakes:Fine"}, options={"n": 3}).title == "3"
    with pytest.raises(InputError, match=r"failed at .*/project/plugins/mistakes\.py:9: ZeroDivisionError"):
        load(tmp_path, kind="python", **{"class": "mistakes:Failing"}, options={})
    with pytest.raises(InputError, match=r"plugins/mistake\.py does not exist; did you mean 'mistakes'"):
        load(tmp_path, kind="python", **{"class": "mistake:Fine"}, options={})
    (plugin_folder / "mistakes.py").write_text("class Fine: ...")
    assert load(tmp_path, kind="python", **{"class": "mistakes:Fine"}, options={"n": 4}).title == "4"


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        ("mistake:Fine", {}, r"mistake\.py does not exist; did you mean 'mistakes'"),
        ("mistakes:Fin", {}, "no class 'Fin' with a method `load`; did you mean 'Fine'"),
        ("mistakes:NoLoad", {}, "no class 'NoLoad' with a method"),
        ("mistakes:Fine", {"m": 1}, r"options do not fit mistakes:Fine\(folder: str = 'x', \*, n: int\)"),
        ("mistakes:Failing", {}, r"failed at .*mistakes\.py:9: ZeroDivisionError"),
        ("mistakes:WrongResult", {}, "returned a list"),
        ("mistakes:WrongRows", {}, "found a tuple"),
        ("broken:X", {}, "loader broken:X failed"),
    ],
)
def test_mistakes_in_a_plugin_are_named(tmp_path, plugin_folder, cls, options, message):
    (plugin_folder / "mistakes.py").write_text(MISTAKES)
    (plugin_folder / "broken.py").write_text("import nothing_of_this_name")
    with pytest.raises(InputError, match=message):
        load(tmp_path, kind="python", **{"class": cls}, options=options)
    assert load(tmp_path, kind="python", **{"class": "mistakes:Fine"}, options={"n": 3}).title == "3"


# --- names ----------------------------------------------------------------------------------


def test_names():
    assert make_unique(["a", "b", "a", "a", "a (2)"]) == ["a", "b", "a (3)", "a (4)", "a (2)"]
    assert len(set(make_unique(["x"] * 50))) == 50
    assert sorted(["c10", "c9", "b", "10", "2"], key=natural_key) == ["2", "10", "b", "c9", "c10"]
    assert list_some([1, 2, 3], 2) == "1, 2 and 1 more"
