"""From `source` settings to a loaded dataset."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.artifacts.paths import own_loader
from pipeline.core.errors import InputError, PipelineError
from pipeline.data.raw import Loader, RawDataset, RawRow
from pipeline.data.sources.cifar100 import Cifar100
from pipeline.data.sources.folder import FolderLoader
from pipeline.data.sources.imagefolder import ImageFolderLoader
from pipeline.data.sources.npz import NpzLoader
from pipeline.data.sources.parquet import ParquetLoader
from pipeline.data.sources.table import TableLoader
from pipeline.data.sources.tiny_imagenet import TinyImagenet
from pipeline.data.sources.torchvision_sets import TorchvisionLoader
from pipeline.data.sources.waterbirds import Waterbirds
from pipeline.data.sources.webdataset import WebDatasetLoader
from pipeline.settings.parsing import did_you_mean
from pipeline.settings.sources import (
    Cifar100Source,
    FolderSource,
    ImageFolderSource,
    NpzSource,
    ParquetSource,
    PhotoDigitsSource,
    PythonSource,
    Source,
    TableSource,
    TinyImagenetSource,
    TorchvisionSource,
    WaterbirdsSource,
    WebDatasetSource,
)

PLUGINS = "pipeline.data.plugins"


def load_raw(source: Source, downloads: Path) -> RawDataset:
    """Obtain the dataset that `source` describes and list its rows.

    Args:
        downloads: folder for archives and what is extracted from them.

    Raises:
        InputError, DownloadError: with the file or key, what was expected and the remedy.
    """
    return _LOADERS[type(source)](source, downloads).load()


def _import_file(path: Path) -> Any:
    """A module of the project's own, which is in no package and on no path."""
    spec = importlib.util.spec_from_file_location(f"plugins_of_this_project.{path.stem}", path.resolve())
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is no Python module. Name the file after the module in `source.class`.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _photo_digits(source: PhotoDigitsSource) -> Loader:
    from pipeline.data.sources.photo_digits import PhotoDigits

    return PhotoDigits(source)


class _CheckedPlugin:
    """A user's loader, its mistakes turned into messages that name the file and the line."""

    def __init__(self, source: PythonSource) -> None:
        self.source = source
        self.module_name, _, self.class_name = source.cls.partition(":")

    def load(self) -> RawDataset:
        plugin_class = self._find_class()
        try:
            inspect.signature(plugin_class).bind(**self.source.options)
        except TypeError as error:
            raise InputError(
                f"source.options do not fit {self.source.cls}{inspect.signature(plugin_class)}: {error}."
            ) from None
        try:
            raw = plugin_class(**self.source.options).load()
        except PipelineError:
            raise
        except Exception as error:
            raise InputError(self._failure(error)) from error
        self._check_result(raw)
        checked: RawDataset = raw
        return checked

    def _find_class(self) -> Any:
        folder = Path(importlib.import_module(PLUGINS).__file__ or "").parent
        own = own_loader(self.module_name)
        files = [*own.parent.glob("*.py"), *folder.glob("*.py")]
        known = sorted({path.stem for path in files if path.stem != "__init__"})
        if self.module_name not in known:
            raise InputError(
                f"source.class = {self.source.cls!r}: {own} does not exist"
                f"{did_you_mean(self.module_name, known) or '.'} Modules there and in {folder}: "
                f"{', '.join(known) or 'none'}."
            )
        try:
            module = _import_file(own) if own.is_file() else importlib.import_module(f"{PLUGINS}.{own.stem}")
        except Exception as error:
            raise InputError(self._failure(error)) from error
        plugin_class = getattr(module, self.class_name, None)
        if not inspect.isclass(plugin_class) or not hasattr(plugin_class, "load"):
            classes = [
                name
                for name, value in vars(module).items()
                if inspect.isclass(value) and value.__module__ == module.__name__
            ]
            raise InputError(
                f"{module.__file__} has no class {self.class_name!r} with a method `load`"
                f"{did_you_mean(self.class_name, classes) or '.'}"
                f" Classes there: {', '.join(classes) or 'none'}."
            )
        return plugin_class

    def _failure(self, error: BaseException) -> str:
        ours = f"{self.module_name}.py"
        frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).name == ours]
        place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        return f"the loader {self.source.cls} failed{place}: {type(error).__name__}: {error}."

    def _check_result(self, raw: object) -> None:
        if not isinstance(raw, RawDataset):
            raise InputError(
                f"{self.source.cls}.load() returned a {type(raw).__name__}, expected "
                "pipeline.data.raw.RawDataset."
            )
        wrong = next((row for row in raw.rows if not isinstance(row, RawRow)), None)
        if wrong is not None:
            raise InputError(
                f"{self.source.cls}.load(): rows must be pipeline.data.raw.RawRow, found a "
                f"{type(wrong).__name__}."
            )


_LOADERS: dict[type, Callable[[Any, Path], Loader]] = {
    PhotoDigitsSource: lambda source, _: _photo_digits(source),
    Cifar100Source: Cifar100,
    TinyImagenetSource: TinyImagenet,
    WaterbirdsSource: Waterbirds,
    FolderSource: lambda source, _: FolderLoader(source),
    TableSource: lambda source, _: TableLoader(source),
    ImageFolderSource: lambda source, _: ImageFolderLoader(source),
    ParquetSource: lambda source, _: ParquetLoader(source),
    WebDatasetSource: lambda source, _: WebDatasetLoader(source),
    NpzSource: lambda source, _: NpzLoader(source),
    TorchvisionSource: TorchvisionLoader,
    PythonSource: lambda source, _: _CheckedPlugin(source),
}
