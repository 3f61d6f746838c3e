"""Which class a number or a name means: what the user wrote wins, what may be two is asked about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.core.errors import InputError
from pipeline.methods.brought.predictions import Images, bring_predictions
from pipeline.settings.models import PredictionsModel

DIGITS = sorted(map(str, range(12)))  # 0, 1, 10, 11, 2, ...
BY_NUMBER = [str(k) for k in range(12)]
TRUTH = np.arange(24) % 12
LETTERS = ["ant", "bee", "cow"]


def read(folder: Path, known: list[str], cells: dict[str, Any], **entry: Any) -> list[int]:
    n = len(next(iter(cells.values())))
    files = [f"f{i}.jpg" for i in range(n)]
    pd.DataFrame({"file": files, **cells}).to_csv(folder / "p.csv", index=False)
    images = Images(np.arange(n), files, TRUTH[:n] % len(known), ["test"] * n, known)
    model = PredictionsModel(kind="predictions", path=str(folder / "p.csv"), **entry)
    found = bring_predictions(model, images, "models.m").table["predicted"].tolist()
    return [int(k) for k in found]


def remedy(error: pytest.ExceptionInfo[InputError], at: int = 0) -> Any:
    return yaml.safe_load(str(error.value).split("`models.m.classes: ")[1 + at].split("`")[0])


def hot(order: list[int], prefix: str = "prob_") -> dict[str, Any]:
    """Columns that are called by numbers; the image's class is where `order` has it."""
    scores = np.eye(12)[[order.index(k) for k in TRUTH]]
    return {f"{prefix}{k}": scores[:, k] for k in range(12)}


TEXT_ORDER = list(range(12))
NUMBER_ORDER = [DIGITS.index(name) for name in BY_NUMBER]


@pytest.mark.parametrize("suffix", ["", ".0"])
@pytest.mark.parametrize("is_name", [True, False])
def test_numbers_that_are_names_and_places_are_asked_about(
    tmp_path: Path, is_name: bool, suffix: str
) -> None:
    cells = [f"{DIGITS[k] if is_name else k}{suffix}" for k in TRUTH]
    with pytest.raises(
        InputError, match=r"predicted classes are numbers that may be names .*0 may be|names .*2 may be"
    ) as error:
        read(tmp_path, DIGITS, {"predicted": cells})
    assert (remedy(error), remedy(error, 1)) == (BY_NUMBER, DIGITS)
    right = BY_NUMBER if is_name else DIGITS
    assert read(tmp_path, DIGITS, {"predicted": cells}, classes=right) == TRUTH.tolist()


@pytest.mark.parametrize("order", [TEXT_ORDER, NUMBER_ORDER], ids=["places", "names"])
def test_columns_that_are_called_by_numbers_are_asked_about(tmp_path: Path, order: list[int]) -> None:
    with pytest.raises(InputError, match="columns of scores are numbers that may be names"):
        read(tmp_path, DIGITS, hot(order))
    right = DIGITS if order is TEXT_ORDER else BY_NUMBER
    assert read(tmp_path, DIGITS, hot(order), classes=right) == TRUTH.tolist()


def test_what_is_to_be_written_is_whole_for_a_hundred_classes(tmp_path: Path) -> None:
    names = sorted(map(str, range(100)))
    with pytest.raises(InputError) as error:
        read(tmp_path, names, {"predicted": names})
    assert (remedy(error), remedy(error, 1)) == (sorted(names, key=int), names)


def test_numbers_whose_names_are_their_places_are_not_asked_about(tmp_path: Path) -> None:
    ten = [str(k) for k in range(10)]
    cells = [ten[k] for k in TRUTH % 10]
    assert read(tmp_path, ten, {"predicted": cells}) == (TRUTH % 10).tolist()
    from_one = [str(k + 1) for k in range(5)]
    assert read(tmp_path, from_one, {"predicted": [from_one[k] for k in TRUTH % 5]}) == (TRUTH % 5).tolist()
    with pytest.raises(InputError, match="may be names") as error:
        read(tmp_path, from_one, {"predicted": ["1", "2"]})
    assert read(tmp_path, from_one, {"predicted": ["1", "2"]}, classes=remedy(error)) == [0, 1]


# --- labels --------------------------------------------------------------------------------------


def scores_of(order: list[str]) -> dict[str, Any]:
    return {"probs": [str(list(row)) for row in np.eye(3)[[order.index(LETTERS[k % 3]) for k in TRUTH]]]}


def test_labels_by_number_show_the_order_of_the_classes(tmp_path: Path) -> None:
    order = ["cow", "ant", "bee"]
    columns = scores_of(order) | {"label": [order.index(LETTERS[k % 3]) for k in TRUTH]}
    with pytest.raises(InputError, match="in another order: 1 is ant") as error:
        read(tmp_path, LETTERS, columns, classes=LETTERS)
    assert remedy(error) == order
    assert read(tmp_path, LETTERS, columns, classes=order) == (TRUTH % 3).tolist()


def test_labels_by_number_that_are_other_labels_are_refused(tmp_path: Path) -> None:
    columns = scores_of(LETTERS) | {"label": (TRUTH + (TRUTH > 8)) % 3}
    with pytest.raises(InputError, match="another label than the dataset"):
        read(tmp_path, LETTERS, columns, classes=LETTERS)
    columns["label"] = TRUTH % 3
    assert read(tmp_path, LETTERS, columns, classes=LETTERS) == (TRUTH % 3).tolist()


def test_an_order_of_labels_says_nothing_of_classes_that_are_predicted_by_name(tmp_path: Path) -> None:
    columns = {"predicted": [LETTERS[k % 3] for k in TRUTH], "label": (TRUTH + 1) % 3}
    assert read(tmp_path, LETTERS, columns) == (TRUTH % 3).tolist()


# --- columns that are called by classes ----------------------------------------------------------


@pytest.mark.parametrize("listed", [True, False])
def test_columns_that_are_called_by_classes_are_not_called_otherwise(tmp_path: Path, listed: bool) -> None:
    scores = np.eye(3)[TRUTH % 3]
    columns = {f"prob_{LETTERS[k]}": scores[:, k] for k in (2, 0, 1)}
    entry: dict[str, Any] = {"columns": {"scores": list(columns)}} if listed else {}
    assert read(tmp_path, LETTERS, columns, **entry) == (TRUTH % 3).tolist()
    for classes in (LETTERS, {"ant": 0, "bee": 1, "cow": 2}):
        with pytest.raises(InputError, match=r"the column of scores \w+ those of .* Leave .*out") as error:
            read(tmp_path, LETTERS, columns, classes=classes, **entry)
        assert remedy(error) == ["cow", "ant", "bee"]
    assert read(tmp_path, LETTERS, columns, classes=remedy(error), **entry) == (TRUTH % 3).tolist()


def test_what_is_to_be_written_is_yaml(tmp_path: Path) -> None:
    classes = ["no", "a, b", "1x"]
    with pytest.raises(InputError) as error:
        read(tmp_path, classes, {"predicted": ["7", "8", "7"]})
    assert remedy(error) == classes
    with pytest.raises(InputError) as error:
        read(tmp_path, classes, {"predicted": ["True", "no", "no"]})
    assert '{ "no": "True", ... }' in str(error.value)
    with pytest.raises(InputError, match=r"1 of 3 rows say no predicted class \(the first is row 2\)"):
        read(tmp_path, classes, {"predicted": ["no", "", "no"]})
