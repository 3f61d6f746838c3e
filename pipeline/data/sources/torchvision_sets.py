"""Any classification dataset of torchvision by the name of its class, from its files."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.core.errors import DownloadError, InputError, PipelineError
from pipeline.core.types import SplitName
from pipeline.core.words import list_some
from pipeline.data.decoding.decode import to_rgb
from pipeline.data.decoding.exif import DECODE_ERRORS
from pipeline.data.fetch.safe_pickle import without_code
from pipeline.data.files.listing import find_files
from pipeline.data.names.naming import make_unique, natural_key
from pipeline.data.names.split_words import PLACES, Place
from pipeline.data.raw import Content, DeepPixels, RawDataset, RawRow, UnreadableError
from pipeline.settings.parsing import did_you_mean
from pipeline.settings.sources import TorchvisionSource

NO_SPLITS = "none"
# what `split=` is tried with, in order: of each line the first that the class knows
USUAL: dict[SplitName, tuple[str, ...]] = {
    "train": ("train", "trainval", "train-standard"),
    "val": ("val", "valid", "validation"),
    "test": ("test",),
}
OURS = ("root", "download", "loader", "transform", "target_transform", "transforms")  # no options
_LABELS = ("targets", "labels", "_labels", "y")  # where classes keep them
_FOLDERS = ("raw_folder", "_base_folder", "base_folder")  # and their files


class TorchvisionLoader:
    """Images and labels as the class gives them; where it opens files, the files themselves."""

    def __init__(self, source: TorchvisionSource, downloads: Path) -> None:
        self.source, self.downloads = source, downloads

    def load(self) -> RawDataset:
        """Raises: InputError, DownloadError, UnsafeArchiveError (class, files or labels not usable)."""
        source = self.source
        root = self._root()
        builder = Builder(find_class(source.cls), root, source)
        parts, notes = builder.parts()
        rows = [row for part in parts for row in _rows(part, root, source.cls)]
        files = {row.image for row in rows if isinstance(row.image, Path)}
        found = {row.label for row in rows}
        ordered = [name for part in parts for name in part.names if name in found]
        return RawDataset(
            title=source.title or source.cls,
            source=f"torchvision.datasets.{source.cls}",
            licence=source.licence,
            rows=rows,
            classes=list(dict.fromkeys([*ordered, *sorted(found, key=natural_key)])),
            notes=notes,
            decided_by=[file for file in _own_files(parts, root) if file not in files],
            is_listing=len(files) == len(rows),
        )

    def _root(self) -> Path | None:
        source = self.source
        if source.download and source.path is not None:
            raise InputError(
                f"source.download is for data that are not there yet, and source.path = {source.path!r} "
                "would be written into. Leave `path` out (downloads/ is used), or `download`."
            )
        if source.download:
            self.downloads.mkdir(parents=True, exist_ok=True)
            return self.downloads
        if source.path is None:
            return None
        root = Path(source.path).expanduser()
        if not root.is_dir():
            raise InputError(f"source.path = {source.path!r} is not a folder.")
        return root


@dataclass(frozen=True)
class Part:
    """One built dataset."""

    dataset: Any
    called: str  # in names of images
    split: SplitName | None
    names: list[str]  # of its classes; empty: numbers


def find_class(name: str) -> type:
    """A class of images with torchvision's own name.

    Raises:
        InputError: there is none.
    """
    from torchvision import datasets  # late: it loads torch

    base = datasets.VisionDataset
    known = {each: getattr(datasets, each) for each in datasets.__all__}
    classes = {each: kind for each, kind in known.items() if inspect.isclass(kind) and issubclass(kind, base)}
    found = classes.get(name)
    if found is None or found is base:
        raise InputError(
            f"source.class = {name!r} is no dataset of torchvision{did_you_mean(name, classes) or '.'} See "
            "torchvision.datasets."
        )
    return found


class Builder:
    """Builds a class once for each split."""

    def __init__(self, kind: type, root: Path | None, source: TorchvisionSource) -> None:
        """Raises: InputError (options that are not the user's to set, or a missing path)."""
        self.kind, self.root, self.source = kind, root, source
        self.parameters = inspect.signature(kind).parameters
        ours = [key for key in source.options if key in OURS]
        if ours:
            raise InputError(
                f"source.options has {', '.join(ours)}, which loading sets itself. Leave it out; the folder "
                "is `source.path`."
            )
        if "root" in self.parameters and root is None:
            raise InputError(f"source.path is not set: {source.cls} needs the folder of its files.")
        if source.download and not self._takes("download"):
            raise InputError(f"{source.cls} cannot download. Obtain its files, and set `source.path`.")

    def parts(self) -> tuple[list[Part], list[str]]:
        """The dataset of each split, and notes.

        Raises:
            InputError, DownloadError, UnsafeArchiveError: one cannot be built.
        """
        argument = self._argument()
        if argument is None:
            return [self._part({}, "all", None)], []
        if self.source.splits is not None:
            return self._said(argument), []
        if argument == "train":
            return [
                self._part({"train": True}, "train", "train"),
                self._part({"train": False}, "test", "test"),
            ], []
        return self._usual(argument)

    def _argument(self) -> str | None:
        """The argument that says the split; None: there is none, or the user has set it."""
        given = self.source.split_argument
        from torchvision.datasets import MNIST

        if given == NO_SPLITS:
            return None
        if given is not None and not self._takes(given):
            raise InputError(
                f"source.split_argument = {given!r}: {self.source.cls} takes {', '.join(self.parameters)}."
            )
        usual = self.parameters.get("split")
        if given is not None:
            found: str | None = given
        elif "train" in self.parameters or issubclass(self.kind, MNIST):
            found = "train"
        else:
            found = "split" if usual is not None and usual.default is not usual.empty else None
        return None if found in self.source.options else found

    def _said(self, argument: str) -> list[Part]:
        assert self.source.splits is not None
        parts = []
        places: tuple[Place, ...] = tuple(place for place in PLACES if place != "leave_out")
        for place in places:
            for value in getattr(self.source.splits, place):
                split = None if place == "leave_out" else place
                parts.append(self._part({argument: _as_argument(value)}, value, split))
        return parts

    def _usual(self, argument: str) -> tuple[list[Part], list[str]]:
        parts, notes = [], []
        for split, values in USUAL.items():
            errors = []
            for value in values:
                try:
                    parts.append(self._part({argument: value}, value, split))
                    break
                except _UnknownValueError:
                    continue
                except InputError as error:
                    if split == "train":
                        raise
                    errors.append(error)
                    break
            notes += [f"no {split} split: {error}" for error in errors]
        if not any(part.split == "train" for part in parts):
            raise InputError(
                f"{self.source.cls} knows no {argument}={' or '.join(map(repr, USUAL['train']))}. Say which "
                "values are which split: `source: {splits: {train: [...], test: [...]}}`."
            )
        read = [f"{part.called} -> {part.split}" for part in parts if part.called != part.split]
        return parts, [*notes, *([f"{argument}= read as splits: {list_some(read)}"] if read else [])]

    def _takes(self, name: str) -> bool:
        kinds = {parameter.kind for parameter in self.parameters.values()}
        return name in self.parameters or inspect.Parameter.VAR_KEYWORD in kinds

    def _part(self, own: Mapping[str, Any], called: str, split: SplitName | None) -> Part:
        options = {**self.source.options, **own}
        for key in ("root", "download"):
            if key in self.parameters or (key == "download" and self._takes(key)):
                options[key] = self.root if key == "root" else self.source.download
        dataset = self._build(options | ({"loader": Path} if "loader" in self.parameters else {}))
        if "loader" in self.parameters and len(dataset) and not isinstance(dataset[0][0], Path):
            dataset = self._build(options)  # it does more with an image than to open it
        return Part(dataset, called, split, _class_names(dataset))

    def _build(self, options: Mapping[str, Any]) -> Any:
        where = f"torchvision.datasets.{self.source.cls}"
        shown = ", ".join(f"{key}={value!r}" for key, value in options.items() if key != "loader")
        try:
            with without_code(where):
                return self.kind(**options)
        except PipelineError:
            raise
        except Exception as error:
            if isinstance(error, ValueError) and str(error).startswith("Unknown value"):
                raise _UnknownValueError(f"{where}({shown}): {error}") from error
            if self.source.download and isinstance(error, OSError):
                raise DownloadError(f"{where}({shown}) could not download: {error}.") from error
            reason = str(error).split(" You can use download=True")[0].rstrip(".")
            raise InputError(
                f"{where}({shown}) failed: {type(error).__name__}: {reason}. Correct `source.path` (the "
                "folder that torchvision calls root), or `source.options`."
            ) from error


class _UnknownValueError(InputError):
    """A split that the class does not know."""


def _as_argument(value: str) -> Any:
    return {"true": True, "false": False}.get(value.lower(), value)


def _class_names(dataset: Any) -> list[str]:
    """Names of the classes by number; none where it has none."""
    names = getattr(dataset, "classes", None) or getattr(dataset, "categories", None)
    by_name = getattr(dataset, "class_to_idx", None)
    if not names and isinstance(by_name, Mapping):
        names = sorted(by_name, key=lambda name: by_name[name])
    if not isinstance(names, Sequence) or isinstance(names, str):
        return []
    return make_unique(", ".join(name) if isinstance(name, tuple | list) else str(name) for name in names)


def _rows(part: Part, root: Path | None, cls: str) -> Iterator[RawRow]:
    for i, (file, label) in enumerate(_items(part.dataset, cls)):
        name = f"{part.called}/{i}"
        if file is not None and root is not None and file.is_relative_to(root):
            name = file.relative_to(root).as_posix()
        image = TorchvisionImage(part.dataset, i, cls) if file is None else file
        yield RawRow(name, image, _name_of(label, part.names, name, cls), part.split)


def _items(dataset: Any, cls: str) -> Iterator[tuple[Path | None, Any]]:
    """The file, where there is one, and the label of every image; opened only where it must be."""
    with without_code(f"torchvision.datasets.{cls}"):
        n = len(dataset)
        labels = next((found for key in _LABELS if (found := _listed(dataset, key, n)) is not None), None)
        is_file = n > 0 and isinstance(_item(dataset, 0, cls)[0], Path)
        if labels is not None and not is_file:
            yield from zip(itertools.repeat(None), labels, strict=False)
            return
        for i in range(n):
            image, label = _item(dataset, i, cls)
            yield image if isinstance(image, Path) else None, label


def _listed(dataset: Any, key: str, n: int) -> list[Any] | None:
    """Labels that the dataset keeps under `key`, where they are what its first and last item say."""
    found = getattr(dataset, key, None)
    if found is None or isinstance(found, str) or not hasattr(found, "__len__") or len(found) != n or n == 0:
        return None
    values = np.asarray(found)
    if values.ndim != 1:
        return None
    listed: list[Any] = values.tolist()
    try:
        ends = [_scalar(dataset[i][1]) for i in (0, n - 1)]
    except PipelineError:
        raise
    except DECODE_ERRORS:
        return None
    return listed if ends == [listed[0], listed[-1]] else None


def _item(dataset: Any, i: int, cls: str) -> tuple[Any, Any]:
    try:
        found = dataset[i]
    except PipelineError:
        raise
    except DECODE_ERRORS as error:
        raise InputError(
            f"torchvision.datasets.{cls}: image {i} cannot be read ({error}), and its label with it. Mend or "
            "remove its file."
        ) from error
    if not isinstance(found, tuple) or len(found) != 2:
        raise InputError(
            f"torchvision.datasets.{cls} gives {type(found).__name__}, no pairs of image and label."
        )
    return found


def _scalar(value: Any) -> Any:
    """A number or text out of an array or tensor of one."""
    return value.item() if hasattr(value, "item") else value


def _name_of(label: Any, names: Sequence[str], image: str, cls: str) -> str:
    """The class's name.

    Raises:
        InputError: not one class, or one that does not exist.
    """
    try:
        label = _scalar(label)
    except (RuntimeError, ValueError):
        label = list(label)
    if isinstance(label, str):
        return label
    if not isinstance(label, int | float) or not float(label).is_integer():
        raise InputError(
            f"torchvision.datasets.{cls} gives {type(label).__name__} {str(label)[:60]!r} as the label of "
            f"{image}; one class for each image is needed. Choose it by `source.options` (target_type: ...), "
            "or list the images in a table (`source.kind: table`)."
        )
    number = int(label)
    if number < 0 or (names and number >= len(names)):
        why = f"its {len(names)} classes are 0 to {len(names) - 1}" if names else "classes are 0 or more"
        raise InputError(
            f"torchvision.datasets.{cls}: {image} has the label {number}; {why}. Leave that part out: "
            "`source.splits`."
        )
    return names[number] if names else str(number)


def _own_files(parts: Sequence[Part], root: Path | None) -> list[Path]:
    """The files that the datasets were built from, as far as they say where these are."""
    if root is None:
        return []
    folders = set[Path]()
    for part in parts:
        said = (getattr(part.dataset, key, None) for key in _FOLDERS)
        own = [folder for each in said if each and (folder := root / str(each)).is_dir()]
        folders.add(own[0] if own else root)
    return list(dict.fromkeys(file for folder in sorted(folders) for file in find_files(folder)))


@dataclass(frozen=True, slots=True)
class TorchvisionImage:
    """One item's image."""

    dataset: Any
    item: int
    cls: str

    @property
    def called(self) -> None:
        return None

    def read(self) -> Content:
        """Raises: UnreadableError, InputError (no picture)."""
        try:
            with without_code(f"torchvision.datasets.{self.cls}"):
                picture = self.dataset[self.item][0]
                if isinstance(picture, Image.Image):
                    return _as_content(picture)
        except PipelineError:
            raise
        except DECODE_ERRORS as error:
            raise UnreadableError(f"{type(error).__name__}: {error}") from error
        raise InputError(
            f"torchvision.datasets.{self.cls} gives {type(picture).__name__} as an image; pictures are "
            "needed. Videos, flow and boxes are no images with a class."
        )


def _as_content(picture: Image.Image) -> Content:
    if picture.mode.startswith("I") or picture.mode == "F":
        return DeepPixels(np.asarray(picture))
    return np.asarray(to_rgb(picture))
