"""Methods that train a network of the user's: a function's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.core.errors import CannotTrainError, InputError
from pipeline.models.brought.open import rebuild_brought
from pipeline.models.predict import predict_logits
from pipeline.train.networks import spec_of
from tests.fixtures.own_networks import own_network
from tests.fixtures.train import (
    KilledError,
    MemoryStore,
    Result,
    make_info,
    make_recipe,
    make_settings,
    make_split,
    run_method,
)

TRAIN, VAL = make_split(160, strength=0.8), make_split(80, name="val", strength=0.5)


def train(function: str, folder: Path, method: str = "erm", store: Any = None, **changes: Any) -> Result:
    own = own_network(function, folder) if function else {}
    settings = make_settings(**{"epochs": 2, "lr": 0.02, **own, **changes})
    return run_method(make_recipe(method, settings=settings), TRAIN, VAL, store)


def test_the_embedded_network_as_a_function_gives_the_same_numbers(tmp_path: Path) -> None:
    ours, theirs = (train(f, tmp_path, seeds=[0, 3], augment="flip_crop") for f in ("", "embedded"))
    assert [e.model_copy(update={"seconds": 0}) for e in theirs.history.epochs] == [
        e.model_copy(update={"seconds": 0}) for e in ours.history.epochs
    ]
    for seed in (0, 3):
        for name, value in ours.weights[seed].items():
            assert torch.equal(value, theirs.weights[seed][name])
    assert theirs.history.model == "models.mine"
    assert theirs.history.n_parameters == ours.history.n_parameters


OPTIONS: dict[str, dict[str, Any]] = {
    "dropout of its own": {"seeds": [0, 3]},
    "draws from NumPy and Python": {"function": "ForeignDropout"},
    "averaged": {"average": "ema", "dropout": 0.2},
    "sharpness": {"sam_rho": 0.05},
}


@pytest.mark.parametrize("case", OPTIONS)
def test_a_killed_run_goes_on_bit_for_bit(tmp_path: Path, case: str) -> None:
    changes = {"function": "Wrapped", "checkpoint_seconds": 1e-9, **OPTIONS[case]}
    counting = MemoryStore()
    whole = train(folder=tmp_path, store=counting, **changes)
    for kill_at in (1, counting.n_saves // 2, counting.n_saves):
        store = MemoryStore(fail_after=kill_at)
        with pytest.raises(KilledError):
            train(folder=tmp_path, store=store, **changes)
        again = train(folder=tmp_path, store=store, **changes)
        for seed, weights in whole.weights.items():
            for key, value in weights.items():
                assert torch.equal(value, again.weights[seed][key]), (kill_at, seed, key)


@pytest.mark.parametrize("function", ["small", "Wrapped", "Viewed", "NoHead", "frozen"])
def test_it_learns_and_is_rebuilt_from_its_weights(tmp_path: Path, function: str) -> None:
    result = train(function, tmp_path, epochs=6, lr=0.05)
    settings = make_settings(**own_network(function, tmp_path))
    model = rebuild_brought(spec_of(settings, make_info(TRAIN, VAL)))
    model.load_state_dict(result.weights[0])
    correct = (predict_logits(model, VAL.images).argmax(1) == VAL.labels).mean()
    assert correct == pytest.approx(result.history.epochs[-1].val_average)
    assert result.history.epochs[-1].train_loss < result.history.epochs[0].train_loss
    assert correct > (0.4 if function == "NoHead" else 0.5), "an average over the image tells a mean"
    if function == "frozen":
        first = train(function, tmp_path, epochs=1).weights[0]["net.0.weight"]
        assert torch.equal(result.weights[0]["net.0.weight"], first)


@pytest.mark.parametrize(
    ("method", "function", "changes", "says"),
    [
        ("dfr", "NoHead", {}, "dfr reads the features before the last layer: NoHead makes its logits"),
        ("dfr", "no_bias", {}, "DFR fits a last layer with a bias, and that of models.mine has none"),
    ],
)
def test_a_method_that_needs_features_says_why_it_is_not_trained(
    tmp_path: Path, method: str, function: str, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(CannotTrainError, match=says):
        train(function, tmp_path, method, **changes)


def test_a_last_layer_is_trained_again_where_there_is_one(tmp_path: Path) -> None:
    erm, dfr = train("Wrapped", tmp_path, epochs=4), train("Wrapped", tmp_path, "dfr", epochs=4)
    assert torch.equal(erm.weights[0]["net.net.0.weight"], dfr.weights[0]["net.net.0.weight"])
    assert not np.allclose(erm.weights[0]["head.weight"], dfr.weights[0]["head.weight"])


@pytest.mark.parametrize(
    ("function", "changes", "says"),
    [
        ("NoHead", {"dropout": 0.1}, "train.dropout = 0.1: models.mine has no last linear layer.*dropout: 0"),
        (
            "small",
            {"stochastic_depth": 0.1},
            "train.stochastic_depth = 0.1: .* Set train.stochastic_depth: 0",
        ),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    tmp_path: Path, function: str, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        train(function, tmp_path, **changes)
