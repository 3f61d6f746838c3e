"""Tables of predictions: every usual way of writing one is read, and whatever does not fit is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import InputError
from pipeline.methods.brought.predictions import Images, Predicted, bring_predictions
from pipeline.settings.models import PredictionsModel

CLASSES = ["land bird", "water bird", "Owl"]
N = 12
IMAGES = Images(
    ids_N=np.arange(N),
    files_N=[f"{'train' if i < 4 else 'rest'}/{'a' if i % 2 else 'b'}/{i:03}.jpg" for i in range(N)],
    labels_N=np.arange(N) % 3,
    splits_N=["train"] * 4 + ["val"] * 3 + ["test"] * 5,
    classes=CLASSES,
)
TRUTH = np.random.default_rng(0).permutation(N) % 3
VAL_TEST = slice(4, N)


def table(**columns: Any) -> pd.DataFrame:
    """Validation and test images with their predicted classes."""
    own = {"file": IMAGES.files_N[VAL_TEST], "predicted": [CLASSES[k] for k in TRUTH[VAL_TEST]]}
    return pd.DataFrame({key: value for key, value in (own | columns).items() if value is not None})


def scores(*, order: list[int] | None = None) -> np.ndarray[Any, Any]:
    found = np.full((N, 3), 0.1)
    found[np.arange(N), TRUTH] = 0.8
    return found[VAL_TEST][:, order or [0, 1, 2]]


def read(folder: Path, frame: pd.DataFrame, name: str = "p.csv", **entry: Any) -> Predicted:
    path = folder / name
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return bring_predictions(
        PredictionsModel(kind="predictions", path=str(path), **entry), IMAGES, "models.my_net"
    )


def predicted(found: Predicted) -> list[int]:
    assert list(found.table["id"]) == list(range(4, N))
    assert list(found.table["split"]) == ["val"] * 3 + ["test"] * 5
    return found.table["predicted"].tolist()


LETTERS = list("LWO")
WAYS: dict[str, tuple[pd.DataFrame, dict[str, Any]]] = {
    "names": (table(), {}),
    "names in other spelling": (
        table(predicted=[CLASSES[k].upper().replace(" ", "_") for k in TRUTH[4:]]),
        {},
    ),
    "ids": (table(file=None, id=range(4, N)), {}),
    "the end of paths": (table(file=[f.split("/", 1)[1] for f in IMAGES.files_N[4:]]), {}),
    "absolute paths": (table(file=[f"/mnt/data/{f}" for f in IMAGES.files_N[4:]]), {}),
    "windows paths": (table(file=[f.replace("/", "\\") for f in IMAGES.files_N[4:]]), {}),
    "other columns": (
        table(file=None, predicted=None, Image_Path=IMAGES.files_N[4:], y_pred=table()["predicted"]),
        {},
    ),
    "asked columns": (
        table(file=None, predicted=None, k=IMAGES.files_N[4:], v=table()["predicted"]),
        {"columns": {"image": "k", "predicted": "v"}},
    ),
    "places": (table(predicted=TRUTH[4:]), {"classes": CLASSES}),
    "mapped names": (
        table(predicted=[LETTERS[k] for k in TRUTH[4:]]),
        {"classes": {"land bird": "L", "water bird": "W", "Owl": "O"}},
    ),
    "probabilities by class": (
        table(predicted=None, **{f"prob_{c}": scores()[:, k] for k, c in enumerate(CLASSES)}),
        {},
    ),
    "scores in another order": (
        table(predicted=None, **{CLASSES[k]: scores()[:, k] for k in (2, 0, 1)}),
        {},
    ),
    "logits": (
        table(predicted=None, **{f"logit_{c}": np.log(scores()[:, k]) * 3 for k, c in enumerate(CLASSES)}),
        {},
    ),
    "listed columns": (
        table(predicted=None, x=scores()[:, 1], y=scores()[:, 0], z=scores()[:, 2]),
        {"columns": {"scores": ["x", "y", "z"]}, "classes": ["water bird", "land bird", "Owl"]},
    ),
    "lists as text": (
        table(predicted=None, probs=[str(list(row)) for row in scores()]),
        {"classes": CLASSES},
    ),
    "lists as NumPy prints them": (
        table(predicted=None, probs=[str(row) for row in scores()]),
        {"classes": CLASSES},
    ),
    "rows in any order": (table().sample(frac=1, random_state=1), {}),
    "training images too": (
        pd.DataFrame({"file": IMAGES.files_N, "predicted": [CLASSES[k] for k in TRUTH]}),
        {},
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_usual_way_of_writing_predictions_says_the_same(tmp_path: Path, way: str) -> None:
    frame, entry = WAYS[way]
    assert predicted(read(tmp_path, frame, **entry)) == TRUTH[4:].tolist()


def test_parquet_with_lists_is_read(tmp_path: Path) -> None:
    frame = table(predicted=None, logits=list(np.log(scores())))
    assert predicted(read(tmp_path, frame, "p.parquet", classes=CLASSES)) == TRUTH[4:].tolist()


def test_scores_of_outputs_that_are_one_class_are_summed(tmp_path: Path) -> None:
    """.3 + .3 of two kinds of land bird beat .4 of a water bird; the owl's output is called otherwise."""
    frame = table(predicted=None, probs=["[0.3, 0.3, 0.4, 0.0]"] * 8)
    found = read(tmp_path, frame, classes={"land bird": [0, 1], "water bird": 2, "Owl": 3})
    assert predicted(found) == [0] * 8


