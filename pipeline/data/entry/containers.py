"""An entry for images that lie in larger files, or beside metadata: what is at a path, and its columns' "
"roles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.data.files.listing import find_files, is_image, is_junk
from pipeline.data.files.npz_arrays import list_arrays
from pipeline.data.files.parquet_images import is_image_type, open_parquet
from pipeline.data.files.read_table import PARQUET_SUFFIXES, read_table
from pipeline.data.files.shards import Shard, find_shards
from pipeline.data.names.columns import LABEL_WORDS, Columns, Given, check_known, check_twins, guess_roles
from pipeline.data.names.split_names import read_plainly
from pipeline.data.names.split_words import hinted_split, looks_like_split
from pipeline.data.raw import RawDataset
from pipeline.data.sources import imagefolder, npz, webdataset
from pipeline.data.sources.parquet import find_classes, read_shard
from pipeline.settings.sources import CellSource, NamedSplitsSource, TorchvisionSource

NPZ = (".npz",)
_IMAGE_WORDS = ("image", "images", "img", "imgs", "x", "data", "pixels")
_N_SAMPLES = 2000  # of each split's first shard, that columns are guessed from
# torchvision's class by what lies in its root; the first that is there
_TORCHVISION = {
    "cifar-10-batches-py": "CIFAR10",
    "MNIST/raw": "MNIST",
    "FashionMNIST/raw": "FashionMNIST",
    "KMNIST/raw": "KMNIST",
    "QMNIST/raw": "QMNIST",
    "stl10_binary": "STL10",
    "train_32x32.mat": "SVHN",
    "flowers-102": "Flowers102",
    "food-101": "Food101",
    "oxford-iiit-pet": "OxfordIIITPet",
    "gtsrb": "GTSRB",
    "dtd": "DTD",
    "fgvc-aircraft-2013b": "FGVCAircraft",
    "stanford_cars": "StanfordCars",
    "country211": "Country211",
    "rendered-sst2": "RenderedSST2",
    "caltech101": "Caltech101",
    "caltech256": "Caltech256",
    "eurosat": "EuroSAT",
    "pcam": "PCAM",
    "fer2013": "FER2013",
    "SUN397": "SUN397",
    "usps.bz2": "USPS",
    "semeion.data": "SEMEION",
}


@dataclass(frozen=True)
class Found:
    """What was read to guess from: some of the rows."""

    kind: str
    path: Path
    table: pd.DataFrame  # cells as text, without the images
    split_names: Sequence[str]  # of each row, what its file calls its split
    image: str | None = None  # the images' column, where the entry names it
    label: str | None = None  # the one column that is known to be classes
    file: str | None = None  # the column of `table` that names files
    folders: Sequence[str] = ()  # that each image lies in, where these may be classes


@dataclass(frozen=True)
class Container:
    """The guessed entry, and what was said besides it."""

    source: dict[str, Any]
    roles: Columns | None = None
    notes: list[str] = field(default_factory=list)


def guess_container(path: Path, given: Given, said: Mapping[str, Any]) -> Container | None:
    """The source at a path; None where it is a plain table or folder, or published.

    Args:
        said: keys of `source` that are not guessed.

    Raises:
        InputError: columns that cannot be guessed, or flags that say nothing of such a source.
    """
    kind = recognize(path)
    levels = [key for key in ("label_level", "attribute_level") if said.get(key)]
    levels += ["split_level"] if said.get("split_level") else []
    if kind is None or (kind == "imagefolder" and levels):
        return None  # its folders may be read without the metadata
    if levels:
        raise InputError(
            f"--{levels[0].replace('_', '-')}: levels are of folders, and {path} is read as {kind}. Leave it "
            "out."
        )
    if kind == "torchvision":
        return _torchvision(path, given, said)
    return _with_roles(_READERS[kind](path, given), given, said)


def recognize(path: Path) -> str | None:
    """The kind of source at a path; None: none of those that are recognized here."""
    if path.is_file():
        return _kind_of_file(path)
    if torchvision_root(path) is not None:
        return "torchvision"
    files = find_files(path)
    if _is_imagefolder(path, files):
        return "imagefolder"
    kinds = Counter(kind for kind in map(_kind_of_file, _first_of_each(files)) if kind)
    has_images = any(is_image(file) for file in files)
    return next(iter(kinds), None) if len(kinds) == 1 and not has_images else None


def _first_of_each(files: Sequence[Path]) -> list[Path]:
    """One file of each ending: looking into all of them takes long."""
    return list({"".join(file.suffixes[-2:]).lower(): file for file in reversed(files)}.values())


def _kind_of_file(path: Path) -> str | None:
    name = path.name.lower()
    if is_junk(path.name):
        return None
    if name.endswith(NPZ):
        return "npz"
    if name.endswith(webdataset.SUFFIXES):
        return "webdataset"
    if not name.endswith(PARQUET_SUFFIXES):
        return None
    try:
        schema = open_parquet(path).schema_arrow
    except InputError:
        return None  # the loader of tables says what is wrong
    return "parquet" if any(is_image_type(each.type) for each in schema) else None


def _is_imagefolder(path: Path, files: Sequence[Path]) -> bool:
    """Whether metadata lie in folders below, or at the top without saying splits that folders say."""
    found = [file for file in files if file.name.lower() in imagefolder.METADATA]
    tables = [read_table(file).cells for file in found]
    if not tables or any("file_name" not in table for table in tables):
        return False
    if any(file.parent != path for file in found):
        return True
    cells = tables[0]
    others = [column for column in map(str, cells) if column != "file_name"]
    if any(looks_like_split(column, cells[column].unique()) for column in others):
        return False
    parts = [tuple(name.split("/")[:-1]) for name in cells["file_name"]]
    return any(imagefolder.read_folders(parts)[0])


def torchvision_root(path: Path) -> tuple[str, Path] | None:
    """Torchvision's class and the folder that it calls root, where its files lie there or are the folder."""
    for mark, cls in _TORCHVISION.items():
        if (path / mark).exists():
            return cls, path
        depth = mark.count("/") + 1
        if path.parts[-depth:] == tuple(mark.split("/")) or path.name == mark.split("/")[0] != mark:
            root = path.parents[depth - 1] if path.parts[-depth:] == tuple(mark.split("/")) else path.parent
            if (root / mark).exists():
                return cls, root
    return None


