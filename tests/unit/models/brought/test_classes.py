"""Which output is which class: by name, as the user wrote it, or an error with what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pydantic import ValidationError

from pipeline.core.errors import InputError
from pipeline.models.adapted import Readout
from pipeline.models.brought.classes import describe, folded, match_classes, read_as
from pipeline.models.brought.open import bring
from pipeline.settings.models import Classes, TimmModel
from tests.fixtures.brought import save_timm

CLASSES = ["cat", "great white shark", "owl"]


def match(outputs: list[str] | None, given: Classes | None = None, n: int | None = None, **also: Any) -> Any:
    n_outputs = len(outputs or "") if n is None else n
    classes = also.get("classes", CLASSES)
    return match_classes(classes, outputs=outputs, n_outputs=n_outputs, given=given, where="models.m")


@pytest.mark.parametrize(
    ("outputs", "columns"),
    [
        (["cat", "great white shark", "owl"], [[0], [1], [2]]),
        (["owl", "cat", "great white shark"], [[1], [2], [0]]),
        (["Owl", "CAT", "Great_White-Shark"], [[1], [2], [0]]),
        (["dog", "owl", " great  white\tshark ", "cat", "cats", "glass"], [[3], [2], [1]]),
        (["Cat", "cat", "owl", "great white shark"], [[1], [3], [2]]),
        (["LABEL_0", "cat", "owl", "great white shark"], [[1], [3], [2]]),
    ],
)
def test_outputs_are_found_by_name(outputs: list[str], columns: list[list[int]]) -> None:
    assert match(outputs) == columns


def test_keys_of_a_mapping_are_classes_but_for_case_and_spaces() -> None:
    given: Classes = {"Great_White-Shark": ["b"], "CAT": ["a"], "owl": ["c"]}
    assert match(["a", "b", "c"], given) == [[0], [1], [2]]
    assert match(["a", "b"], {"Cat": ["a"], "cat": ["b"]}, classes=["cat", "Cat"]) == [[1], [0]]
    with pytest.raises(InputError, match="names cat twice, as Cat and CAT"):
        match(["a", "b", "c"], {"Cat": ["a"], "CAT": ["b"], "owl": ["c"], "great white shark": [1]})


def test_names_that_differ_by_a_letter_are_two() -> None:
    """A letter is no space."""
    assert folded("glass") != folded("gla") != folded("gla s")
    assert match(["bas", "ba"], classes=["ba", "bas"]) == [[1], [0]]
    with pytest.raises(InputError, match="has no output for bas"):
        match(["ba", "x"], classes=["ba", "bas"])


def test_what_is_said() -> None:
    assert read_as([[0], [1], [2]], 3) is None
    assert describe([[0], [1], [2]], 3) == ""
    assert "put in the order" in describe([[1], [2], [0]], 3)
    assert "those of one class summed up" in describe([[1, 0], [2]], 3)
    assert describe([[3], [2], [1]], 1000).startswith("it knows 1,000 classes and is read on 3 of them")


@pytest.mark.parametrize(
    ("outputs", "n"),
    [
        (None, 3),
        (["LABEL_0", "LABEL_1", "LABEL_2"], 3),
        (["0", "1", "2"], 3),
        (["class 0", "Class_1", "output2"], 3),
        (["LABEL_0", "LABEL_1"], 2),
    ],
)
def test_outputs_without_names_are_not_guessed(outputs: list[str] | None, n: int) -> None:
    with pytest.raises(
        InputError, match=rf"which of its {n} outputs .*`models.m.classes: \[cat, great white"
    ):
        match(outputs, n=n)


def test_what_is_to_be_written_can_be_written() -> None:
    """ImageNet's names hold commas, and YAML reads some words as something else."""
    classes = ["tench, Tinca tinca", "no", "1", "it's: here", "plain one"]
    with pytest.raises(InputError) as error:
        match(None, classes=classes, n=5)
    assert yaml.safe_load(str(error.value).split("`models.m.classes: ")[1].split("`")[0]) == classes
    with pytest.raises(InputError) as error:
        match(["a, b", "no", "1", "it's: here", "plain one"], classes=classes)
    written = yaml.safe_load(str(error.value).split("`classes: ")[1].split("`")[0].replace(", ... ", ""))
    assert written == {classes[0]: "a, b"}


def test_numbers_that_are_the_classes_names_are_names() -> None:
    digits = [str(k) for k in range(10)]
    assert match(digits[::-1], classes=digits) == [[9 - k] for k in range(10)]
    with pytest.raises(InputError, match="does not say which"):
        match(digits, classes=["1", "2"])