def test_seeds_are_apart_and_test_images_alone_are_enough(tmp_path: Path) -> None:
    test = table().iloc[3:]
    both = pd.concat([test.assign(seed=7), test.assign(seed=3, predicted="Owl")])
    found = read(tmp_path, both)
    assert found.seeds == [3, 7]
    assert found.table[found.table["seed"] == 3]["predicted"].tolist() == [2] * 5
    assert any("no predictions of validation images" in note for note in found.notes)


REFUSED: dict[str, tuple[pd.DataFrame, dict[str, Any], str]] = {
    "an image twice": (
        pd.concat([table(), table().head(1)]),
        {},
        r"1 row.* repeat an image \(rest/b/004.jpg\).*`seed`",
    ),
    "a test image missing": (table().drop(index=5), {}, r"missing for 1 of 5 test images \(rest/a/009.jpg\)"),
    "a part of validation": (table().drop(index=0), {}, "missing for 1 of 3 val images"),
    "an unknown image": (
        table(file=["x.jpg", *IMAGES.files_N[5:]]),
        {},
        r"1 of 8 rows .* name no image .*x.jpg",
    ),
    "an unknown class": (
        table(predicted=["emu", *table()["predicted"][1:]]),
        {},
        r"emu is predicted and no class .*Write .*models.my_net.classes: \{ land bird: emu",
    ),
    "numbers for classes": (
        table(predicted=TRUTH[4:]),
        {},
        r"Write the class of each number.*\[land bird, water bird, Owl\]",
    ),
    "another label": (table(label=["Owl"] * 8), {}, "another label than the dataset"),
    "sums that are not 1": (
        table(predicted=None, **{f"prob_{c}": scores()[:, k] * 0.9 for k, c in enumerate(CLASSES)}),
        {},
        r"of 8 rows are no probabilities: .* sum to 0.9, not to 1.*scores: logits",
    ),
    "one sum that is not 1": (
        table(predicted=None, probs=["[0.5, 0.2, 0.2]", *[str(list(r)) for r in scores()[1:]]]),
        {"classes": CLASSES},
        "1 of 8 rows are no probabilities: those of rest/b/004.jpg sum to 0.9",
    ),
    "logits in another order": (
        table(logits=[str(list(r)) for r in np.log(scores(order=[1, 2, 0]))]),
        {"classes": CLASSES},
        "highest score is of another class than `predicted`",
    ),
    "scores without names": (
        table(predicted=None, probs=[str(list(r)) for r in scores()]),
        {},
        r"which of its 3 outputs is which class.*classes: \[land bird, water bird, Owl\]",
    ),
    "too few names": (
        table(predicted=None, probs=[str(list(r)) for r in scores()]),
        {"classes": CLASSES[:2]},
        "names 2 classes, and the model has 3 outputs",
    ),
    "not a number": (
        table(predicted=None, **{f"prob_{c}": [np.nan, *scores()[1:, k]] for k, c in enumerate(CLASSES)}),
        {},
        "row 1, column prob_land bird holds '', which is no finite number",
    ),
    "lists of two lengths": (
        table(predicted=None, probs=["[0.5, 0.5]", *[str(list(r)) for r in scores()[1:]]]),
        {"classes": CLASSES},
        "lists of 2 and of 3 numbers",
    ),
    "no list": (
        table(predicted=None, probs=["oops"] * 8),
        {"classes": CLASSES},
        "'oops', which is no list of numbers",
    ),
    "nothing predicted": (table(predicted=None), {}, "neither a class .* nor scores"),
    "no image": (table(file=None), {}, "no column .* names the image"),
    "no such column": (
        table(),
        {"columns": {"image": "pic"}},
        r"columns.image = 'pic': there is no such column",
    ),
    "two images of one name": (
        table(file=["same.jpg", *IMAGES.files_N[5:]]),
        {},
        "name no image",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_does_not_fit_is_refused_with_what_to_write(tmp_path: Path, why: str) -> None:
    frame, entry, message = REFUSED[why]
    with pytest.raises(InputError, match=message):
        read(tmp_path, frame, **entry)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.csv does not exist"):
        bring_predictions(PredictionsModel(kind="predictions", path="nowhere.csv"), IMAGES, "models.my_net")


def test_an_end_that_two_images_share_is_asked_about(tmp_path: Path) -> None:
    files = ["a/1.jpg", "b/1.jpg"]
    images = Images(np.arange(2), files, np.zeros(2, np.int64), ["test"] * 2, CLASSES)
    path = tmp_path / "p.csv"
    pd.DataFrame({"file": ["1.jpg", "b/1.jpg"], "predicted": ["Owl"] * 2}).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"1.jpg may be a/1.jpg, b/1.jpg"):
        bring_predictions(PredictionsModel(kind="predictions", path=str(path)), images, "models.my_net")


@pytest.mark.parametrize("name", ["score", "prob", "confidence"])
def test_one_number_beside_the_class_is_not_read_and_it_is_said(tmp_path: Path, name: str) -> None:
    by_class = {f"p_{c}": scores()[:, k] for k, c in enumerate(CLASSES)}
    for more in ({}, {"predicted": None, **by_class}):
        found = read(tmp_path, table(**{name: 0.8}, **more))
        assert predicted(found) == TRUTH[4:].tolist()
        assert any(f"column {name} has one number" in note for note in found.notes)
    if name != "confidence":
        with pytest.raises(InputError, match="no list of numbers"):
            read(tmp_path, table(predicted=None, **{name: 0.8}))


def test_a_named_index_of_parquet_is_a_column(tmp_path: Path) -> None:
    frame = table(predicted=None, probs=list(scores()))
    for index in ("file", ["file", "seed"]):
        found = read(tmp_path, frame.assign(seed=3).set_index(index), "p.parquet", classes=CLASSES)
        assert predicted(found) == TRUTH[4:].tolist()
        assert found.seeds == [3]


# --- seeds and splits ----------------------------------------------------------------------------


def two_seeds(
    *, rows: np.ndarray[Any, Any], other: np.ndarray[Any, Any], seeds: Any = (0, 1)
) -> pd.DataFrame:
    both = [
        table(predicted=None, seed=seed, probs=[str(list(r)) for r in own])
        for seed, own in zip(seeds, (rows, other), strict=True)
    ]
    return pd.concat([both[0], both[1].iloc[::-1]])


def test_one_run_under_two_seeds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"seeds 0 and 1 have the same scores for all 8 images .* Leave the"):
        read(tmp_path, two_seeds(rows=scores(), other=scores()), classes=CLASSES)
    changed = scores()
    changed[3] = [0.15, 0.15, 0.7]
    found = read(tmp_path, two_seeds(rows=scores(), other=changed), classes=CLASSES)
    assert found.seeds == [0, 1]