def _torchvision(path: Path, given: Given, said: Mapping[str, Any]) -> Container:
    found = torchvision_root(path)
    assert found is not None
    cls, root = found
    columns = {"file": given.file, "label": given.label, "split": given.split, "group": given.group_column}
    flags = [
        f"--{name}-column" for name, value in (columns | {"attribute": given.attributes}).items() if value
    ]
    if flags or said.get("names"):
        raise InputError(
            f"{', '.join(flags or ['--keep-names'])}: {path} is read by torchvision.datasets.{cls}, which "
            "has no columns. Leave it out."
        )
    source: dict[str, Any] = {"kind": "torchvision", "class": cls, "path": str(root)}
    source |= {"splits": said["splits"]} if said.get("splits") else {}
    source |= {} if given.has_split else {"split_argument": "none"}
    return Container(source)


def _parquet(path: Path, given: Given) -> Found:
    shards = find_shards(path, PARQUET_SUFFIXES)
    schema = open_parquet(shards[0].path).schema_arrow
    images = [each.name for each in schema if is_image_type(each.type)]
    image = given.file or _preferred(images, "--file-column")
    names = [each.name for each in schema if each.name != image and _is_plain(each.type)]
    declared = find_classes(shards)
    firsts = _firsts(shards)
    tables = [read_shard(shard, image, {name: name for name in names}, declared)[0] for shard in firsts]
    split_names = [shard.split for shard, table in zip(firsts, tables, strict=True) for _ in table.index]
    classes = [name for name in names if name in declared] or [name for name in names if name == "cls"]
    return Found(
        "parquet",
        path,
        pd.concat(tables, ignore_index=True),
        split_names,
        image=image,
        label=classes[0] if len(classes) == 1 else None,
    )


def _is_plain(kind: Any) -> bool:
    import pyarrow as pa

    return not (pa.types.is_nested(kind) or is_image_type(kind))


