"""`preflight`: what an audit will be able to say and how long it takes, before it is run."""

from __future__ import annotations

import argparse

from pipeline.artifacts.paths import downloads_dir
from pipeline.data.plan import make_plan
from pipeline.data.sources.registry import load_raw
from pipeline.methods.registry import BASE
from pipeline.models.registry import OWN
from pipeline.plan.params import Params
from pipeline.plan.params_file import read_params
from pipeline.preflight.report import look_ahead
from pipeline.settings.models import PredictionsModel


def run(options: argparse.Namespace) -> None:
    params = read_params()
    settings = params.dataset(options.dataset)
    raw = load_raw(settings.source, downloads_dir() / options.dataset)
    found = look_ahead(
        options.dataset,
        raw,
        make_plan(raw, settings.data),
        settings,
        methods=params.trained_methods or [BASE],
        explained=params.explained_methods,
        is_timed=not options.no_timing and bool(params.trained_methods),
    )
    print("\n".join([*found.lines, *_brought_lines(params, options.dataset)]))


def _recipe_line(name: str, params: Params, dataset: str) -> list[str]:
    """How methods train its network, where none does."""
    settings = params.dataset(dataset)
    if any(settings.train_for(method).model == f"{OWN}{name}" for method in params.trained_methods):
        return []
    return [
        f"methods such as repair train another network than {name}'s; to train it again: "
        f"datasets.{dataset}.train: {{ model: {OWN}{name} }}"
    ]


def _brought_lines(params: Params, dataset: str) -> list[str]:
    """What the questions above are for models that were trained elsewhere: those are asked of a method."""
    active = [name for name in params.active_methods if name in params.models]
    lines = []
    if active and not params.trained_methods:
        lines.append(f"the answers above are of {BASE}, which is not active")
    for name in active:
        if isinstance(params.models[name], PredictionsModel):
            lines.append(f"{name} is a table of predictions: 2 used and 4 caused by cannot be asked of it")
        else:
            lines.append(
                f"{name} was trained elsewhere: train.seeds does nothing for it; each file of weights is one"
            )
            lines += _recipe_line(name, params, dataset)
    return lines
