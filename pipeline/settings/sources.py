"""`source` of a dataset: where its images come from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pipeline.settings.base import Seed, Settings


def _cell_text(value: Any) -> Any:
    return str(value) if isinstance(value, bool | int | float) else value


CellText = Annotated[str, BeforeValidator(_cell_text)]  # YAML reads 0 as a number; a table's cells are text


# joined: names that differ in case, spaces or Unicode form alone are one
Names = Literal["joined", "exact"]


class PhotoDigitsSource(Settings):
    """The embedded demo: digits on photographs, built from what scikit-learn ships."""

    kind: Literal["photo_digits"]
    strength: float = Field(0.95, ge=0.5, le=1, description="share of train images on 'their' photo")
    n_train: int = Field(3000, ge=100)
    n_val: int = Field(600, ge=40)
    n_test: int = Field(1200, ge=40)
    contrast: float = Field(0.6, gt=0, le=1, description="opacity of the digit's strokes")
    label_noise: float = Field(0.03, ge=0, lt=0.5, description="share of train labels flipped")
    seed: Seed = 0


class DownloadableSource(Settings):
    """A published dataset: downloaded, or read from `path` (archive or extracted folder)."""

    path: str | None = Field(None, description="local official archive, its folder, or extracted")
    mirrors: list[str] | None = Field(None, description="URLs tried in order instead of the built-in")
    md5: str | None = Field(
        None,
        pattern=r"^[0-9a-fA-F]{32}$",
        examples=["d41d8cd98f00b204e9800998ecf8427e"],
        description="expected md5 of the archive; null = the official one",
    )
    verify: Literal["full", "structure"] = Field(
        "full", description="structure: accept an archive that is not byte-identical to the official"
    )


class Cifar100Source(DownloadableSource):
    kind: Literal["cifar100"]


class TinyImagenetSource(DownloadableSource):
    kind: Literal["tiny_imagenet"]


class WaterbirdsSource(DownloadableSource):
    kind: Literal["waterbirds"]
    allow_missing_images: bool = Field(False, description="use the rows whose image exists")


class SplitValues(Settings):
    """Which names of the source (folders, or a column's values) are which split."""

    train: list[CellText] = Field(min_length=1)
    val: list[CellText] = Field(default_factory=list)
    test: list[CellText] = Field(default_factory=list)
    leave_out: list[CellText] = Field(default_factory=list, description="images that are not used")


class FolderSource(Settings):
    """A folder of class folders, optionally below train/ val/ test/."""

    kind: Literal["folder"]
    path: str
    splits: SplitValues | None = Field(None, description="folder names of each split; null: where plain")
    split_level: int | None = Field(
        None, ge=0, description="which folders are splits, 1 = those in `path`; 0: none; null: where plain"
    )
    label_level: int | None = Field(
        None, ge=1, description="which folders (below the splits) are classes; null = 1, if that is plain"
    )
    attribute_level: int | None = Field(None, ge=1, description="which folders form the groups")
    names: Names = "joined"
    version: int = Field(1, description="raise it when the files behind path changed")
    title: str | None = None
    licence: str = "not stated"


class CellColumns(Settings):
    """Which of a source's columns is what."""

    label: str | None = None
    split: str | None = None
    attributes: list[str] = Field(default_factory=list, description="the first forms the groups")
    group_column: str | None = Field(
        None, description="scene, patient, camera or video of each image: never cut across splits or folds"
    )


class CellSource(Settings):
    """Images with columns that say what they are; `columns` maps our names to the source's."""

    path: str
    version: int = Field(1, description="raise it when the files behind path changed")
    columns: CellColumns
    label_names: dict[CellText, str] | None = Field(None, description="value in the column -> shown name")
    attribute_names: dict[CellText, str] | None = Field(None, description="the same for the attribute")
    splits: SplitValues | None = Field(
        None, description="values of the split column; null: where they are plain (train, validation, ...)"
    )
    names: Names = "joined"
    title: str | None = None
    licence: str = "not stated"


class TableColumns(CellColumns):
    file: str
    label: str
    mask: str | None = Field(None, description="column with mask file names, relative to `masks`")


class TableSource(CellSource):
    """A folder with a CSV, JSON lines or Parquet table of image files."""

    kind: Literal["table"]
    table: str = "metadata.csv"
    columns: TableColumns
    images: str = Field(".", description="folder that file names are relative to")
    masks: str | None = Field(None, description="folder of masks named like the images")


class NamedSplitsSource(CellSource):
    """Of several files, folders or arrays, whose names may say the split."""

    split_by_name: bool = Field(True, description="without a split column, names say the split where plain")


class ImageFolderColumns(CellColumns):
    label: str | None = Field(None, description="null: the folder that an image lies in")
    file: str = Field("file_name", description="relative to the folder of its metadata file")


class ImageFolderSource(NamedSplitsSource):
    """A folder with `metadata.csv`, `.jsonl` or `.parquet`, or one in each split's folder (`imagefolder`)."""

    kind: Literal["imagefolder"]
    columns: ImageFolderColumns = Field(default_factory=ImageFolderColumns)


class ParquetColumns(CellColumns):
    image: str = Field("image", description="encoded images: bytes, or a struct with `bytes` and `path`")
    label: str = "label"


class ParquetSource(NamedSplitsSource):
    """Parquet files with the images inside, as Hugging Face keeps them."""

    kind: Literal["parquet"]
    path: str = Field(description="a Parquet file, or a folder: every Parquet file below it")
    columns: ParquetColumns = Field(default_factory=ParquetColumns)


class WebDatasetColumns(CellColumns):
    image: str | None = Field(None, description="ending of the images; null: where a sample has one image")
    label: str = Field("cls", description="ending of a text file, or a key of the JSON beside each image")


class WebDatasetSource(NamedSplitsSource):
    """Tar shards in which files of one name are a sample (WebDataset); nothing is extracted."""

    kind: Literal["webdataset"]
    path: str = Field(description="a tar file, or a folder: every tar file below it")
    columns: WebDatasetColumns = Field(default_factory=WebDatasetColumns)


class NpzColumns(CellColumns):
    image: str = Field("images", description="array's name, without that of a split (`train_images`)")
    label: str = Field("labels", description="likewise, as are the split, attributes and the group column")


class NpzSource(NamedSplitsSource):
    """Arrays of images and labels in a NumPy `.npz`, as MedMNIST keeps them."""

    kind: Literal["npz"]
    path: str = Field(description="the .npz file")
    columns: NpzColumns = Field(default_factory=NpzColumns)


class TorchvisionSource(Settings):
    """A dataset class of torchvision, built from its files in `path`."""

    kind: Literal["torchvision"]
    cls: str = Field(alias="class", description="of torchvision.datasets, for example Flowers102")
    path: str | None = Field(None, description="the class's `root`; null with `download: true`")
    options: dict[str, Any] = Field(
        default_factory=dict, description="further arguments of the class; splits are made by `splits`"
    )
    splits: SplitValues | None = Field(
        None, description="values of its `split=` or `train=`; null: where they are plain"
    )
    split_argument: str | None = Field(
        None, description="the argument that `splits` are values of; null: split or train; none: no splits"
    )
    download: bool = Field(False, description="let torchvision download into downloads/ what is not there")
    version: int = Field(1, description="raise it when the files behind path changed")
    title: str | None = None
    licence: str = "not stated"


class PythonSource(Settings):
    """A class in the project's `plugins/<module>.py` (or `pipeline/data/plugins/`), as `module:ClassName`."""

    kind: Literal["python"]
    cls: str = Field(
        alias="class", pattern=r"^[a-z0-9_]+:[A-Za-z_][A-Za-z0-9_]*$", examples=["my_loader:MyDataset"]
    )
    options: dict[str, Any] = Field(default_factory=dict)


Source = Annotated[
    PhotoDigitsSource
    | Cifar100Source
    | TinyImagenetSource
    | WaterbirdsSource
    | FolderSource
    | TableSource
    | ImageFolderSource
    | ParquetSource
    | WebDatasetSource
    | NpzSource
    | TorchvisionSource
    | PythonSource,
    Field(discriminator="kind"),
]

# of a user's own files, which may change
OWN_FILES = (
    FolderSource,
    TableSource,
    ImageFolderSource,
    ParquetSource,
    WebDatasetSource,
    NpzSource,
    TorchvisionSource,
)
