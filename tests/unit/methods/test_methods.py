"""Every method from data to weights: what they gain on a planted shortcut, and resume after a kill."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.core.errors import CannotTrainError, InputError
from pipeline.train.group_inference import RECOVERED
from pipeline.train.loop import Outcome
from tests.fixtures.cues import SETTINGS as CUES_SETTINGS
from tests.fixtures.train import (
    KilledError,
    MemoryStore,
    Result,
    make_recipe,
    make_settings,
    make_split,
    run_method,
)

pytestmark = pytest.mark.slow

SEEDS = [1, 2]
SETTINGS = make_settings(epochs=3, lr=0.02, seeds=SEEDS)
CUES = {"cues": CUES_SETTINGS.model_dump()}
GROUP_METHODS: list[str] = ["group_dro", "rwg", "subg", "dfr"]


def splits(strength: float, bar: int) -> tuple[Any, Any, Any]:
    """Train with a shortcut of this strength, val and test without."""
    return (
        make_split(800, strength=strength, bar=bar),
        make_split(400, name="val", strength=0.5, bar=bar),
        make_split(400, name="test", strength=0.5, bar=bar),
    )


TRAIN, VAL, TEST = splits(0.95, 14)


@pytest.fixture(scope="module")
def erm() -> Result:
    return run_method(make_recipe("erm", settings=SETTINGS), TRAIN, VAL)


@pytest.fixture(scope="module")
def dfr() -> Result:
    return run_method(make_recipe("dfr", settings=SETTINGS), TRAIN, VAL)


def worst(result: Result) -> list[float]:
    return [result.worst_group(TEST, seed) for seed in SEEDS]


@pytest.mark.parametrize("name", GROUP_METHODS)
def test_group_methods_repair_the_worst_group_of_the_planted_shortcut(
    name: str, erm: Result, dfr: Result
) -> None:
    result = dfr if name == "dfr" else run_method(make_recipe(name, settings=SETTINGS), TRAIN, VAL)
    for before, after in zip(worst(erm), worst(result), strict=True):
        assert after >= before + 0.3


def test_without_a_shortcut_they_do_no_harm() -> None:
    train, val, test = splits(0.5, 40)
    settings = make_settings(epochs=2, lr=0.02)
    before = run_method(make_recipe("erm", settings=settings), train, val)
    store = MemoryStore()
    for name in GROUP_METHODS:
        recipe = make_recipe(name, settings=settings)
        if recipe.base is not None:  # ERM is at hand
            recipe = replace(recipe, base=replace(recipe.base, load=before.outcomes.get))
        after = run_method(recipe, train, val, store)
        assert after.worst_group(test) >= before.worst_group(test) - 0.05, name


def test_jtt_finds_the_hard_images_and_reports_how_well(erm: Result) -> None:
    result = run_method(make_recipe("jtt", settings=SETTINGS, first={"epochs": 1}), TRAIN, VAL)
    assert min(worst(result)) >= max(worst(erm))
    for found in result.history.group_inference:
        assert found.kind == "first_model_errors"
        assert sum(found.sizes.values()) == len(TRAIN)
        assert found.recovered
        assert found.worst_group in ("left/blue", "right/red"), "the groups against the shortcut"
        assert found.worst_group_recall > 0.8
    assert result.history.labels_used == ["class labels (train)"]
    assert [record.epoch for record in result.history.epochs] == [0, 1, 2] * 2, "those of the final models"


@pytest.mark.parametrize("inference", ["errors", "clusters"])
def test_inferred_groups_replace_given_ones_and_are_scored(
    inference: str, erm: Result, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    recipe = make_recipe("rwg", settings=SETTINGS, groups="inferred", inference=inference, inference_epochs=1)
    result = run_method(recipe, TRAIN, VAL)
    for found in result.history.group_inference:
        assert found.kind == inference
        assert found.adjusted_rand is not None
        assert found.recovered == (found.adjusted_rand >= RECOVERED)
    said = [record for record in caplog.records if "inferred groups" in record.message]
    assert [record.levelname == "INFO" for record in said] == [
        found.recovered for found in result.history.group_inference
    ]
    if inference == "errors":  # a model trained for one epoch fails on the groups against the shortcut
        assert all(found.recovered for found in result.history.group_inference)
        assert np.mean(worst(result)) >= np.mean(worst(erm)) + 0.3
    assert result.history.labels_used == ["class labels (train)", "inferred groups (train)"]


def test_dfr_changes_the_last_layer_alone_and_says_that_it_trained_on_validation(
    erm: Result, dfr: Result
) -> None:
    result = dfr
    for seed in SEEDS:
        changed = {
            key
            for key, value in result.weights[seed].items()
            if not torch.equal(value, erm.weights[seed][key])
        }
        assert changed == {"head.weight", "head.bias"}
    history = result.history
    assert history.trained_on_val
    assert not erm.history.trained_on_val
    assert [(layer.seed, layer.fit_on, layer.n_fits) for layer in history.last_layers] == [
        (1, "val", 20),
        (2, "val", 20),
    ]
    assert history.selection == "last"
    plain = [record.model_dump(exclude={"seconds"}) for record in erm.history.epochs]
    assert [record.model_dump(exclude={"seconds"}) for record in history.epochs] == plain


def test_a_trained_erm_model_is_a_short_cut_to_the_same_result(erm: Result, dfr: Result) -> None:
    def load(seed: int) -> Outcome | None:
        epochs = [record for record in erm.history.epochs if record.seed == seed]
        return Outcome(erm.weights[seed], 2, epochs, "fp32") if seed == 1 else None

    recipe = make_recipe("dfr", settings=SETTINGS)
    store = MemoryStore()
    assert recipe.base is not None
    loaded = run_method(replace(recipe, base=replace(recipe.base, load=load)), TRAIN, VAL, store)
    assert set(store.states) == {"seed_2_erm"}
    for seed in SEEDS:
        for key, value in dfr.weights[seed].items():
            assert torch.equal(value, loaded.weights[seed][key]), (seed, key)


RESUMED: dict[str, tuple[str, dict[str, Any]]] = {
    "jtt": ("jtt", {"first": {"epochs": 1}}),
    "dfr": ("dfr", {"min_images": 4, "n_fits": 2}),
    "subg": ("subg", {"allow_empty_groups": True}),
    "rwg of clusters": ("rwg", {"groups": "inferred", "inference": "clusters"}),
    "rwg of errors": ("rwg", {"groups": "inferred", "inference_epochs": 1}),
    "exchange": ("exchange", {"sections": CUES}),
}


@pytest.mark.parametrize("case", RESUMED)
def test_a_run_killed_anywhere_goes_on_bit_for_bit(case: str) -> None:
    name, changes = RESUMED[case]
    train, val = make_split(160, strength=0.8, bar=25), make_split(80, name="val", strength=0.5, bar=25)
    seeds = [0, 3] if case == "subg" else [0]
    settings = make_settings(epochs=2, seeds=seeds, checkpoint_seconds=1e-9, lr=0.02)
    recipe = make_recipe(name, settings=settings, **changes)
    counting = MemoryStore()
    whole = run_method(recipe, train, val, counting)
    n_kills = 2 if name == "exchange" else 3  # which looks for its cue each time
    for kill_at in np.unique(np.linspace(1, counting.n_saves, n_kills).astype(int)).tolist():
        store = MemoryStore(fail_after=kill_at)
        with pytest.raises(KilledError):
            run_method(recipe, train, val, store)
        again = run_method(recipe, train, val, store)
        assert again.history.selected_epoch == whole.history.selected_epoch
        assert again.history.group_inference == whole.history.group_inference
        assert again.history.last_layers == whole.history.last_layers
        for seed, weights in whole.weights.items():
            for key, value in weights.items():
                assert torch.equal(value, again.weights[seed][key]), (kill_at, seed, key)


def test_an_exchanged_cue_is_not_learned_and_needs_no_groups(erm: Result) -> None:
    exchange = make_recipe("exchange", settings=SETTINGS, sections=CUES)
    result = run_method(exchange, TRAIN, VAL)
    for before, after in zip(worst(erm), worst(result), strict=True):
        assert after >= before + 0.3


def test_without_a_cue_that_may_be_exchanged_it_says_so() -> None:
    exchange = make_recipe("exchange", settings=SETTINGS, sections=CUES)
    noise = make_split(160, strength=0.5, bar=0)
    with pytest.raises(CannotTrainError, match=r"none of .* tries on the pixels .* tells the class"):
        run_method(exchange, noise, VAL)
    content = make_split(160, strength=0.5, bar=60)  # where the bar stands is what the classes are
    with pytest.raises(CannotTrainError, match=r"may be what the classes look like"):
        run_method(exchange, content, VAL)


def test_what_a_method_cannot_do_without_is_said() -> None:
    easy = make_split(160, strength=0.5, bar=80)
    settings = make_settings(epochs=6)
    with pytest.raises(InputError, match=r"first model of JTT makes no mistakes.*identification_epochs"):
        run_method(make_recipe("jtt", settings=settings, first={"epochs": 6}), easy, VAL)
    recipe = make_recipe("subg", settings=settings, groups="inferred", inference_epochs=6)
    with pytest.raises(
        InputError, match=r"ERM makes no mistakes.*Set methods\.subg\.inference_epochs to a lower"
    ):
        run_method(recipe, easy, VAL)
    without = VAL.take(VAL.groups != 1)
    with pytest.raises(InputError, match=r"left/blue has 0 in val"):
        run_method(make_recipe("dfr", settings=settings), easy, without)
    with pytest.raises(InputError, match="no validation images"):
        run_method(make_recipe("erm", settings=settings), easy, VAL.take(np.arange(0)))
    with pytest.raises(InputError, match="at least 2 classes"):
        run_method(make_recipe("erm", settings=settings), easy.take(easy.labels == 0), VAL)
