"""What one method trains: what its stage is told, the setup that is read from it, and the key of it."""

from __future__ import annotations

from typing import Any

from pipeline.artifacts.provenance import make_provenance, settings_hash
from pipeline.methods.recipe import Setup
from pipeline.methods.registry import BASE, find_method
from pipeline.settings.base import deciding
from pipeline.settings.plans.train import NetworkPlan, TrainPlan
from pipeline.settings.train import TrainSettings


def read_setup(name: str, plan: NetworkPlan) -> Setup[Any]:
    """The method that a stage is told to train."""
    method = find_method(name)
    settings = method.settings.model_validate(plan.method)
    if not isinstance(plan, TrainPlan):
        return Setup(method, settings, plan.train)
    base = read_setup(BASE, plan.base) if plan.base else None
    return Setup(method, settings, plan.train, plan.further, plan.sections, base)


def plan_network(setup: Setup[Any]) -> NetworkPlan:
    """What a stage is told of the method's network, its overrides laid in."""
    return NetworkPlan(train=setup.train, method=own_keys(setup))


def plan_training(setup: Setup[Any], *, is_baseline: bool) -> TrainPlan:
    """What the stage `train` is told."""
    return TrainPlan(
        train=setup.train,
        method=own_keys(setup),
        base=plan_network(setup.base) if setup.base else None,
        further=dict(setup.further),
        sections={key: dict(values) for key, values in setup.sections.items()},
        is_baseline=is_baseline,
    )


def own_keys(setup: Setup[Any]) -> dict[str, Any]:
    """The method's keys without those that are laid over training settings."""
    laid_over = {"train", *setup.further}
    return {key: value for key, value in deciding(setup.settings).items() if key not in laid_over}


def training_key(setup: Setup[Any], *data: str) -> str:
    """Hash of everything that decides a training's result, beside its seed and its name within the method.

    The same settings and code and the same data give the same key, so that a run that was killed goes on.

    Args:
        data: digests of the files that are trained on, and of the code; whatever else chooses images.
    """
    return settings_hash(*_parts(setup), *data, make_provenance("").versions)


def _parts(setup: Setup[Any]) -> list[Any]:
    networks = {"train": setup.train, **setup.further}
    parts = [setup.name, own_keys(setup), {part: _one_seed(train) for part, train in networks.items()}]
    parts.append({key: dict(values) for key, values in setup.sections.items()})
    if setup.method.joins_seeds:
        parts.append(str(setup.train.seeds))
    return parts + (_parts(setup.base) if setup.base else [])


def _one_seed(train: TrainSettings) -> dict[str, Any]:
    """Which other seeds are trained does not decide a seed's result."""
    return deciding(train.model_copy(update={"seeds": []}))