def test_seeds_that_name_the_same_classes_are_pointed_at(tmp_path: Path) -> None:
    classes_alone = pd.concat([table(seed=0), table(seed=1)])
    for frame in (classes_alone, two_seeds(rows=np.eye(3)[TRUTH[4:]], other=np.eye(3)[TRUTH[4:]])):
        notes = read(tmp_path, frame, classes=CLASSES).notes
        assert "seeds 0 and 1 predict the same class for every image: they may be one run" in notes


@pytest.mark.parametrize("seeds", [("0.0", "1.0"), ("\u00b2", "\u00b3"), ("9" * 20, "8" * 20), ("07", "1")])
def test_seeds_may_be_any_text(tmp_path: Path, seeds: tuple[str, str]) -> None:
    frame = pd.concat([table(seed=seeds[0]), table(seed=seeds[1], predicted="Owl")])
    assert read(tmp_path, frame).seeds in ([0, 1], [1, 7])


def test_the_tables_splits_are_compared(tmp_path: Path) -> None:
    own = [*["Validation"] * 3, *["test"] * 5]
    assert not any("split in" in note for note in read(tmp_path, table(split=own)).notes)
    notes = read(tmp_path, table(split="test")).notes
    assert any(
        "3 of 8 rows are of another split in the table (rest/b/004.jpg: test, and val" in n for n in notes
    )
    assert any("other names (fold 1)" in note for note in read(tmp_path, table(split="fold 1")).notes)
    with pytest.raises(
        InputError, match=r"1 of 8 rows are of training images .*rest/b/004.jpg: Train, and val"
    ):
        read(tmp_path, table(split=["Train", *own[1:]]))


