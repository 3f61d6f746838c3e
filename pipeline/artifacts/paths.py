"""Where every artifact lives, relative to the project's root (the working directory)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from pipeline.core.errors import InputError

NAME_PATTERN = re.compile(r"^[a-z0-9_]+$")  # of a dataset: DVC builds stage names from it
PAGES = ("index", "studies")  # of `reports/` that belong to no dataset
PACKED_FILES = (
    "images.npy",
    "masks.npy",
    "samples.parquet",
    "dataset.json",
)  # the last vouches for the others
GROUPS_FILES = ("groups.parquet", "groups.json")  # here, too


def check_dataset_name(name: str) -> None:
    """Raise `InputError` where no dataset may be called so."""
    if not NAME_PATTERN.match(name):
        raise InputError(
            f"dataset name {name!r} is not allowed: use a-z, 0-9 and _ only, because DVC builds stage names "
            "from it."
        )
    if name in PAGES:
        raise InputError(
            f"dataset name {name!r} is not allowed: reports/{name}.html is another page. Call it my_{name}."
        )


class DataFolders(NamedTuple):
    """Where a dataset's packed images and its groups lie."""

    packed: Path
    groups: Path

    def below(self, root: Path) -> DataFolders:
        """The same of a project that lies at `root`."""
        return DataFolders(root / self.packed, root / self.groups)


def data_folders(dataset: str) -> DataFolders:
    return DataFolders(dataset_dir(dataset), groups_dir(dataset))


def dataset_dir(dataset: str) -> Path:
    """The packed dataset, in a folder of its own: beside it a user may keep the images it is made of."""
    return Path("data") / dataset / "packed"


def facts_path(packed: Path) -> Path:
    """What the files of a packed dataset say besides pixels: beside its folder, on which trainings depend."""
    return packed.with_name("facts.parquet")


def groups_dir(dataset: str) -> Path:
    return Path("groups") / dataset


def plans_dir() -> Path:
    """What each stage is to do of each dataset and method; every other stage waits for it."""
    return Path(".plan")


def color_dir(dataset: str) -> Path:
    return Path("audit") / dataset


def model_dir(dataset: str, method: str) -> Path:
    return Path("models") / dataset / method


def evaluation_dir(dataset: str, method: str) -> Path:
    return Path("evaluation") / dataset / method


def retrained_dir(dataset: str, method: str) -> Path:
    return Path("retrained") / dataset / method


def attribution_dir(dataset: str, method: str) -> Path:
    return Path("attribution") / dataset / method


def gradcam_dir(dataset: str, method: str) -> Path:
    return Path("gradcam") / dataset / method


def indicators_dir(dataset: str, method: str) -> Path:
    return Path("indicators") / dataset / method


def verdict_dir(dataset: str) -> Path:
    return Path("verdict") / dataset


def reports_dir() -> Path:
    return Path("reports")


def card_path(dataset: str) -> Path:
    """The small summary the index page is built from."""
    return reports_dir() / "cards" / f"{dataset}.json"


def plots_dir(dataset: str) -> Path:
    """Tables over all methods that `dvc plots` draws."""
    return reports_dir() / "plots" / dataset


def own_loader(module: str) -> Path:
    """A loader of a project's own data: its files are not the package's, which may be installed anywhere."""
    return Path("plugins") / f"{module}.py"


def scratch_dir(stage: str, *parts: str) -> Path:
    """Checkpoints and partial work: git-ignored, outside DVC's outs, deleted on success."""
    return Path(".scratch").joinpath(stage, *parts)


def downloads_dir() -> Path:
    """Downloaded archives, kept between runs."""
    return Path("downloads")