@pytest.mark.parametrize(
    ("outputs", "given", "says"),
    [
        (["cat", "owl", "dog"], None, r"no output for great white shark; it has cat, owl, dog"),
        (["cat", "owl", "owl", "great white shark"], None, r"2 outputs are called owl.*\{ owl: \[1, 2\]"),
        (["cat", "owl", "Owl", "great white shark"], None, None),
        (["a", "b", "c"], ["cat", "owl"], r"models.m.classes names 2 classes, and the model has 3 outputs"),
        (["a", "b", "c"], ["cat", "owl", "dog"], r"no output for great white shark"),
        (["a", "b", "c"], {"cat": [0], "owl": [1]}, r"models.m.classes lacks great white shark"),
        (["a", "b", "c"], {"cat": [0], "owl": [1], "great white shark": [2], "x": [1]}, r"names x\."),
        (["a", "b", "c"], {"cat": [0], "owl": [1], "great white shark": [3]}, r"shark = 3: .* are 0 to 2"),
        (["a", "b", "c"], {"cat": [0], "owl": [1], "great white shark": [-1]}, r"shark = -1: .* 0 to 2"),
        (
            ["a", "b", "c"],
            {"cat": [0], "owl": [1], "great white shark": ["z"]},
            r"'z' is no output .*a, b, c",
        ),
        (
            ["a", "b", "b"],
            {"cat": [0], "owl": ["b"], "great white shark": [1]},
            r"owl = 'b': outputs 1, 2",
        ),
        (["a", "b", "c"], {"cat": [0], "owl": [1], "great white shark": ["b"]}, r"output 1 more than once"),
        (
            ["a", "b", "c"],
            {"cat": [0, 0], "owl": [1], "great white shark": ["c"]},
            r"output 0 more than once",
        ),
        (None, {"cat": ["z"], "owl": [1], "great white shark": [2]}, r"outputs have no names"),
    ],
)
def test_what_does_not_fit_is_an_error(outputs: Any, given: Any, says: str | None) -> None:
    if says is None:
        assert match(outputs, given) == [[0], [3], [1]], "the exact name comes first"
        return
    with pytest.raises(InputError, match=says):
        match(outputs, given, n=len(outputs or "abc"))


def test_two_classes_that_are_like_one_output_are_an_error() -> None:
    with pytest.raises(InputError, match=r"Owl and owl of the dataset are both like the output OWL"):
        match(["OWL", "cat"], classes=["Owl", "owl"])


def test_several_outputs_of_one_class_are_their_summed_probability(tmp_path: Path) -> None:
    logits = torch.randn(5, 6)
    columns = match([*"abcdef"], {"cat": ["a", 4], "owl": [1], "great white shark": ["f", "c", "d"]})
    assert columns == [[0, 4], [5, 2, 3], [1]]
    summed = torch.stack([logits.softmax(1)[:, own].sum(1) for own in columns], dim=1).log()
    shift = Readout(columns)(logits) - summed
    torch.testing.assert_close(shift, shift[:, :1].expand_as(shift), atol=1e-5, rtol=0)
    own = save_timm(tmp_path).eval()
    entry = TimmModel(kind="timm", path=str(tmp_path), classes={"pet": ["cat", "dog"], "owl": "owl"})
    one = bring(entry, tmp_path / "model.safetensors", ["owl", "pet"], 64, "models.m")
    pixels = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        theirs = own(one.model._enter(pixels)).softmax(1)  # type: ignore[operator]
        found = one.model(pixels).softmax(1)
    torch.testing.assert_close(found, torch.stack([theirs[:, 2], theirs[:, 0] + theirs[:, 1]], 1))
    assert any("Several of the network's" in n or "several of the network's" in n for n in one.notes)


def entry_of(text: str) -> TimmModel:
    return TimmModel.model_validate({"kind": "timm", "path": "x", **yaml.safe_load(text)})


def test_yaml_numbers_are_names_of_classes_and_places_of_outputs() -> None:
    assert entry_of("classes: [0, 1, 2]").classes == ["0", "1", "2"]
    assert entry_of("classes: {0: 3, 1: [4, '5'], 2: dog}").classes == {"0": [3], "1": [4, "5"], "2": ["dog"]}
    assert entry_of("classes: [yes, no]").classes == ["true", "false"], "what YAML makes of them"


@pytest.mark.parametrize(
    "text",
    ["classes: {a: yes, b: 1}", "classes: {a: [on], b: 1}", "classes: {a: [], b: 1}", "classes: {a: 1.5}"],
)
def test_what_names_no_output_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match=r"quotes|at least 1|valid"):
        entry_of(text)