def _preferred(names: Sequence[str], flag: str) -> str:
    """The only one, or the one that is called like images."""
    called = [name for word in _IMAGE_WORDS for name in names if name.lower() == word]
    if called or len(names) == 1:
        return next(iter(called or names))
    raise InputError(f"which of {', '.join(names)} are the images? Name it: {flag} {names[0]}.")


def _firsts(shards: Sequence[Shard]) -> list[Shard]:
    """The first shard of each split."""
    return list({shard.split: shard for shard in reversed(shards)}.values())[::-1]


def _webdataset(path: Path, given: Given) -> Found:
    rows, split_names = [], []
    wanted = [each for each in (given.label, given.split, *(given.attributes or ())) if each]
    for shard in _firsts(find_shards(path, webdataset.SUFFIXES)):
        for sample in islice(webdataset.read_samples(shard), _N_SAMPLES):
            fields = webdataset.read_fields(sample)
            if any(name not in fields for name in wanted):
                fields |= webdataset.read_fields(sample, wanted)
            rows.append(fields)
            split_names.append(shard.split)
    table = pd.DataFrame(rows, dtype=str).fillna("")
    return Found(
        "webdataset", path, table, split_names, image=given.file, label="cls" if "cls" in table else None
    )


def _npz(path: Path, given: Given) -> Found:
    files = find_shards(path, NPZ)
    if len(files) > 1:
        raise InputError(
            f"{path} holds several .npz ({list_some([file.name for file in files])}). Give the path of one."
        )
    file = files[0].path
    arrays = list_arrays(file)
    parts = npz.split_arrays(arrays, given.has_split)
    images = list(
        dict.fromkeys(
            role
            for part in parts
            for role, info in part.arrays.items()
            if len(info.shape) in (3, 4) and info.dtype.kind in "buif"
        )
    )
    if not (given.file or images):
        raise InputError(
            f"{file} holds no array of images (N x height x width numbers): {', '.join(arrays)}. Name it: "
            "--file-column ARRAY."
        )
    image = given.file or _preferred(images, "--file-column")
    parts = [part for part in parts if image in part.arrays]
    tables, split_names = [], list[str]()
    for part in parts:
        n = part.arrays[image].shape[0]
        roles = [role for role, info in part.arrays.items() if info.shape in ((n,), (n, 1)) and role != image]
        shared = {role: role for role in roles if all(role in other.arrays for other in parts)}
        tables.append(npz.read_part(file, part, image, shared, n, [], ""))
        split_names += [part.split] * n
    if not tables:
        raise InputError(f"{file} has no array {image!r}. Arrays found: {', '.join(arrays)}.")
    table = pd.concat(tables, ignore_index=True)
    label = next((c for c in map(str, table) if c.lower() in ("labels", "label", "y", "targets")), None)
    return Found("npz", file, table, split_names, image=image, label=label)


def _imagefolder(path: Path, given: Given) -> Found:
    column = given.file or "file_name"
    tables = []
    for file in imagefolder.find_metadata(path):
        cells = read_table(file).cells
        if column in cells:
            folder = file.parent.relative_to(path).as_posix()
            cells[column] = [imagefolder.name_below(path, folder, name, file) for name in cells[column]]
        tables.append(cells)
    table = pd.concat(tables, ignore_index=True).fillna("")
    check_known(table, replace(given, file=column))
    parts = [tuple(name.split("/")[:-1]) for name in table[column]]
    split_names, rests = imagefolder.read_folders(parts)
    folders = [rest[-1] for rest in rests] if all(rests) else []
    return Found("imagefolder", path, table, split_names, file=column, folders=folders)


_READERS: dict[str, Callable[[Path, Given], Found]] = {
    "parquet": _parquet,
    "webdataset": _webdataset,
    "npz": _npz,
    "imagefolder": _imagefolder,
}


