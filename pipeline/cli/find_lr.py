"""`find-lr`: the learning rate that a method should be trained with, by short trainings at growing rates.

It reads what the stage `train` reads and writes nothing.
"""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import dataclass
from typing import Any

from pipeline.artifacts.datasets import load_info, load_split
from pipeline.artifacts.paths import data_folders
from pipeline.core.errors import InputError
from pipeline.methods.method import NetworkMethod
from pipeline.methods.on_disk import n_workers, one_thread
from pipeline.methods.registry import BASE, find_method
from pipeline.plan.params import DatasetSettings, Params
from pipeline.plan.params_file import read_params
from pipeline.settings.methods import GroupSettings
from pipeline.train.groups import Groups
from pipeline.train.loop import Job, losses_at
from pipeline.train.networks import count_parameters, introduce_network, network_of
from pipeline.train.plans import Plan, plain_plan
from pipeline.train.range_test import Tried, growing_rates, suggest_rate, try_rates

N_SEEDS = 3  # trainings, whose median counts


@dataclass(frozen=True)
class _Asked:
    """Whose rate is looked for."""

    dataset: str
    method: str  # with a network of its own
    settings: DatasetSettings

    @property
    def is_override(self) -> bool:
        """Whether the method has a rate of its own."""
        return "lr" in self.settings.method(self.method).train

    @property
    def place(self) -> str:
        where = f"methods.{self.method}.train" if self.is_override else "train"
        return f"datasets.{self.dataset}.{where}.lr"


def run(options: argparse.Namespace) -> None:
    asked = _asked(read_params(), options.dataset, options.method)
    print("\n".join(_lines(asked, *_find(asked))))


def _find(asked: _Asked) -> tuple[list[Tried], str]:
    """Train a few seeds for a few steps; what they met, and what is to be said of the plan."""
    train = asked.settings.train_for(asked.method).model_copy(update={"average": "none", "checkpoints": 0})
    data = data_folders(asked.dataset)
    info, splits = load_info(data), (load_split(data, "train"), load_split(data, "val"))
    introduce_network(train, info)
    groups = Groups(splits[0].groups, splits[1].groups, [g.name for g in info.groups])
    plan, note = _plan(asked, splits[0], groups, train.batch_size)
    rates, tried = growing_rates(train), []
    workers = n_workers(train, count_parameters(train, info.classes, info.image_size))
    with one_thread() if workers > 1 else contextlib.nullcontext():
        for seed in range(train.seeds[0], train.seeds[0] + N_SEEDS):
            job = Job(train, plan, seed, len(info.groups))
            tried.append(try_rates(losses_at(network_of(train, info, seed), splits[0], job, rates), rates))
    return tried, note


def _asked(params: Params, dataset: str, method: str) -> _Asked:
    """
    Raises:
        InputError: the method is a model that was trained elsewhere.
    """
    if method in params.models:
        raise InputError(
            f"{method} was trained elsewhere, so that it has no learning rate. Name a method: "
            f"shortcut-audit find-lr {dataset} {(params.trained_methods or [BASE])[0]}"
        )
    owner = method if find_method(method).has_network else BASE
    return _Asked(dataset, owner, params.dataset(dataset))


def _plan(asked: _Asked, train: Any, groups: Groups, batch_size: int) -> tuple[Plan, str]:
    """The method's plan; where another network would have to be trained for it, every image once an epoch."""
    method, own = find_method(asked.method), asked.settings.method(asked.method)
    is_inferred = isinstance(own, GroupSettings) and own.groups == "inferred"
    if isinstance(method, NetworkMethod) and type(method).plan is not NetworkMethod.plan and not is_inferred:
        return method.plan(own, train, groups, batch_size=batch_size), ""
    note = f"{asked.method} draws images by what another network says; here every image counts the same"
    return plain_plan(groups, "last"), note


def _lines(asked: _Asked, tried: list[Tried], note: str) -> list[str]:
    now, suggested = asked.settings.train_for(asked.method).lr, suggest_rate(tried)
    written = f"train: {{ lr: {suggested:g} }}"
    edges = ", ".join(f"{one.edge:.2g}" for one in tried)
    return [
        f"{asked.dataset}, {asked.method}: {len(tried)} short trainings at rates that grow from "
        f"{tried[0].rates_T[0]:g}",
        *([note] if note else []),
        "rate     loss (smoothed)",
        *_table(tried),
        f"the loss stays near its least up to {edges}",
        f"suggested: {suggested:g}, two thirds of the median; {asked.place} is {now:g} now. In params.yaml:",
        "datasets:",
        f"  {asked.dataset}:",
        f"    methods: {{ {asked.method}: {{ {written} }} }}" if asked.is_override else f"    {written}",
    ]


def _table(tried: list[Tried]) -> list[str]:
    """Every tenth step, a third of a decade, of all trainings; - where a loss had blown up."""
    longest = max(tried, key=lambda one: len(one.rates_T)).rates_T
    return [
        f"{longest[i]:<8.2g} "
        + "  ".join(f"{one.losses_T[i]:.3f}" if i < len(one.losses_T) else "-    " for one in tried)
        for i in range(0, len(longest), 10)
    ]
