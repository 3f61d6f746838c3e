"""`train.model: models.<name>`: the entry behind the name, whether it can be trained, and its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.artifacts.provenance import file_digest
from pipeline.core.errors import InputError
from pipeline.methods.recipe import Setup
from pipeline.models.brought.sources import check_files, shards, source_files, weights_file
from pipeline.models.registry import EMBEDDED, FORMER, OWN, TIMM, check_network, check_norm
from pipeline.settings.base import written_by_nobody
from pipeline.settings.models import Model, NetworkModel, OwnNetwork
from pipeline.settings.parsing import did_you_mean
from pipeline.settings.train import TrainSettings


def own_name(model: str) -> str:
    """The entry of `models` that `train.model` names; empty where it names none."""
    return model.removeprefix(OWN) if model.startswith(OWN) else ""


def with_network(train: TrainSettings, models: Mapping[str, Model]) -> TrainSettings:
    """The settings with the entry that their model names; whether it can be trained `check_model` says."""
    entry = models.get(own_name(train.model))
    own = OwnNetwork(entry=_deciding(entry, train)) if isinstance(entry, NetworkModel) else None
    return train.model_copy(update={"network": own})


def check_model(train: TrainSettings, models: Mapping[str, Model], dataset: str | None) -> None:
    """Refuse what is no network, or not one that these settings can train on the dataset.

    Args:
        dataset: None: one that nobody trains on, whose settings may be those of others.

    Raises:
        InputError: with what to write.
    """
    names = [name for name, entry in models.items() if isinstance(entry, NetworkModel)]
    check_norm(train.model, train.norm)
    if not train.model.startswith(OWN):
        _check_other(train.model, names)
        return
    name, key = own_name(train.model), f"train.model = {train.model}"
    entry = models.get(name)
    if entry is None:
        near = did_you_mean(name, names) or "."
        known = f"Networks of `models`: {', '.join(names)}." if names else "`models` has no networks."
        raise InputError(
            f"{key}: there is no such entry{near} {known} `shortcut-audit new-model NAME PATH` writes one."
        )
    if not isinstance(entry, NetworkModel):
        raise InputError(
            f"{key} is a table of predictions, and a network is needed. Give an entry of kind timm, "
            "huggingface or python."
        )
    if dataset is not None and entry.datasets is not None and dataset not in entry.datasets:
        raise InputError(
            f"{key} is a model of {', '.join(entry.datasets)} ({train.model}.datasets), not of {dataset}. "
            f"Add {dataset} there, or set datasets.{dataset}.train.model to another network."
        )
    if train.model_args:
        raise InputError(
            f"train.model_args = {train.model_args} is of timm's networks, and {key}. Take it out, and write "
            f"what builds the network into its entry ({train.model}.args, of a function)."
        )
    if train.input_size is not None:
        raise InputError(
            f"train.input_size = {train.input_size} is of timm's networks, and {key}. Write input_size: "
            f"null, and the side as {train.model}.input_size."
        )


def _check_other(name: str, own: Sequence[str]) -> None:
    """Refuse what is no network of ours or timm's, such as one of `own` without what stands before it."""
    if name in own:
        raise InputError(f"train.model = {name} is not known. Write train.model: {OWN}{name}.")
    near = did_you_mean(name, own)
    if near and name not in (EMBEDDED, *FORMER) and not name.startswith(TIMM):
        raise InputError(f"train.model = {name} is not known{near} Write {OWN} before the name.")
    check_network(name)


def refuse_written(given: Mapping[str, Any], where: str) -> None:
    """Refuse settings that are filled in from elsewhere.

    Raises:
        InputError: names the first.
    """
    written = sorted(written_by_nobody(TrainSettings) & set(given))
    if written:
        raise InputError(
            f"params.yaml: {where}.{written[0]} is not yours to write: it is made of `models`. Write "
            f"{where}: {{ model: {OWN}NAME }}."
        )


def with_files(setup: Setup[Any]) -> Setup[Any]:
    """The setup with the digests of what its networks are made of: another file is another training.

    Raises:
        InputError: a file is missing.
    """
    return replace(
        setup,
        train=_with_files(setup.train),
        further={part: _with_files(train) for part, train in setup.further.items()},
        base=with_files(setup.base) if setup.base else None,
    )


def _with_files(train: TrainSettings) -> TrainSettings:
    if train.network is None:
        return train
    entry, given = train.network.entry, train.pretrained
    check_files(entry, train.model)
    files = source_files(entry, with_weights=given is True)
    if isinstance(given, str):
        first = weights_file(given, "train.pretrained")
        files += [first, *shards(first)]
    digests = {str(path): file_digest(path) for path in files}
    return train.model_copy(update={"network": OwnNetwork(entry=entry, files=digests)})


def _deciding(entry: NetworkModel, train: TrainSettings) -> NetworkModel:
    """Without what decides no training: a change of it trains nothing again."""
    own_weights: dict[str, Any] = {} if train.pretrained is True else {"weights": []}
    return entry.model_copy(update={"datasets": None, "checkpoints": [], "layer": None, **own_weights})
