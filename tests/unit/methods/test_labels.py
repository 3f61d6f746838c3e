"""Which labels each method declares, word for word."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.methods.run import labels_used
from tests.fixtures.train import make_settings, make_setup

TRAIN, GROUPS = "class labels (train)", "group labels (train)"
AVERAGE = "class labels (validation, selection)"
WORST = "class and group labels (validation, selection)"


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("erm", {"selection": "average"}, [TRAIN, AVERAGE]),
        ("erm", {"selection": "last"}, [TRAIN]),
        ("erm", {"selection": "one_standard_error"}, [TRAIN, WORST]),
        ("rwy", {"selection": "average"}, [TRAIN, AVERAGE]),
        (
            "exchange",
            {"selection": "average"},
            [TRAIN, "class labels (train, which cue tells them)", AVERAGE],
        ),
        ("group_dro", {"selection": "worst_group"}, [TRAIN, GROUPS, WORST]),
        ("rwg", {"selection": "worst_group_lower_bound"}, [TRAIN, GROUPS, WORST]),
        ("subg", {"selection": "last"}, [TRAIN, GROUPS]),
        ("jtt", {"selection": "worst_group"}, [TRAIN, WORST]),
        ("jtt", {"selection": "average"}, [TRAIN, AVERAGE]),
        (
            "rwg",
            {"selection": "worst_group", "groups": "inferred", "inference": "errors"},
            [TRAIN, "inferred groups (train)", "class labels and inferred groups (validation, selection)"],
        ),
        (
            "rwg",
            {"selection": "worst_group", "groups": "inferred", "inference": "clusters"},
            [
                TRAIN,
                "class labels (validation, selection of the ERM model that groups are inferred from)",
                "inferred groups (train)",
                "class labels and inferred groups (validation, selection)",
            ],
        ),
        (
            "dfr",
            {"fit_on": "val"},
            [TRAIN, AVERAGE, "class and group labels (validation, last layer and tuning)"],
        ),
        (
            "dfr",
            {"fit_on": "train"},
            [
                TRAIN,
                AVERAGE,
                "group labels (train, last layer)",
                "class and group labels (validation, tuning)",
            ],
        ),
        (
            "repair",
            {"groups": "given"},
            [TRAIN, AVERAGE, "class and group labels (validation, images to leave out)"],
        ),
        (
            "repair",
            {"groups": "inferred"},
            [TRAIN, AVERAGE, "class labels and inferred groups (validation, images to leave out)"],
        ),
    ],
)
def test_annotated_groups(name: str, changes: dict[str, Any], expected: list[str]) -> None:
    assert labels_used(make_setup(name, base_selection="average", **changes), "annotated") == expected


def test_groups_of_a_cue_are_called_so() -> None:
    assert labels_used(make_setup("subg", selection="worst_group"), "cue") == [
        TRAIN,
        "groups of a found cue (train)",
        "class and groups of a found cue (validation, selection)",
    ]


@pytest.mark.parametrize("rule", ["last", "worst_group"])
def test_what_the_base_model_was_selected_by_counts(rule: str) -> None:
    used = labels_used(make_setup("dfr", base_selection=rule), "annotated")
    assert (WORST in used) == (rule == "worst_group")
    assert len(used) == (3 if rule == "worst_group" else 2)


@pytest.mark.parametrize(
    ("name", "selection", "expected"),
    [
        ("erm", "last", [TRAIN, "class labels (validation, early stopping)"]),
        ("erm", "average", [TRAIN, AVERAGE]),  # said already
        ("group_dro", "last", [TRAIN, GROUPS, "class labels (validation, early stopping)"]),
    ],
)
def test_early_stopping_looks_at_validation(name: str, selection: str, expected: list[str]) -> None:
    patient = make_settings(patience=1)
    assert labels_used(make_setup(name, settings=patient, selection=selection), "annotated") == expected
    assert labels_used(make_setup("dfr", settings=patient), "annotated")[1] == (
        "class labels (validation, early stopping)"
    )


def test_without_an_attribute_the_groups_are_the_classes() -> None:
    assert "classes as groups (train)" in labels_used(make_setup("rwg"), "none")
