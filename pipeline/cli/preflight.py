"""`preflight`: what an audit will be able to say and how long it takes, before it is run."""

from __future__ import annotations

import argparse

from pipeline.artifacts.paths import downloads_dir
from pipeline.data.plan import make_plan
from pipeline.data.sources.registry import load_raw
from pipeline.methods.registry import BASE
from pipeline.plan.params_file import read_params
from pipeline.preflight.report import look_ahead


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
    print("\n".join(found.lines))
