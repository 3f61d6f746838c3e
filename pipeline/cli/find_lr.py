"""`find-lr`: the learning rate that a method should be trained with, by a few steps at growing rates.

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
from pipeline.train.fitting import count_parameters, introduce_network, network_of
from pipeline.train.groups import Groups
from pipeline.train.loop import Job, losses_at
from pipeline.train.plans import Plan, plain_plan
from pipeline.train.range_test import RangeTest, growing_rates, range_test


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
    print("\n".join(_lines(asked, *find(asked))))


def find(asked: _Asked) -> tuple[RangeTest, str]:
    """Train the first seed for a few steps; what comes of it, and what is to be said of the plan."""
    train = asked.settings.train_for(asked.method).model_copy(update={"average": "none", "checkpoints": 0})
    data = data_folders(asked.dataset)
    info, splits = load_info(data), (load_split(data, "train"), load_split(data, "val"))
    introduce_network(train, info)
    groups = Groups(splits[0].groups, splits[1].groups, [g.name for g in info.groups])
    plan, note = _plan(asked, splits[0], groups, train.batch_size)
    job, rates = Job(train, plan, train.seeds[0], len(info.groups)), growing_rates()
    workers = n_workers(train, count_parameters(train, info.classes, info.image_size))
    with one_thread() if workers > 1 else contextlib.nullcontext():
        model = network_of(train, info, job.seed)
        return range_test(losses_at(model, splits[0], job, rates), rates), note


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


def _lines(asked: _Asked, found: RangeTest, note: str) -> list[str]:
    now = asked.settings.train_for(asked.method)
    key = f"methods: {{ {asked.method}: {{ train: {{ lr: {found.suggested:g} }} }} }}"
    ended = "where the loss blew up" if found.ended else "the highest that is tried"
    return [
        f"{asked.dataset}, {asked.method}, seed {now.seeds[0]}: {len(found.rates_T)} steps at rates from "
        f"{found.rates_T[0]:.1g} to {found.rates_T[-1]:.2g}, {ended}",
        *([note] if note else []),
        "rate      loss (smoothed)",
        *_table(found),
        f"the loss is least at {found.rates_T[found.losses_T.argmin()]:.2g} and falls fastest at "
        f"{found.steepest:.2g}",
        f"suggested: {found.suggested:g}, a tenth of the former; {asked.place} is {now.lr:g}. In params.yaml:",
        "datasets:",
        f"  {asked.dataset}:",
        f"    {key if asked.is_override else f'train: {{ lr: {found.suggested:g} }}'}",
    ]


def _table(found: RangeTest) -> list[str]:
    """Every eighth step, which is about a third of a decade."""
    pairs = list(zip(found.rates_T, found.losses_T, strict=True))
    return [f"{rate:<9.2g} {loss:.3f}" for rate, loss in pairs[::8]]
