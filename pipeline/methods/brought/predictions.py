"""A table of predictions as a method's predictions, checked against the dataset.

Shape legend: R rows of the table, S seeds, N images of a split, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from pipeline.artifacts.predictions import CONFIDENCE
from pipeline.core.errors import InputError
from pipeline.core.types import Float64Array, Int64Array
from pipeline.core.words import count, list_some, percent
from pipeline.methods.brought.matching import match_images, whole
from pipeline.methods.brought.naming import check_columns, check_labels, named_classes
from pipeline.methods.brought.scores import read_scores
from pipeline.methods.brought.tables import Read, read_predictions
from pipeline.models.brought.classes import describe, folded, match_classes
from pipeline.settings.models import PredictionsModel

SPLITS = {  # as people call them, folded
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}


class Predicted(NamedTuple):
    """Predictions of validation and test images, a row for each seed and image, and what is to be said."""

    table: pd.DataFrame  # split, seed, id, predicted, and confidence where the table has scores
    seeds: list[int]
    notes: list[str]


@dataclass(frozen=True)
class Images:
    """Every image of a dataset."""

    ids_N: Int64Array
    files_N: Sequence[str]
    labels_N: Int64Array
    splits_N: Sequence[str]
    classes: Sequence[str]

    @classmethod
    def of(cls, samples: pd.DataFrame, classes: Sequence[str]) -> Images:
        """Those of `samples.parquet`."""
        return cls(
            samples["id"].to_numpy(np.int64),
            samples["file"].astype(str).tolist(),
            samples["label"].to_numpy(np.int64),
            samples["split"].tolist(),
            classes,
        )


def bring_predictions(entry: PredictionsModel, images: Images, where: str) -> Predicted:
    """Read an entry's table and match it with a dataset.

    Raises:
        InputError: with the remedy: what the table says does not fit the dataset.
    """
    read = read_predictions(Path(entry.path), entry.columns, images.classes, where)
    at_R, column, said = match_images(read.images, read.path, images.files_N, images.ids_N, where)
    images_R = read.images[column]
    notes, classes_R, own_RK = [*read.notes, *said], None, None
    if read.labels_R is not None:
        notes += check_labels(
            read.labels_R,
            images.labels_N[at_R],
            entry.classes,
            images.classes,
            by_place=_are_by_place(read, images.classes),
            images_R=images_R,
            where=where,
        )
    if read.scores_RK is not None:
        own_RK, said = _probabilities(read.scores_RK, read, images_R, entry, images.classes, where)
        classes_R = own_RK.argmax(axis=1).astype(np.int64)
        notes += said
    else:
        notes.append(
            "it has classes alone, no probabilities: whether it is right as often as it says is open"
        )
    if read.predicted_R is not None:
        named_R = named_classes(read.predicted_R, entry.classes, images.classes, where)
        if own_RK is not None:
            _check_agreement(named_R, own_RK, images_R, images.classes, where)
        classes_R = named_R
    assert classes_R is not None
    seeds_R, seeds, said = _seeds(read.seeds_R)
    notes += said
    table = pd.DataFrame({"at": at_R, "seed": seeds_R, "predicted": classes_R})
    _check_once(table, images, where)
    if len(seeds) > 1:
        notes += _check_seeds(table, own_RK, where)
    if read.splits_R is not None:
        notes += _check_splits(read.splits_R, np.asarray(images.splits_N)[at_R], images_R, where)
    if own_RK is not None:
        table[CONFIDENCE] = own_RK[np.arange(len(own_RK)), classes_R]
    return _complete(table, seeds, images, notes, where)


def _are_by_place(read: Read, classes: Sequence[str]) -> bool:
    """Whether what is predicted is a place among the classes, in cells or in scores."""
    names = {folded(name) for name in classes}
    predicted = read.predicted_R or []
    if predicted and not all(folded(cell) in names and whole(cell) is None for cell in predicted):
        return True
    return read.scores_RK is not None and not (read.outputs and names <= set(map(folded, read.outputs)))


def _probabilities(
    scores_RK: Float64Array,
    read: Read,
    images_R: Sequence[str],
    entry: PredictionsModel,
    classes: Sequence[str],
    where: str,
) -> tuple[Float64Array, list[str]]:
    """Of the dataset's classes; those of several outputs of one class are summed up.

    Where outputs are of none of them, the others share what these leave, as a network's do.
    """
    scores_RK, are_logits, notes = read_scores(
        scores_RK, entry, called_logits=read.is_logits, images_R=images_R, where=where
    )
    n_outputs = scores_RK.shape[1]
    columns = match_classes(
        classes, outputs=read.outputs, n_outputs=n_outputs, given=entry.classes, where=where
    )
    if read.outputs is not None:
        check_columns(read.outputs, columns, entry.classes, classes, where)
    join = np.logaddexp.reduce if are_logits else np.sum
    own_RK = np.column_stack([join(scores_RK[:, own], axis=1) for own in columns])
    n_own, said = sum(map(len, columns)), describe(columns, n_outputs)
    if are_logits:
        own_RK = softmax(own_RK, axis=1)
    elif n_own != n_outputs:
        left_R1 = own_RK.sum(axis=1, keepdims=True)
        own_RK = np.where(left_R1 > 0, own_RK / np.where(left_R1 > 0, left_R1, 1), 1 / len(columns))
    notes += [said] if (said and read.outputs is None) or n_own != n_outputs else []
    return own_RK, notes


def _check_agreement(
    named_R: Int64Array, own_RK: Float64Array, images_R: Sequence[str], classes: Sequence[str], where: str
) -> None:
    """Of classes with the same score either may be named."""
    best_R = own_RK.argmax(axis=1)
    other = np.flatnonzero(own_RK[np.arange(len(own_RK)), named_R] < own_RK.max(axis=1))
    if len(other):
        r = other[0]
        raise InputError(
            f"{where}: in {percent(len(other) / len(named_R))} of the rows the highest score is of another "
            f"class than `predicted` ({images_R[r]}: {classes[best_R[r]]}, and predicted "
            f"{classes[named_R[r]]}), so that the scores may be in another order than "
            f"{list_some(list(classes), 5)}. Write the class of each score: `{where}.classes: [...]`."
        )


def _seeds(cells: Sequence[str]) -> tuple[Int64Array, list[int], list[str]]:
    """A number for each seed: its own, or its place where they are names."""
    names, own = list(dict.fromkeys(cells)), [whole(cell) for cell in cells]
    if None not in own:
        return np.array(own, np.int64), sorted({n for n in own if n is not None}), []
    numbers = {name: n for n, name in enumerate(names)}
    said = "seeds are numbered: " + list_some([f"{n} is {name}" for name, n in numbers.items()], 9)
    return np.array([numbers[cell] for cell in cells], np.int64), list(numbers.values()), [said]


def _check_seeds(table: pd.DataFrame, own_RK: Float64Array | None, where: str) -> list[str]:
    """Seeds that are copies of one run would count as several. Classes may agree by chance; scores do not.

    Raises:
        InputError: two seeds have the same scores for every image that both have.
    """
    has_scores = own_RK is not None and not np.isin(own_RK, (0, 1)).all()
    what = pd.DataFrame(own_RK) if own_RK is not None and has_scores else table[["predicted"]]
    by_seed = {
        seed: what[table["seed"] == seed].set_axis(table["at"][table["seed"] == seed])
        for seed in sorted(table["seed"].unique().tolist())
    }
    for one, other in combinations(by_seed, 2):
        shared = by_seed[one].index.intersection(by_seed[other].index)
        if not len(shared) or not (by_seed[one].loc[shared] == by_seed[other].loc[shared]).all(axis=None):
            continue
        if has_scores:
            raise InputError(
                f"{where}: seeds {one} and {other} have the same scores for all {count(len(shared))} images "
                "that both have, so that they are one run and not two. Leave the rows of one of them out, or "
                "give those that the other run wrote."
            )
        return [f"seeds {one} and {other} predict the same class for every image: they may be one run"]
    return []


def _check_splits(
    cells: Sequence[str], splits_R: NDArray[np.str_], images_R: Sequence[str], where: str
) -> list[str]:
    """A model is not asked about images that it was trained on.

    Raises:
        InputError: the table calls those training images that are held out in the dataset.
    """
    said = [SPLITS.get(folded(cell)) for cell in cells]
    other = [r for r, name in enumerate(said) if name is not None and name != splits_R[r]]
    trained = [r for r in other if said[r] == "train"]
    if trained:
        r = trained[0]
        raise InputError(
            f"{where}: {count(len(trained))} of {count(len(cells))} rows are of training images by the "
            f"table's column of splits, and held out in the dataset ({images_R[r]}: {cells[r]}, and "
            f"{splits_R[r]} in the dataset). Give the dataset the splits that the model was trained "
            "with; or, if that column says something else, leave it out."
        )
    notes = []
    if other:
        r = other[0]
        notes.append(
            f"{count(len(other))} of {count(len(cells))} rows are of another split in the table "
            f"({images_R[r]}: {cells[r]}, and {splits_R[r]} in the dataset); the dataset's was taken"
        )
    if None in said:
        lost = list_some(list(dict.fromkeys(c for c, name in zip(cells, said, strict=True) if not name)), 3)
        notes.append(f"its column of splits has other names ({lost}), which were not compared")
    return notes


def _check_once(table: pd.DataFrame, images: Images, where: str) -> None:
    twice = table[table.duplicated(["at", "seed"])]
    if len(twice):
        at = int(twice["at"].iloc[0])
        raise InputError(
            f"{where}: {count(len(twice))} rows repeat an image ({images.files_N[at] or images.ids_N[at]}). "
            "Give one row for each image, or for each image and seed with a column `seed`."
        )


def _complete(
    table: pd.DataFrame, seeds: list[int], images: Images, notes: list[str], where: str
) -> Predicted:
    """Test images complete; validation images complete or not there at all."""
    splits = np.asarray(images.splits_N)
    n_train = int((splits[table["at"]] == "train").sum())
    if n_train:
        notes.append(f"{count(n_train)} rows of training images are not used")
    parts = []
    for split in ("val", "test"):
        wanted = np.flatnonzero(splits == split)
        own = table[splits[table["at"]] == split]
        if split == "val" and not len(own):
            if len(wanted):
                notes.append(
                    "it has no predictions of validation images: what is looked for among them is not"
                )
            continue
        for seed in seeds:
            row_of = own[own["seed"] == seed].set_index("at")
            missing = np.setdiff1d(wanted, row_of.index.to_numpy())
            if len(missing):
                of_seed = f" of seed {seed}" if len(seeds) > 1 else ""
                shown = [images.files_N[at] or str(images.ids_N[at]) for at in missing[:3]]
                raise InputError(
                    f"{where}: predictions{of_seed} are missing for {count(len(missing))} of "
                    f"{count(len(wanted))} {split} images ({list_some(shown, 3)}). Predict them too: an "
                    "audit of a part would not be one of the dataset."
                )
            parts.append(
                pd.DataFrame(
                    {
                        "split": split,
                        "seed": np.int64(seed),
                        "id": images.ids_N[wanted],
                        **{name: row_of.loc[wanted, name].to_numpy() for name in row_of.columns[1:]},
                    }
                )
            )
    return Predicted(pd.concat(parts, ignore_index=True), seeds, notes)
