"""TinyImageNet (Stanford CS231n) from its official zip."""

from __future__ import annotations

import bisect
from pathlib import Path

from pipeline.core.errors import InputError
from pipeline.core.words import list_some
from pipeline.data.fetch.officials import OfficialArchive, obtain
from pipeline.data.files.listing import find_images
from pipeline.data.raw import RawDataset, RawRow
from pipeline.settings.sources import TinyImagenetSource

OFFICIAL = OfficialArchive(
    title="TinyImageNet",
    filename="tiny-imagenet-200.zip",
    urls=(
        "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        "https://image-net.org/data/tiny-imagenet-200.zip",
    ),
    root="tiny-imagenet-200",
    required=("wnids.txt", "train", "val/val_annotations.txt"),
    md5="90528d7ca1a48142e341f4ef8d21d0de",
    size=248_100_043,
)
N_CLASSES, N_PER_CLASS, N_VAL = 200, 500, 10_000

# WordNet 3.0 numbers noun synsets by their place in one file that concatenates the lexicographer
# files (noun.act, noun.animal, noun.artifact, ...) in alphabetical order after noun.Tops. So a
# range of numbers *is* a lexicographer file, and no copy of WordNet's hypernym tree is needed.
# Each entry is the first number of a file, read off TinyImageNet's own words.txt: "Animalia",
# "aba" (a fabric), "human nature", "food", "arrangement", "Aare" (a river), "imaginary being",
# "natural phenomenon", "Plantae", "ownership".
_LEXICOGRAPHER_FILES = (
    (0, "other"),
    (1313093, "animal"),
    (2665985, "artifact"),
    (4615866, "other"),
    (7555863, "food"),
    (7938773, "other"),
    (9186064, "natural object or place"),
    (9483738, "person"),
    (11408559, "other"),
    (11529603, "plant"),
    (13240514, "other"),
)


def superclass(wnid: str) -> str:
    """The WordNet lexicographer file of a noun synset such as "n02132136" (-> "animal").

    Raises:
        InputError: not a noun synset's number.
    """
    if not (wnid.startswith("n") and len(wnid) == 9 and wnid[1:].isdecimal()):
        raise InputError(f"{wnid!r} is not a WordNet noun number such as 'n02132136'.")
    starts = [start for start, _ in _LEXICOGRAPHER_FILES]
    return _LEXICOGRAPHER_FILES[bisect.bisect_right(starts, int(wnid[1:])) - 1][1]


class TinyImagenet:
    """200 classes of 500 images, 64 x 64. The official validation set serves as test.

    The official test set has no public labels; validation is carved from train when packed.
    """

    def __init__(self, source: TinyImagenetSource, downloads: Path) -> None:
        self.source, self.downloads = source, downloads

    def load(self) -> RawDataset:
        """Raises: InputError, DownloadError (missing, damaged or other files)."""
        obtained = obtain(OFFICIAL, self.source, self.downloads)
        folder = obtained.folder
        wnids = sorted(set((folder / "wnids.txt").read_text(encoding="utf-8").split()))
        shown = _shown_names(folder / "words.txt", wnids)
        train = _train_rows(folder, wnids, shown)
        test = _test_rows(folder, shown)
        if self.source.verify == "full":
            _check_complete(folder, len(wnids), len(train), len(test))
        reduced = [] if len(wnids) == N_CLASSES else [f"a subset of {len(wnids)} of the {N_CLASSES} classes"]
        return RawDataset(
            title="TinyImageNet",
            source="http://cs231n.stanford.edu/tiny-imagenet-200.zip",
            licence="ImageNet terms of access; non-commercial research use",
            citation="Le and Yang 2015, Tiny ImageNet Visual Recognition Challenge",
            rows=train + test,
            is_listing=True,
            classes=[shown[wnid] for wnid in wnids],
            superclasses={shown[wnid]: superclass(wnid) for wnid in wnids},
            other_names={shown[wnid]: [wnid] for wnid in wnids},
            checksums=obtained.checksums,
            notes=["the published validation images serve as test images", *reduced],
            fingerprint=obtained.fingerprint,
        )


def _shown_names(words: Path, wnids: list[str]) -> dict[str, str]:
    """First synonym of each class; the number is added where two classes share it ("crane")."""
    if not wnids:
        raise InputError(f"{words.parent / 'wnids.txt'} names no class. Obtain tiny-imagenet-200.zip again.")
    names: dict[str, str] = {}
    if words.exists():
        for line in words.read_text(encoding="utf-8").splitlines():
            wnid, _, synonyms = line.partition("\t")
            names[wnid] = synonyms.partition(",")[0].strip()
    first = {wnid: names.get(wnid) or wnid for wnid in wnids}
    shared = list(first.values())
    return {w: name if shared.count(name) == 1 else f"{name} ({w})" for w, name in first.items()}


def _train_rows(folder: Path, wnids: list[str], shown: dict[str, str]) -> list[RawRow]:
    rows = []
    for wnid in wnids:
        images = find_images(folder / "train" / wnid)
        if not images:
            raise InputError(
                f"{folder / 'train' / wnid} has no images, but wnids.txt names {wnid}. Extract the "
                "archive again."
            )
        for image in images:
            name = image.relative_to(folder).as_posix()
            rows.append(RawRow(name=name, image=image, label=shown[wnid], split="train"))
    return rows


def _test_rows(folder: Path, shown: dict[str, str]) -> list[RawRow]:
    annotations = folder / "val" / "val_annotations.txt"
    rows, missing = [], []
    for number, line in enumerate(annotations.read_text(encoding="utf-8").splitlines(), start=1):
        name, wnid = [*line.split("\t"), "", ""][:2]
        if wnid not in shown:
            raise InputError(
                f"{annotations}, line {number}: class {wnid!r} is not in wnids.txt. Extract the archive "
                "again."
            )
        image = folder / "val" / "images" / name
        if not image.exists():
            missing.append(name)
        label = shown[wnid]
        rows.append(RawRow(name=f"val/images/{name}", image=image, label=label, split="test"))
    if missing:
        raise InputError(
            f"{len(missing):,} of {len(rows):,} validation images are missing below {folder / 'val/images'}: "
            f"{list_some(missing)}. Extract the archive again."
        )
    return rows


def _check_complete(folder: Path, n_classes: int, n_train: int, n_val: int) -> None:
    expected = (N_CLASSES, N_CLASSES * N_PER_CLASS, N_VAL)
    if (n_classes, n_train, n_val) != expected:
        raise InputError(
            f"{folder} has {n_classes} classes, {n_train:,} train and {n_val:,} validation images; the "
            f"official set has {expected[0]}, {expected[1]:,} and {expected[2]:,}. Set "
            "`source.verify: structure` to use a subset, or obtain tiny-imagenet-200.zip again."
        )
