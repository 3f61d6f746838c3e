"""Retraining on parts of the images: what is planned, what a part gives, and a known answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.core.types import Float64Array, Split
from pipeline.methods.retraining import plan_trainings, retrain, why_not
from pipeline.models.predict import predict_logits
from pipeline.settings.retrain import RetrainSettings
from pipeline.statistics.retrained.log_odds import label_log_odds
from pipeline.statistics.retrained.subsets import training_rows
from tests.fixtures.train import (
    Result,
    make_info,
    make_recipe,
    make_settings,
    make_setup,
    make_split,
    run_method,
)

TRAIN, VAL, TEST = make_split(240, strength=0.8), make_split(40, name="val"), make_split(200, name="test")


def make_retrain(**changes: Any) -> RetrainSettings:
    base: dict[str, Any] = {
        "methods": ["erm"],
        "subsets": 3,
        "share": 0.5,
        "repeats": 2,
        "thin_keep": [0.0, 0.5],
        "thin_repeats": 2,
        "executor": "local",
        "workers": 1,
        "submitit": {},
        "seed": 0,
    }
    return RetrainSettings.model_validate(base | changes)


def group_margins(train: Split, seed: int) -> Float64Array:
    """Mean test margin of every group after training on `train`."""
    setup = make_setup("erm", settings=make_settings(epochs=3))
    model = retrain(setup, train, VAL, make_info(TRAIN, VAL), seed)
    margins_N = label_log_odds(predict_logits(model, TEST.images), TEST.labels)
    return np.array([margins_N[TEST.groups == group].mean() for group in range(4)])


def test_every_training_is_planned_once_with_a_seed_of_its_own() -> None:
    planned = plan_trainings(make_retrain(), TRAIN)
    assert len(planned) == 3 * 2 + 4 * 2 * 2 + 2
    assert len({training.name for training in planned}) == len(planned)
    assert len({training.seed for training in planned}) == len(planned)
    for training in planned:
        assert training.n_images == len(training_rows(training, TRAIN.groups, share=0.5, seed=0))
    # what else is asked for changes neither images nor seed: finished results stay valid
    more = plan_trainings(make_retrain(subsets=9, repeats=3, thin_keep=[0.5, 0.25, 0.0]), TRAIN)
    assert {t.name: t.seed for t in planned}.items() <= {t.name: t.seed for t in more}.items()


def test_thinning_that_leaves_nothing_to_learn_is_left_out() -> None:
    one_group_a_class = TRAIN.take(TRAIN.attributes == TRAIN.labels)
    planned = plan_trainings(make_retrain(subsets=0), one_group_a_class)
    assert {training.kept for training in planned if training.kind == "thinned"} == {0.5}
    assert plan_trainings(make_retrain(subsets=0, thin_keep=[]), TRAIN) == []


@pytest.mark.parametrize(
    ("method", "changes", "reason"),
    [
        ("group_dro", {}, "does not name group_dro"),
        ("erm", {"subsets": 0, "thin_keep": []}, "subsets is 0"),
        ("jtt", {"methods": ["jtt"]}, "jtt starts from an ERM model"),
        ("dfr", {"methods": ["dfr"]}, "dfr starts from an ERM model"),
        ("repair", {"methods": ["repair"]}, "repair starts from an ERM model"),
        ("erm", {}, None),
        ("subg", {"methods": ["subg"]}, None),
    ],
)
def test_what_is_not_retrained_says_why(method: str, changes: Any, reason: str | None) -> None:
    found = why_not(make_setup(method), make_retrain(**changes))
    assert (found is None) if reason is None else (reason in str(found))


def test_inferred_groups_are_not_retrained() -> None:
    setup = make_setup("rwg", groups="inferred")
    assert "inferred" in str(why_not(setup, make_retrain(methods=["rwg"])))


@pytest.mark.parametrize("name", ["erm", "group_dro", "rwy"])
def test_a_part_is_trained_as_the_method_trains_it(name: str) -> None:
    """The weights are those of the method's own training on these images alone."""
    part = TRAIN.take(np.arange(160))
    settings = make_settings(seeds=[7], epochs=2)
    expected: Result = run_method(make_recipe(name, settings=settings), part, VAL)
    selected = make_setup(name, settings=settings, selection="average")  # by validation: not looked at here
    model = retrain(selected, part, VAL, make_info(TRAIN, VAL), 7)
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), expected.weights[7][key].numpy(), err_msg=key)


def test_groups_that_are_gone_do_not_stop_a_method_that_balances_groups() -> None:
    part = TRAIN.take(TRAIN.groups != 1)
    setup = make_setup("group_dro", settings=make_settings(epochs=1, patience=1))
    retrain(setup, part, VAL, make_info(TRAIN, VAL), 0)


def test_removing_a_minority_group_turns_it_and_no_other_group_wrong() -> None:
    """Without left/blue images all that is blue is right: left/blue test images are taken for it."""
    seeds = range(2)
    whole_G = np.mean([group_margins(TRAIN, seed) for seed in seeds], axis=0)
    without_G = np.mean([group_margins(TRAIN.take(TRAIN.groups != 1), seed) for seed in seeds], axis=0)
    assert (whole_G > 2).all()
    assert without_G[1] < -4
    assert (without_G[[0, 2, 3]] > 1).all()
    assert (without_G - whole_G).argmin() == 1