def _with_roles(found: Found, given: Given, said: Mapping[str, Any]) -> Container:
    is_named = any(hinted_split(name) for name in found.split_names)
    said_names = [name for names in (given.splits or {}).values() for name in names]
    is_named = is_named or (bool(said_names) and set(said_names) <= set(found.split_names))
    by_name = is_named and given.has_split and given.split is None
    asked = replace(given, file=None, has_split=given.has_split and not by_name)
    check_known(found.table, asked)
    notes, table, label = [], found.table, found.label
    has_label = given.label or any(str(column).lower() in LABEL_WORDS for column in table)
    if found.folders and not has_label:
        table, label = table.assign(**{imagefolder.FOLDER: found.folders}), imagefolder.FOLDER
        notes.append("no column is named like a label: the folder that an image lies in is its class")
    roles = guess_roles(table, asked, file=found.file, label=label)
    check_twins(roles, found.table, given)
    columns: dict[str, Any] = {}
    if found.image is not None:
        columns["image"] = found.image
    if found.file not in (None, "file_name"):
        columns["file"] = found.file
    columns |= {"label": roles.label} if roles.label != imagefolder.FOLDER else {}
    optional = {"split": roles.split, "attributes": roles.attributes, "group_column": roles.group_column}
    columns |= {key: value for key, value in optional.items() if value}
    source: dict[str, Any] = {"kind": found.kind, "path": str(found.path), "columns": columns}
    if not given.has_split:
        source["split_by_name"] = False
    if said.get("splits"):
        source["splits"] = said["splits"]
    elif by_name and (unlabelled := _unlabelled(table, found.split_names, roles.label)):
        source["splits"], names = unlabelled
        notes.append(f"no image of {list_some(names)} has a label: left out")
    if said.get("names"):
        source["names"] = said["names"]
    return Container(source, roles, notes)


def _unlabelled(
    table: pd.DataFrame, split_names: Sequence[str], label: str
) -> tuple[dict[str, list[str]], list[str]] | None:
    """A mapping that leaves splits without labels out, and their names; None where all have some."""
    names = pd.Series(list(split_names))
    is_empty = table[label].str.strip() == ""
    bare = [str(name) for name in names.unique() if bool(is_empty[names == name].all())]
    places, why = read_plainly(Counter(split_names), has_numbers=False)
    if not bare or why:
        return None
    mapping: dict[str, list[str]] = {}
    for name in dict.fromkeys(split_names):
        mapping.setdefault("leave_out" if name in bare else places[name], []).append(name)
    return (mapping, bare) if "train" in mapping else None


def describe_container(source: object, raw: RawDataset, found: Container) -> str:
    """Lines "role: what" for the terminal; "" where this is no such source."""
    if isinstance(source, TorchvisionSource):
        splits = sorted({row.split or "none: made by chance" for row in raw.rows})
        rows = [("read by", f"torchvision.datasets.{source.cls}"), ("split", ", ".join(splits))]
    elif isinstance(source, CellSource):
        rows = _roles(source, raw, found)
    else:
        return ""
    width = max(len(role) for role, _ in rows)
    return "\n".join(
        [f"taken for: {found.source['kind']}", *(f"  {r.ljust(width)}  {what}" for r, what in rows)]
    )


def _roles(source: CellSource, raw: RawDataset, found: Container) -> list[tuple[str, str]]:
    columns = source.columns
    image = getattr(columns, "image", None) or getattr(columns, "file", None)
    by_name = isinstance(source, NamedSplitsSource) and any(row.split for row in raw.rows)
    split = f"column {columns.split!r} (--split-column, --no-split)" if columns.split else ""
    split = split or ("by name (--split, --no-split)" if by_name else "none: made by chance (--split-column)")
    groups = [repr(name) for name in columns.attributes]
    none = "none annotated: of a found cue that a model uses, else classes"
    rows = [
        ("images", f"{image!r} (--file-column)" if image else "the one image of each sample (--file-column)"),
        ("label", f"{columns.label!r} (--label-column)" if columns.label else "folders (--label-column)"),
        ("split", split),
        ("groups", f"{groups[0] if groups else none} (--attribute-column)"),
        ("also compared", ", ".join(groups[1:]) or "nothing"),
        (
            "kept together",
            f"{columns.group_column!r}" if columns.group_column else "nothing (--group-column)",
        ),
    ]
    over = dict(islice((found.roles.passed_over if found.roles else {}).items(), 8))
    rows += [("passed over", f"{column!r}: {why}") for column, why in over.items()]
    return rows + [("note", note) for note in found.notes]