# --- scores --------------------------------------------------------------------------------------


def confidences(found: Predicted) -> list[float]:
    return [round(x, 6) for x in found.table["confidence"]]


def test_probabilities_are_carried_to_the_last_digit(tmp_path: Path) -> None:
    sure = np.random.default_rng(3).dirichlet([1, 1, 1], 8)
    by_class = {f"prob_{c}": sure[:, k] for k, c in enumerate(CLASSES)}
    for name in ("p.csv", "p.parquet"):
        found = read(tmp_path, table(predicted=None, **by_class), name)
        assert found.table["confidence"].tolist() == sure.max(axis=1).tolist()


@pytest.mark.parametrize(
    ("frame", "entry"),
    [
        (table(predicted=None, **{f"logit_{c}": np.log(scores()[:, k]) for k, c in enumerate(CLASSES)}), {}),
        (
            table(predicted=None, x=[str(list(np.log(r) + 5 + i)) for i, r in enumerate(scores())]),
            {"columns": {"scores": "x"}},
        ),
        (
            table(predicted=None, **{f"prob_{c}": np.log(scores()[:, k]) for k, c in enumerate(CLASSES)}),
            {"scores": "logits"},
        ),
    ],
    ids=["by name", "by numbers", "as written"],
)
def test_logits_become_probabilities(tmp_path: Path, frame: pd.DataFrame, entry: dict[str, Any]) -> None:
    assert confidences(read(tmp_path, frame, classes=CLASSES, **entry)) == [0.8] * 8


ROUNDED = np.where(scores() > 0.5, 1 + 1e-9, [1e-9, -1e-9, -1e-9])
OTHER_SUMS = {
    "percent": (scores() * 100, "scores read as percent"),
    "whole percent": (np.round(scores() * 100 - 0.4), "scores read as percent"),
    "votes": (scores() * 10, "scores read as shares of 10, which those of every row sum to"),
}


@pytest.mark.parametrize("kind", ["auto", "probabilities"])
@pytest.mark.parametrize("way", OTHER_SUMS)
def test_scores_of_another_sum_are_shares_of_it(tmp_path: Path, way: str, kind: str) -> None:
    rows, says = OTHER_SUMS[way]
    frame = table(predicted=None, probs=[str(list(row)) for row in rows])
    found = read(tmp_path, frame, classes=CLASSES, scores=kind)
    assert confidences(found) == pytest.approx([0.8] * 8, abs=0.01)
    assert says in found.notes


def test_the_noise_of_rounding_makes_no_logits(tmp_path: Path) -> None:
    frame = table(predicted=None, probs=[str(list(row)) for row in ROUNDED])
    found = read(tmp_path, frame, classes=CLASSES)
    assert found.table["confidence"].tolist() == [1.0] * 8
    assert not any("logits" in note for note in found.notes)


@pytest.mark.parametrize("rows", [scores() * [[k] for k in range(2, 10)], np.log(scores())])
def test_it_says_where_numbers_are_taken_for_logits(tmp_path: Path, rows: np.ndarray[Any, Any]) -> None:
    frame = table(predicted=None, probs=[str(list(row)) for row in rows])
    assert any("read as logits" in note for note in read(tmp_path, frame, classes=CLASSES).notes)


def test_probabilities_that_are_called_logits_are_pointed_at(tmp_path: Path) -> None:
    by_class = {f"logit_{c}": scores()[:, k] for k, c in enumerate(CLASSES)}
    found = read(tmp_path, table(predicted=None, **by_class))
    assert any("write `models.my_net.scores: probabilities`" in note for note in found.notes)
    assert confidences(read(tmp_path, table(predicted=None, **by_class), scores="probabilities")) == [0.8] * 8


@pytest.mark.parametrize("cell", ["[]", '{"0": 0.5, "1": 0.5}', '"123"', "[" * 9999])
def test_what_is_no_list_of_numbers_is_refused(tmp_path: Path, cell: str) -> None:
    frame = table(predicted=None, probs=[cell] * 8)
    with pytest.raises(InputError, match=r"row 1, column probs holds .*(no list|empty list)"):
        read(tmp_path, frame, classes=CLASSES)


def test_parquet_with_empty_lists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="row 1, column probs holds an empty list"):
        read(tmp_path, table(predicted=None, probs=[[]] * 8), "p.parquet", classes=CLASSES)


def test_logits_that_sum_to_one_are_logits_where_it_is_said(tmp_path: Path) -> None:
    frame = table(predicted=None, logits=["[2.0, -1.0, 0.0]"] * 8)
    assert (
        confidences(read(tmp_path, frame, classes=CLASSES))
        == [round(np.e**2 / (np.e**2 + np.e**-1 + 1), 6)] * 8
    )


def test_probabilities_are_of_the_classes_that_the_dataset_has(tmp_path: Path) -> None:
    """A fourth output is of no class: the others share what it leaves, and all where that is nothing."""
    rows = ["[0.3, 0.1, 0.1, 0.5]", "[0.0, 0.0, 0.0, 1.0]", *["[0.2, 0.2, 0.4, 0.2]"] * 6]
    classes = {"land bird": 0, "water bird": 1, "Owl": 2}
    found = read(tmp_path, table(predicted=None, probs=rows), classes=classes)
    assert confidences(found) == [0.6, 0.333333, *[0.5] * 6]


def test_either_of_two_classes_as_probable_may_be_named(tmp_path: Path) -> None:
    frame = table(predicted="water bird", probs=["[0.4, 0.4, 0.2]"] * 8)
    found = read(tmp_path, frame, classes=CLASSES)
    assert predicted(found) == [1] * 8
    assert confidences(found) == [0.4] * 8


def test_classes_alone_have_no_confidence_and_it_is_said(tmp_path: Path) -> None:
    found = read(tmp_path, table())
    assert "confidence" not in found.table
    assert any("classes alone" in note for note in found.notes)
